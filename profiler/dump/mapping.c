// SPDX-License-Identifier: Apache-2.0
/*
 * Which mapping an address is in: the dumper and the unwinder have the same list of them, and look it up alike.
 */
#include "profiler/dump/protocol.h"

#include <stddef.h>

const struct unwinder_mapping *unwinder_mapping_find(const struct unwinder_mapping *all,
						     uint32_t count, uint64_t addr)
{
	uint32_t low = 0, high = count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (all[middle].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && all[low].start <= addr ? &all[low] : NULL;
}
