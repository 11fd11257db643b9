// SPDX-License-Identifier: Apache-2.0
/*
 * All lists are read once, a piece at a time, and each line looked for among the paths asked: half a million lines
 * of a large machine in 0.2 s. A root is whoever's it is: links lead nowhere out of it, only regular files are read,
 * and so many bytes of them.
 *
 * Where /lib is a link to usr/lib, what is mapped is called /usr/lib/…, and some lists say /lib/…: both are
 * the same name here.
 *
 * Refused: running dpkg, which reads the same files, and in a container would be the container's.
 */
#include "profiler/process/package.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"

#define FOLDER "var/lib/dpkg/info"
#define SUFFIX ".list"
#define MAX_LISTS 65536u
#define MAX_BYTES (256u << 20) /* of all lists; a desktop has 40 MiB */
#define PIECE_BYTES 65536u

/* A path that is asked about, and whose it is. */
struct wanted {
	const char *path; /* without "/usr" where that may be left out */
	uint32_t number; /* in the question */
	char package[PACKAGE_MAX_NAME]; /* "": not known yet */
};

struct search {
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
static void line_look(struct search *s, const char *line, const char *package)
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
static void list_look(struct search *s, int fd, const char *package)
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

static int open_below(int folder, const char *name, int flags, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)flags | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS | resolve,
	};
	int fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static void file_look(struct search *s, int folder, const char *name)
{
	_cleanup_(fd_close) int path_fd = -1, fd = -1;
	char package[PACKAGE_MAX_NAME], path[64];
	struct statx st;

	if (!package_of_list(name, package))
		return;
	path_fd = open_below(folder, name, O_PATH,
			     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
	if (path_fd < 0 || statx(path_fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) < 0 ||
	    !S_ISREG(st.stx_mode))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0)
		list_look(s, fd, package);
}

/* ---- all of them ---- */

static int folder_open(uint32_t pid)
{
	_cleanup_(fd_close) int root = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/root", pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? -errno
			: open_below(root, FOLDER, O_RDONLY | O_DIRECTORY, RESOLVE_IN_ROOT);
}

/* Not readdir(), whose opendir() takes two more calls. */
static int folder_look(struct search *s, int folder)
{
	_Alignas(struct dirent64) char entries[16384];
	uint32_t lists = 0;

	for (;;) {
		ssize_t n = getdents64(folder, entries, sizeof(entries));
		const struct dirent64 *e;

		if (n <= 0)
			return n < 0 ? -errno : 0;
		for (ssize_t at = 0; at < n; at += e->d_reclen) {
			e = (const struct dirent64 *)(entries + at);
			if (lists++ < MAX_LISTS)
				file_look(s, folder, e->d_name);
		}
	}
}

static int search_run(struct search *s, uint32_t pid, struct buffer *out)
{
	_cleanup_(fd_close) int folder = folder_open(pid);
	int r = folder < 0 ? folder : folder_look(s, folder);

	if (r < 0)
		return r;
	qsort(s->wanted, s->count, sizeof(*s->wanted), compare_numbers);
	for (uint32_t i = 0; i < s->count; i++)
		buffer_printf(out, "%s\n", s->wanted[i].package);
	return buffer_error(out);
}

int packages_find(uint32_t pid, const char *const *paths, uint32_t count, struct buffer *out)
{
	struct search *s = calloc(1, sizeof(*s));
	int r = -ENOMEM;

	if (count > PACKAGE_MAX_PATHS) {
		free(s);
		return -E2BIG;
	}
	if (s)
		s->wanted = calloc(count ? count : 1, sizeof(*s->wanted));
	if (s && s->wanted) {
		s->count = count;
		s->bytes_left = MAX_BYTES;
		for (uint32_t i = 0; i < count; i++)
			s->wanted[i] =
				(struct wanted){ .path = without_usr(paths[i]), .number = i };
		qsort(s->wanted, count, sizeof(*s->wanted), compare_wanted);
		r = search_run(s, pid, out);
	}
	if (s)
		free(s->wanted);
	free(s);
	return r;
}
