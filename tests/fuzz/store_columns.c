// SPDX-License-Identifier: Apache-2.0
/*
 * The input is columns: three u16 with the lengths of a dictionary, of the next one and of samples,
 * these, and moments behind them. What is let through is merged into another profile, which asserts
 * that all ids are within their arrays; also if the second dictionary is refused, after which the
 * first is to be as it was.
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
	uint16_t len[3];
	const uint8_t *samples;

	if (size < sizeof(len))
		return 0;
	memcpy(len, data, sizeof(len));
	data += sizeof(len);
	size -= sizeof(len);
	if ((size_t)len[0] + len[1] + len[2] > size ||
	    columns_dictionary_init(&d, MAX_BYTES, MAX_ITEMS) < 0)
		return 0;
	samples = data + len[0] + len[1];
	if (columns_read_dictionary(&d, data, len[0]) == 0) {
		if (len[1])
			(void)columns_read_dictionary(&d, data + len[0], len[1]);
		if (columns_read_samples(&d, samples, len[2]) == 0) {
			merge(&d.profile);
			size -= (size_t)len[0] + len[1] + len[2];
			(void)columns_read_moments(&d, samples + len[2], size, &slots);
		}
	}
	array_release(&slots.slots);
	columns_dictionary_release(&d);
	return 0;
}
