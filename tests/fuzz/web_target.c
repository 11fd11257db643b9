// SPDX-License-Identifier: Apache-2.0
/*
 * The first line of anybody's request: refused with a sentence, or understood; and what is understood means the same when it is written again.
 */
#include "web/target.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_same(const struct target *a, const struct target *b)
{
	assert(!strcmp(a->path, b->path));
	assert(a->count == b->count);
	for (uint32_t i = 0; i < a->count; i++) {
		assert(!strcmp(a->parameters[i].name, b->parameters[i].name));
		assert(!strcmp(a->parameters[i].value, b->parameters[i].value));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(buffer_release) struct buffer out = BUFFER_INIT(4 * TARGET_MAX_BYTES);
	char *raw = malloc(size + 1);
	struct target t, again;
	struct err err = { "" };

	assert(raw);
	memcpy(raw, data, size);
	raw[size] = '\0';
	if (target_parse(&t, raw, &err) < 0) {
		assert(*err.text);
	} else {
		target_remove(&t, "token");
		target_write(&t, &out);
		assert(buffer_error(&out) == 0);
		assert(out.data[0] == '/' && out.data[1] != '/');
		if (out.len <= TARGET_MAX_BYTES) {
			assert(target_parse(&again, buffer_cstr(&out), NULL) == 0);
			expect_same(&t, &again);
			target_release(&again);
		}
	}
	target_release(&t);
	free(raw);
	return 0;
}
