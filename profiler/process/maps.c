// SPDX-License-Identifier: Apache-2.0
/*
 * Fields are cut at their separators and read by strict parsers; the line is never copied. A line
 * without its newline was cut off somewhere: its path could name another file, so it is refused.
 * sscanf() would be shorter, and would take "1 2" for a range, wrap large numbers, and stop at NUL.
 *
 *	7f0c1a26f000-7f0c1a3c5000 r-xp 00026000 fe:00 332835         /usr/lib/libc.so.6 (deleted)
 */
#include "profiler/process/maps.h"

#include <errno.h>
#include <string.h>

#include "profiler/base/number.h"

#define NEWLINE "\\012"
#define DELETED " (deleted)"

struct cursor {
	const char *at, *end;
};

/* What stands before `stop`, which is passed over; false if it isn't there. */
static bool take_until(struct cursor *c, char stop, const char **ret_field, size_t *ret_len)
{
	const char *found = memchr(c->at, stop, (size_t)(c->end - c->at));

	if (!found)
		return false;
	*ret_field = c->at;
	*ret_len = (size_t)(found - c->at);
	c->at = found + 1;
	return true;
}

static bool take_hex(struct cursor *c, char stop, uint64_t max, uint64_t *ret_value)
{
	const char *field;
	size_t len;

	return take_until(c, stop, &field, &len) && number_parse_hex(field, len, ret_value) == 0 &&
	       *ret_value <= max;
}

static bool take_permissions(struct cursor *c, bool *ret_executable)
{
	const char *f;
	size_t len;

	if (!take_until(c, ' ', &f, &len) || len != 4)
		return false;
	if ((f[0] != 'r' && f[0] != '-') || (f[1] != 'w' && f[1] != '-') ||
	    (f[2] != 'x' && f[2] != '-') || (f[3] != 'p' && f[3] != 's'))
		return false;
	*ret_executable = f[2] == 'x';
	return true;
}

/* The inode number ends at a space or at the end of the line. */
static bool take_inode(struct cursor *c, uint64_t *ret_ino)
{
	const char *space = memchr(c->at, ' ', (size_t)(c->end - c->at));
	size_t len = (size_t)((space ? space : c->end) - c->at);

	if (number_parse(c->at, len, UINT64_MAX, ret_ino) < 0)
		return false;
	c->at += len;
	while (c->at < c->end && *c->at == ' ')
		c->at++;
	return true;
}

/* Copies the path with its newlines; false if it is too long. */
static bool path_decode(const char *s, size_t len, char path[MAPS_MAX_PATH + 1])
{
	const size_t escape = strlen(NEWLINE);
	size_t n = 0;

	for (size_t i = 0; i < len; n++) {
		bool newline = len - i >= escape && !memcmp(s + i, NEWLINE, escape);

		if (n == MAPS_MAX_PATH)
			return false;
		path[n] = newline ? '\n' : s[i];
		i += newline ? escape : 1;
	}
	path[n] = '\0';
	return true;
}

bool maps_path_cut_deleted(char *path)
{
	size_t len = strlen(path), tail = strlen(DELETED);

	if (path[0] != '/' || len <= tail || memcmp(path + len - tail, DELETED, tail) != 0)
		return false;
	path[len - tail] = '\0';
	return true;
}

int maps_line_parse(const char *text, size_t len, struct maps_line *ret, size_t *ret_used)
{
	const char *newline;
	struct cursor c;
	uint64_t start, end, offset, major, minor, ino;
	bool executable;

	if (!len)
		return -ENOENT;
	newline = memchr(text, '\n', len);
	c = (struct cursor){ text, newline };
	*ret_used = newline ? (size_t)(newline - text) + 1 : len;
	if (!newline || memchr(text, '\0', *ret_used))
		return -EINVAL;
	if (!take_hex(&c, '-', UINT64_MAX, &start) || !take_hex(&c, ' ', UINT64_MAX, &end) ||
	    !take_permissions(&c, &executable) || !take_hex(&c, ' ', UINT64_MAX, &offset) ||
	    !take_hex(&c, ':', UINT32_MAX, &major) || !take_hex(&c, ' ', UINT32_MAX, &minor) ||
	    !take_inode(&c, &ino) || start >= end)
		return -EINVAL;
	if (!path_decode(c.at, (size_t)(c.end - c.at), ret->path))
		return -EINVAL;
	ret->start = start;
	ret->end = end;
	ret->offset = offset;
	ret->ino = ino;
	ret->major = (uint32_t)major;
	ret->minor = (uint32_t)minor;
	ret->executable = executable;
	ret->deleted = maps_path_cut_deleted(ret->path);
	return 0;
}
