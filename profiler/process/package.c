// SPDX-License-Identifier: Apache-2.0
/*
 * A root is whoever's it is: links lead nowhere out of it, only regular files are read, and so many bytes of them.
 *
 * Refused: running dpkg, which reads the same files, and in a container would be the container's.
 */
#include "profiler/process/package.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/process/package_list.h"

#define FOLDER "var/lib/dpkg/info"
#define MAX_LISTS 65536u

static int open_below(int folder, const char *name, int flags, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)flags | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS | resolve,
	};
	int fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static void file_look(struct package_search *s, int folder, const char *name)
{
	_cleanup_(fd_close) int path_fd = -1, fd = -1;
	char path[64];
	struct statx st;

	if (!package_is_list(name))
		return;
	path_fd = open_below(folder, name, O_PATH,
			     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
	if (path_fd < 0 || statx(path_fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) < 0 ||
	    !S_ISREG(st.stx_mode))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0)
		package_search_list(s, name, fd);
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
static int folder_look(struct package_search *s, int folder)
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

int packages_find(uint32_t pid, const char *const *paths, uint32_t count, struct buffer *out)
{
	_cleanup_(fd_close) int folder = -1;
	struct package_search *s;
	int r = package_search_new(&s, paths, count);

	if (r < 0)
		return r;
	folder = folder_open(pid);
	r = folder < 0 ? folder : folder_look(s, folder);
	if (r == 0)
		r = package_search_answer(s, out);
	package_search_free(s);
	return r;
}
