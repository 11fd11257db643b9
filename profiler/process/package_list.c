// SPDX-License-Identifier: Apache-2.0
/*
 * All lists are read once, a piece at a time, and each line looked for among the paths asked: half a million lines
 * of a large machine in 0.2 s.
 *
 * Where /lib is a link to usr/lib, what is mapped is called /usr/lib/…, and some lists say /lib/…: both are
 * the same name here.
 *
 * Refused: to remember the lists for the next question, which comes from a person some minutes later.
 */
#include "profiler/process/package_list.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUFFIX ".list"
#define MAX_BYTES (256u << 20) /* of all lists; a desktop has 40 MiB */
#define PIECE_BYTES 65536u

/* A path that is asked about, and whose it is. */
struct wanted {
	const char *path; /* without "/usr" where that may be left out */
	uint32_t number; /* in the question */
	char package[PACKAGE_MAX_NAME]; /* "": not known yet */
};

struct package_search {
	struct wanted *wanted; /* by path */
	uint32_t count;
	uint64_t bytes_left;
	char piece[PIECE_BYTES];
};

/* ---- names ---- */

static const char *without_usr(const char *path)
{
	static const char *const merged[] = { "/usr/lib", "/usr/bin/", "/usr/sbin/" };

	for (size_t i = 0; i < sizeof(merged) / sizeof(merged[0]); i++)
		if (!strncmp(path, merged[i], strlen(merged[i])))
			return path + strlen("/usr");
	return path;
}

static int compare_wanted(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static int compare_numbers(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/* "libc6:amd64.list" → "libc6". */
static bool package_of_list(const char *name, char ret[PACKAGE_MAX_NAME])
{
	size_t len = strlen(name), suffix = strlen(SUFFIX), package;

	if (len <= suffix || strcmp(name + len - suffix, SUFFIX) != 0)
		return false;
	package = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789+-.");
	if (name[package] != ':')
		package = len - suffix;
	if (!package || package >= PACKAGE_MAX_NAME ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789+-.") < package)
		return false;
	memcpy(ret, name, package);
	ret[package] = '\0';
	return true;
}

/* ---- a list ---- */

/* `line` is NUL-terminated. */
static void line_look(struct package_search *s, const char *line, const char *package)
{
	const struct wanted key = { .path = without_usr(line) };
	struct wanted *w = bsearch(&key, s->wanted, s->count, sizeof(key), compare_wanted);

	if (!w)
		return;
	while (w > s->wanted && !strcmp(w[-1].path, key.path))
		w--;
	for (; w < s->wanted + s->count && !strcmp(w->path, key.path); w++)
		if (!*w->package)
			snprintf(w->package, sizeof(w->package), "%s", package);
}

/* Lines longer than a piece are nobody's path. */
static void list_look(struct package_search *s, int fd, const char *package)
{
	size_t held = 0;
	bool skipping = false;

	for (;;) {
		ssize_t n = read(fd, s->piece + held, sizeof(s->piece) - held);
		char *line = s->piece, *newline;

		if (n <= 0 || (uint64_t)n > s->bytes_left)
			return;
		s->bytes_left -= (uint64_t)n;
		held += (size_t)n;
		while ((newline = memchr(line, '\n', held - (size_t)(line - s->piece)))) {
			*newline = '\0';
			if (!skipping)
				line_look(s, line, package);
			skipping = false;
			line = newline + 1;
		}
		held -= (size_t)(line - s->piece);
		memmove(s->piece, line, held);
		if (held == sizeof(s->piece)) {
			skipping = true;
			held = 0;
		}
	}
}

/* ---- all of it ---- */

int package_search_new(struct package_search **ret, const char *const *paths, uint32_t count)
{
	struct package_search *s;

	if (count > PACKAGE_MAX_PATHS)
		return -E2BIG;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->wanted = calloc(count ? count : 1, sizeof(*s->wanted));
	if (!s->wanted) {
		free(s);
		return -ENOMEM;
	}
	s->count = count;
	s->bytes_left = MAX_BYTES;
	for (uint32_t i = 0; i < count; i++)
		s->wanted[i] = (struct wanted){ .path = without_usr(paths[i]), .number = i };
	qsort(s->wanted, count, sizeof(*s->wanted), compare_wanted);
	*ret = s;
	return 0;
}

void package_search_free(struct package_search *s)
{
	if (s)
		free(s->wanted);
	free(s);
}

bool package_is_list(const char *name)
{
	char package[PACKAGE_MAX_NAME];

	return package_of_list(name, package);
}

void package_search_list(struct package_search *s, const char *name, int fd)
{
	char package[PACKAGE_MAX_NAME];

	if (package_of_list(name, package))
		list_look(s, fd, package);
}

int package_search_answer(struct package_search *s, struct buffer *out)
{
	qsort(s->wanted, s->count, sizeof(*s->wanted), compare_numbers);
	for (uint32_t i = 0; i < s->count; i++)
		buffer_printf(out, "%s\n", s->wanted[i].package);
	return buffer_error(out);
}
