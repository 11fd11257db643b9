// SPDX-License-Identifier: Apache-2.0
#include "profiler/base/array.h"

#include <errno.h>
#include <stdlib.h>

int array_reserve(void **items, uint32_t *capacity, uint32_t need, size_t size, uint32_t max)
{
	uint64_t want = *capacity ? *capacity : 8;
	void *grown;

	if (need <= *capacity)
		return 0;
	if (need > max)
		return -E2BIG;
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
