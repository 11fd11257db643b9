// SPDX-License-Identifier: Apache-2.0
/*
 * Names from outside. Whatever goes in, what comes out is clean, has no byte that moves a cursor, and
 * fits where it was fitted; what was clean comes out as it was.
 */
#include "profiler/base/text.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#define MAX_INPUT_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fit(const char *s, size_t len, size_t columns)
{
	size_t width = text_width(s, len);

	for (int pad = 0; pad < 2; pad++) {
		struct buffer out = BUFFER_INIT(5UL * MAX_INPUT_BYTES);
		size_t want = width > columns || pad ? columns : width, got;

		text_fit(&out, s, len, columns, pad);
		assert(!buffer_error(&out));
		got = text_width(out.data, out.len);
		assert(got == want);
		assert(text_is_clean(out.data, out.len));
		if (width <= columns)
			assert(!memcmp(out.data, s, len));
		buffer_release(&out);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer once = BUFFER_INIT(4UL * MAX_INPUT_BYTES), twice = once;
	const char *s = (const char *)data;
	bool clean;

	if (size > MAX_INPUT_BYTES)
		return 0;
	clean = text_is_clean(s, size);
	text_escape(&once, s, size);
	assert(!buffer_error(&once) && buffer_cstr(&once));
	assert(text_is_clean(once.data, once.len));
	assert(clean == (once.len == size && !memcmp(once.data, s, size)));
	for (size_t i = 0; i < once.len; i++)
		assert((unsigned char)once.data[i] >= 0x20 && once.data[i] != 0x7f);

	text_escape(&twice, once.data, once.len);
	assert(twice.len == once.len);
	assert(text_width(once.data, once.len) <= once.len);
	check_fit(once.data, once.len, size ? data[0] % 80 : 0);
	buffer_release(&once);
	buffer_release(&twice);
	return 0;
}
