// SPDX-License-Identifier: Apache-2.0
/*
 * Collapsed stacks from anybody: what was read and is encoded is read again, and encoded to the same.
 */
#include "profiler/decode/collapsed_read.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "profiler/encode/collapsed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer first = BUFFER_INIT(64 << 20), second = first;
	struct err err = { "" };
	struct profile p, again;

	if (size > 1 << 20)
		return 0;
	if (collapsed_read(data, size, &p, &err) < 0) {
		assert(*err.text);
		return 0;
	}
	assert(collapsed_encode(&p, NULL, &first) == 0);
	/* A name that begins with '#' makes a comment of its line, and counts can add up to more than is read. */
	if (!memchr(data, '#', size) &&
	    collapsed_read(first.data ? first.data : "", first.len, &again, &err) == 0) {
		assert(collapsed_encode(&again, NULL, &second) == 0);
		profile_release(&again);
	}
	buffer_release(&first);
	buffer_release(&second);
	profile_release(&p);
	return 0;
}
