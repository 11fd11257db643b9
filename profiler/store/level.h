/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The levels of a store: how long a window is, how much time one file spans, how long it is kept. Every level has
 * all of the time: the next coarser one is made as soon as its file's time is over, and what is finer lives as
 * long as its age and its share of the bytes let it. So a week is read from seven files.
 */
#ifndef STORE_LEVEL_H
#define STORE_LEVEL_H

#include <stdint.h>

#define STORE_LEVELS 4

struct store_level {
	const char *name; /* in file names, and for people */
	uint64_t window_ns;
	uint64_t span_ns; /* of a file; slots are multiples of it since 1970 */
	uint64_t age_ns; /* default; 0: as long as there is room */
	/* Of the bytes: who is furthest beyond it gives way. Together 16. */
	uint32_t share;
};

extern const struct store_level store_levels[STORE_LEVELS];

/* When the file that a window belongs to begins. */
static inline uint64_t store_slot(uint32_t level, uint64_t start_ns)
{
	return start_ns - start_ns % store_levels[level].span_ns;
}

#endif
