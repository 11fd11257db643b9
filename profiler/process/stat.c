// SPDX-License-Identifier: Apache-2.0
/*
 * Counts fields from the last ')', the only safe place to begin. A tick is 10 ms wherever Linux runs
 * that we know: it is USER_HZ, not the kernel's HZ; so a recording needs no note of it.
 */
#include "profiler/process/stat.h"

#include <errno.h>
#include <string.h>

#include "profiler/base/number.h"

#define TICK_NS 10000000ULL
#define FIELD_AFTER_NAME 3
#define FIELD_START 22

int stat_start_parse(const char *text, size_t len, uint64_t *ret_ticks)
{
	const char *at = len ? memrchr(text, ')', len) : NULL;
	const char *end = at ? text + len : NULL;
	size_t field_len;

	if (!at || end - at < 2 || at[1] != ' ')
		return -EINVAL;
	at += 2;
	for (int field = FIELD_AFTER_NAME; field < FIELD_START; field++) {
		at = memchr(at, ' ', (size_t)(end - at));
		if (!at)
			return -EINVAL;
		at++;
	}
	field_len = (size_t)(end - at);
	for (size_t i = 0; i < field_len; i++)
		if (at[i] == ' ')
			field_len = i;
	/* Without the space behind it the number may have been cut off. */
	if (at + field_len == end)
		return -EINVAL;
	return number_parse(at, field_len, UINT64_MAX, ret_ticks) < 0 ? -EINVAL : 0;
}

bool stat_start_agrees(uint64_t ticks, uint64_t start_ns)
{
	uint64_t expected = start_ns / TICK_NS;

	return ticks >= expected ? ticks - expected <= 1 : expected - ticks <= 1;
}
