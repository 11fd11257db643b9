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
#define FIELD_PARENT 4
#define FIELD_START 22

/* A field behind the name, which must be a number, and have another field behind it. */
static int field_parse(const char *text, size_t len, int wanted, uint64_t max, uint64_t *ret_value)
{
	const char *at = len ? memrchr(text, ')', len) : NULL;
	const char *end = at ? text + len : NULL;
	const char *space;

	if (!at || end - at < 2 || at[1] != ' ')
		return -EINVAL;
	at += 2;
	for (int field = FIELD_AFTER_NAME; field < wanted; field++) {
		at = memchr(at, ' ', (size_t)(end - at));
		if (!at)
			return -EINVAL;
		at++;
	}
	/* Without the space behind it the number may have been cut off. */
	space = memchr(at, ' ', (size_t)(end - at));
	if (!space)
		return -EINVAL;
	return number_parse(at, (size_t)(space - at), max, ret_value) < 0 ? -EINVAL : 0;
}

int stat_parent_parse(const char *text, size_t len, uint32_t *ret_pid)
{
	uint64_t pid;
	int r = field_parse(text, len, FIELD_PARENT, UINT32_MAX, &pid);

	if (r < 0)
		return r;
	*ret_pid = (uint32_t)pid;
	return 0;
}

int stat_start_parse(const char *text, size_t len, uint64_t *ret_ticks)
{
	return field_parse(text, len, FIELD_START, UINT64_MAX, ret_ticks);
}

bool stat_start_agrees(uint64_t ticks, uint64_t start_ns)
{
	uint64_t expected = start_ns / TICK_NS;

	return ticks >= expected ? ticks - expected <= 1 : expected - ticks <= 1;
}
