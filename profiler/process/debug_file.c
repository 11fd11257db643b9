// SPDX-License-Identifier: Apache-2.0
/*
 * Names are made here, of parts, and are the same few for every binary: who asks can have nothing opened that is
 * not beside a binary or below /usr/lib/debug. An alternate file's path comes from a file; it counts from
 * /usr/lib/debug on, and what is relative is taken for relative to there, which is where all packages have it.
 *
 * Links are followed, as some systems have nothing else in .build-id, but never out of the root they are in.
 * Refused: RESOLVE_CACHED, as for binaries (binary.c). These are names that nobody has looked at lately, and so
 * it would find none; it takes somebody who may wait instead.
 */
#include "profiler/process/debug_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/process/binary.h"
#include "profiler/process/copy.h"
#include "profiler/process/filesystem.h"

#define FOLDER "/usr/lib/debug"
#define MAX_PATH_BYTES 4096

/* ---- names ---- */

/* Has it a part ".."? */
static bool goes_up(const char *path)
{
	for (const char *part = path; part; part = strchr(part, '/')) {
		part += *part == '/';
		if (!strncmp(part, "..", 2) && (part[2] == '/' || part[2] == '\0'))
			return true;
	}
	return false;
}

/* The part of an alternate file's path that is below FOLDER; NULL if it isn't there. */
static const char *alternate_below(const char *path)
{
	size_t len = strlen(FOLDER "/");

	if (!strncmp(path, FOLDER "/", len))
		path += len;
	else
		while (!strncmp(path, "../", 3))
			path += 3;
	return *path && *path != '/' && !goes_up(path) ? path : NULL;
}

bool debug_place_is_sound(const struct debug_place *p)
{
	if (*p->path != '/' || p->build_id_bytes > DEBUG_FILE_MAX_ID_BYTES)
		return false;
	if (!*p->name || p->alternate)
		return strlen(p->name) < DEBUG_FILE_MAX_NAME_BYTES;
	return !strchr(p->name, '/') && strcmp(p->name, ".") != 0 && strcmp(p->name, "..") != 0;
}

static int build_id_name(const struct debug_place *p, char *ret, uint32_t size)
{
	static const char digits[] = "0123456789abcdef";
	char id[2 * DEBUG_FILE_MAX_ID_BYTES + 1];

	if (p->build_id_bytes < 2 || p->build_id_bytes > DEBUG_FILE_MAX_ID_BYTES)
		return -1;
	for (uint32_t i = 0; i < p->build_id_bytes; i++) {
		id[2 * i] = digits[p->build_id[i] >> 4];
		id[2 * i + 1] = digits[p->build_id[i] & 15];
	}
	id[2 * p->build_id_bytes] = '\0';
	return snprintf(ret, size, FOLDER "/.build-id/%.2s/%s.debug", id, id + 2);
}

bool debug_place_name(const struct debug_place *p, uint32_t number, char *ret, uint32_t size)
{
	const char *slash = strrchr(p->path, '/');
	int folder = slash ? (int)(slash - p->path) : 0, len = -1;
	const char *below = p->alternate ? alternate_below(p->name) : NULL;

	if (number == 0)
		len = build_id_name(p, ret, size);
	else if (number == 1 && below)
		len = snprintf(ret, size, FOLDER "/%s", below);
	else if (!p->alternate && *p->name && number == 1)
		len = snprintf(ret, size, "%.*s/%s", folder, p->path, p->name);
	else if (!p->alternate && *p->name && number == 2)
		len = snprintf(ret, size, "%.*s/.debug/%s", folder, p->path, p->name);
	else if (!p->alternate && *p->name && number == 3)
		len = snprintf(ret, size, FOLDER "%.*s/%s", folder, p->path, p->name);
	return len > 0 && (uint32_t)len < size;
}

/* ---- roots ---- */

/* The root of process `pid`, of ours if 0. */
static int root_open(uint32_t pid)
{
	char path[64] = "/";
	int fd;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%" PRIu32 "/root", pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Do both see the same files under the same names? Where it can't be told, they are looked at twice. */
static bool is_same_root(int a, int b)
{
	struct statx x, y;

	return statx(a, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &x) == 0 &&
	       statx(b, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &y) == 0 &&
	       x.stx_mask & y.stx_mask & STATX_MNT_ID && x.stx_mnt_id == y.stx_mnt_id &&
	       x.stx_ino == y.stx_ino;
}

/* ---- opening ---- */

/* A descriptor to read the regular file that `path_fd` is, whose mount process `pid` sees. */
static int open_regular(uint32_t pid, int path_fd, int *ret_fd, uint32_t *ret_uid)
{
	_cleanup_(fd_close) int fd = -1;
	struct filesystem f = { .slow = true, .doubtful = true };
	char path[64];
	struct statx st;

	if (statx(path_fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_UID | STATX_MNT_ID, &st) < 0)
		return -errno;
	if (!S_ISREG(st.stx_mode))
		return -EINVAL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (st.stx_mask & STATX_MNT_ID)
		filesystem_of_mount(pid, st.stx_mnt_id, &f);
	*ret_uid = f.doubtful ? DEBUG_FILE_NOBODY : st.stx_uid;
	if (f.slow)
		return copy_seal(fd, ret_fd);
	*ret_fd = take_fd(&fd);
	return 0;
}

/* Of two errors the one that says more than "it isn't there". */
static int telling(int first, int second)
{
	return first == -ENOENT || first == -ENOTDIR ? second : first;
}

/* In one root, names from number `first` on: the number, or negative errno. */
static int open_in_root(const struct debug_place *p, uint32_t pid, int root, uint32_t first,
			int *ret_fd, uint32_t *ret_uid)
{
	int error = -ENOENT;

	for (uint32_t i = first; i < DEBUG_FILE_NAMES; i++) {
		_cleanup_(fd_close) int fd = -1;
		char name[MAX_PATH_BYTES];
		int r = -ENOENT;

		if (debug_place_name(p, i, name, sizeof(name)))
			r = fd = binary_look_up(root, name, 0);
		if (fd >= 0)
			r = open_regular(pid, fd, ret_fd, ret_uid);
		if (r >= 0)
			return (int)i;
		error = telling(error, r);
	}
	return error;
}

int debug_file_open(const struct debug_place *p, uint32_t first, int *ret_fd, uint32_t *ret_uid)
{
	_cleanup_(fd_close) int theirs = -1, ours = -1;
	uint32_t pid = p->pid;
	int r = -ENOENT, again;

	theirs = pid ? root_open(pid) : -ESRCH;
	if (theirs < 0) {
		pid = p->parent_pid;
		theirs = pid ? root_open(pid) : -ESRCH;
	}
	if (theirs >= 0 && first < DEBUG_FILE_NAMES)
		r = open_in_root(p, pid, theirs, first, ret_fd, ret_uid);
	ours = r >= 0 ? -1 : root_open(0);
	if (r >= 0 || ours < 0 || (theirs >= 0 && is_same_root(theirs, ours)))
		return r;
	first = first > DEBUG_FILE_NAMES ? first - DEBUG_FILE_NAMES : 0;
	again = open_in_root(p, 0, ours, first, ret_fd, ret_uid);
	return again >= 0 ? again + (int)DEBUG_FILE_NAMES : telling(r, again);
}
