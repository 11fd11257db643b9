// SPDX-License-Identifier: Apache-2.0
/*
 * pprof files from anybody: whatever goes in, what comes out can be encoded, and read again, and is then the same.
 */
#include "profiler/decode/pprof_read.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "profiler/encode/pprof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer first = BUFFER_INIT(64 << 20), second = first;
	struct err err = { "" };
	struct profile p, again;

	if (size > 1 << 20)
		return 0;
	if (pprof_read(data, size, &p, &err) < 0) {
		assert(*err.text);
		return 0;
	}
	assert(pprof_encode(&p, NULL, &first) == 0);
	assert(pprof_read(first.data, first.len, &again, &err) == 0);
	assert(pprof_encode(&again, NULL, &second) == 0);
	assert(again.samples.count <= p.samples.count);
	buffer_release(&first);
	buffer_release(&second);
	profile_release(&p);
	profile_release(&again);
	return 0;
}
