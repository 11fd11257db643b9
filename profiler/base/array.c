// SPDX-License-Identifier: Apache-2.0
/* Grows by half, so that no more than a third of it is unused. */
#include "profiler/base/array.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_CAPACITY 8U

int array_reserve(void **items, uint32_t *capacity, uint64_t need, size_t size, uint32_t max)
{
	uint64_t want = *capacity > FIRST_CAPACITY ? *capacity : FIRST_CAPACITY;
	void *grown;

	if (need > max)
		return -E2BIG;
	if (need <= *capacity)
		return 0;
	while (want < need)
		want += want / 2;
	if (want > max)
		want = max;
	grown = reallocarray(*items, want, size);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*capacity = (uint32_t)want;
	return 0;
}
