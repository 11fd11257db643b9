// SPDX-License-Identifier: Apache-2.0
/*
 * Matchers from anybody: a query or a sentence, and an answer in bounded time.
 */
#include "profiler/query/matchers.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct profile_label labels[2] = { { 0 } };
	char text[MATCHERS_MAX_BYTES + 1];
	struct matchers *m = NULL;
	struct err err = { "" };
	struct profile p;
	int r;

	if (size > MATCHERS_MAX_BYTES)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (matchers_new(&m, text, &err) < 0) {
		assert(*err.text);
		return 0;
	}
	assert(profile_init(&p, 1 << 20, 1000) == 0);
	labels[0].key = (uint32_t)profile_string(&p, "comm", 4);
	labels[0].text = (uint32_t)profile_string(&p, "aaaaaaaaaaaaaaaaaaaaaaaaaaaab", 29);
	labels[1].key = (uint32_t)profile_string(&p, "pid", 3);
	labels[1].text = PROFILE_NONE;
	labels[1].number = 4711;
	assert(profile_series(&p, labels, 2) == 0);
	r = matchers_hold(m, &p, 0);
	assert(r == 0 || r == 1 || r == -ELOOP);
	matchers_free(m);
	profile_release(&p);
	return 0;
}
