// SPDX-License-Identifier: Apache-2.0
/*
 * The input is a window's columns: two u16 with the lengths of dictionary and samples, these, and moments behind them. What
 * is let through is merged into another profile, which asserts that all ids are within their arrays.
 *
 * The corpus: python3 tests/fuzz/store_corpus.py
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/model/merge.h"
#include "profiler/store/columns.h"

#define MAX_BYTES (1 << 20)
#define MAX_ITEMS (1 << 16)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void merge(const struct profile *from)
{
	struct profile into;

	if (profile_init(&into, MAX_BYTES, MAX_ITEMS) < 0)
		return;
	if (profile_merge(&into, from) == 0 &&
	    profile_total_count(&into) != profile_total_count(from))
		abort();
	profile_release(&into);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct columns_dictionary d;
	struct columns_slots slots = { 0 };
	uint16_t lengths[2];

	if (size < sizeof(lengths))
		return 0;
	memcpy(lengths, data, sizeof(lengths));
	data += sizeof(lengths);
	size -= sizeof(lengths);
	if (lengths[0] > size || lengths[1] > size - lengths[0] ||
	    columns_dictionary_init(&d, MAX_BYTES, MAX_ITEMS) < 0)
		return 0;
	if (columns_read_dictionary(&d, data, lengths[0]) == 0 &&
	    columns_read_samples(&d, data + lengths[0], lengths[1]) == 0) {
		merge(&d.profile);
		size -= lengths[0] + lengths[1];
		(void)columns_read_moments(&d, data + lengths[0] + lengths[1], size, &slots);
	}
	array_release(&slots.slots);
	columns_dictionary_release(&d);
	return 0;
}
