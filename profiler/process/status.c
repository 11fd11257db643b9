// SPDX-License-Identifier: Apache-2.0
/*
 * A table of lines. Lines that aren't in it are passed over; the kernel adds some with each release.
 */
#include "profiler/process/status.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "profiler/base/number.h"

enum field {
	FIELD_NAME,
	FIELD_STATE,
	FIELD_TGID,
	FIELD_PPID,
	FIELD_TRACER,
	FIELD_UID, /* real, effective, saved, of files */
	FIELD_NS_PID, /* in our namespace, then inwards */
	FIELD_COUNT
};

#define NEEDED ((1u << FIELD_UID) - 1)

static const char *const keys[FIELD_COUNT] = { "Name:\t",      "State:\t", "Tgid:\t", "PPid:\t",
					       "TracerPid:\t", "Uid:\t",   "NSpid:\t" };

static bool take_number(const char *value, size_t len, uint32_t *ret)
{
	uint64_t number;

	if (number_parse(value, len, UINT32_MAX, &number) < 0)
		return false;
	*ret = (uint32_t)number;
	return true;
}

/* Of numbers with tabs between them. */
static bool take_last_number(const char *value, size_t len, uint32_t *ret)
{
	const char *tab = memrchr(value, '\t', len);
	size_t skip = tab ? (size_t)(tab - value) + 1 : 0;

	return take_number(value + skip, len - skip, ret);
}

static bool take(struct process_status *s, enum field f, const char *value, size_t len)
{
	switch (f) {
	case FIELD_NAME:
		if (len > STATUS_MAX_COMM)
			len = STATUS_MAX_COMM;
		memcpy(s->comm, value, len);
		s->comm[len] = '\0';
		return true;
	case FIELD_STATE:
		s->state = len ? *value : '\0';
		return isalpha((unsigned char)s->state);
	case FIELD_TGID:
		return take_number(value, len, &s->tgid);
	case FIELD_PPID:
		return take_number(value, len, &s->ppid);
	case FIELD_TRACER:
		return take_number(value, len, &s->tracer_pid);
	case FIELD_UID:
		return take_last_number(value, len, &s->fs_uid);
	default:
		return take_last_number(value, len, &s->own_pid);
	}
}

int process_status_parse(const char *text, size_t len, struct process_status *ret)
{
	struct process_status s = { .comm = "", .fs_uid = UINT32_MAX };
	uint32_t seen = 0;

	while (len) {
		const char *newline = memchr(text, '\n', len);
		size_t line = newline ? (size_t)(newline - text) : len;

		for (int f = 0; f < FIELD_COUNT; f++) {
			size_t key = strlen(keys[f]);

			if (seen >> f & 1 || line < key || memcmp(text, keys[f], key) != 0)
				continue;
			if (!take(&s, (enum field)f, text + key, line - key))
				return -EINVAL;
			seen |= 1u << f;
		}
		line += newline != NULL;
		text += line;
		len -= line;
	}
	if ((seen & NEEDED) != NEEDED)
		return -EINVAL;
	if (!(seen >> FIELD_NS_PID & 1))
		s.own_pid = s.tgid;
	*ret = s;
	return 0;
}
