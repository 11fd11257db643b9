/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The search that every symbol of a stream goes through: which of the asked addresses is the first
 * at or after it?
 */
#ifndef SYMBOLIZER_SEARCH_H
#define SYMBOLIZER_SEARCH_H

#include <stdint.h>

struct search {
	const uint64_t *addresses; /* ascending */
	uint32_t count;
	uint32_t last; /* result: tables are mostly sorted, so it mostly is the next one, too */
};

/* The number of addresses below `start`: 0 to count. */
static inline uint32_t search_find(struct search *s, uint64_t start)
{
	const uint64_t *base = s->addresses;
	uint32_t n = s->count, last = s->last;

	if ((last == 0 || base[last - 1] < start) && (last == n || base[last] >= start))
		return last;
	while (n > 0) {
		uint32_t half = n / 2;

		if (base[half] < start) {
			base += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	s->last = (uint32_t)(base - s->addresses);
	return s->last;
}

#endif
