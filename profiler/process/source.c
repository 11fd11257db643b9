// SPDX-License-Identifier: Apache-2.0
/*
 * The live /proc, and the cgroup hierarchies. In a running slowburn this is called in a process of its own
 * (opener/), which has the capabilities for it. Directories of cgroups are opened below their mount and
 * never across another: a name that comes from /proc/PID/cgroup is not looked for anywhere else.
 */
#include "profiler/process/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/number.h"
#include "profiler/process/binary.h"
#include "profiler/process/perfmap.h"

bool process_pids_next(const struct buffer *text, size_t *at, uint32_t *ret_pid)
{
	while (*at < text->len) {
		const char *line = text->data + *at;
		const char *newline = memchr(line, '\n', text->len - *at);
		size_t len = newline ? (size_t)(newline - line) : text->len - *at;
		uint64_t pid;

		*at += len + 1;
		if (number_parse(line, len, UINT32_MAX, &pid) < 0)
			continue;
		*ret_pid = (uint32_t)pid;
		return true;
	}
	return false;
}

static const char *const text_name[PROCESS_TEXT_COUNT] = {
	[PROCESS_TEXT_MAPS] = "maps",
	[PROCESS_TEXT_STAT] = "stat",
	[PROCESS_TEXT_CGROUP] = "cgroup",
	[PROCESS_TEXT_STATUS] = "status",
};

/* The numeric names in a folder, a line each. */
static int read_numbers(const char *path, struct buffer *out)
{
	DIR *folder = opendir(path);
	const struct dirent *e;

	if (!folder)
		return -errno;
	while ((e = readdir(folder)))
		if (e->d_name[strspn(e->d_name, "0123456789")] == '\0')
			buffer_printf(out, "%s\n", e->d_name);
	closedir(folder);
	return buffer_error(out);
}

/* "mnt:[4026531841] MOUNT MAJOR:MINOR INODE": the namespace, and the directory that is its root. */
static int read_root(uint32_t pid, struct buffer *out)
{
	char path[64], namespace[64];
	struct statx st;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/ns/mnt", pid);
	n = readlink(path, namespace, sizeof(namespace));
	if (n < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/root", pid);
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO | STATX_MNT_ID, &st) < 0)
		return -errno;
	buffer_printf(out, "%.*s %" PRIu64 " %" PRIu32 ":%" PRIu32 " %" PRIu64 "\n", (int)n,
		      namespace, (uint64_t)st.stx_mnt_id, st.stx_dev_major, st.stx_dev_minor,
		      (uint64_t)st.stx_ino);
	return buffer_error(out);
}

static int live_read(void *ctx, enum process_text what, uint32_t pid, struct buffer *out)
{
	_cleanup_(fd_close) int fd = -1;
	char path[64];
	int r;

	(void)ctx;
	if (what == PROCESS_TEXT_PIDS)
		return read_numbers("/proc", out);
	if (what == PROCESS_TEXT_ROOT)
		return read_root(pid, out);
	if (what == PROCESS_TEXT_THREADS) {
		snprintf(path, sizeof(path), "/proc/%" PRIu32 "/task", pid);
		return read_numbers(path, out);
	}
	if (what >= PROCESS_TEXT_COUNT)
		return -EINVAL;
	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/%s", pid, text_name[what]);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	r = buffer_read_fd(out, fd);
	/* What there was room for is better than nothing. Its last line tells that it was cut. */
	return r == -E2BIG ? 0 : r;
}

static int live_open(void *ctx, const struct file_place *place, int *ret_fd)
{
	(void)ctx;
	return binary_open(place, ret_fd);
}

static int live_fetch(void *ctx, const struct file_place *place, int *ret_fd)
{
	(void)ctx;
	return binary_copy(place, ret_fd);
}

static int live_perfmap(void *ctx, uint32_t pid, uint64_t start_ns, int *ret_fd)
{
	(void)ctx;
	return perfmap_open(pid, start_ns, ret_fd);
}

/* ---- cgroups ---- */

/* An O_PATH descriptor of the directory `path` of the hierarchy mounted at `mount`. */
static int cgroup_open(const char *mount, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	_cleanup_(fd_close) int top = open(mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;
	int fd;

	if (top < 0 || fstatfs(top, &fs) < 0)
		return -errno;
	if (fs.f_type != CGROUP_SUPER_MAGIC && fs.f_type != CGROUP2_SUPER_MAGIC)
		return -EXDEV;
	path += strspn(path, "/");
	fd = (int)syscall(SYS_openat2, top, *path ? path : ".", &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

static int live_cgroup(void *ctx, const char *mount, const char *path, struct buffer *out)
{
	_cleanup_(fd_close) int fd = cgroup_open(mount, path);
	const struct dirent *e;
	char again[64];
	struct statx st;
	DIR *d;

	(void)ctx;
	if (fd < 0)
		return fd;
	/* Not fdopendir(), which changes the descriptor's flags: a call more to be allowed. */
	snprintf(again, sizeof(again), "/proc/self/fd/%d", fd);
	d = statx(fd, "", AT_EMPTY_PATH, STATX_INO, &st) < 0 ? NULL : opendir(again);
	if (!d)
		return -errno;
	buffer_printf(out, "%" PRIu64 " .\n", (uint64_t)st.stx_ino);
	while (!buffer_error(out) && (e = readdir(d)))
		if (e->d_type == DT_DIR && strcmp(e->d_name, ".") && strcmp(e->d_name, "..") &&
		    !strchr(e->d_name, '\n'))
			buffer_printf(out, "%" PRIu64 " %s\n", (uint64_t)e->d_ino, e->d_name);
	closedir(d);
	return buffer_error(out);
}

const struct process_source process_source_live = {
	.read = live_read,
	.open = live_open,
	.fetch = live_fetch,
	.perfmap = live_perfmap,
	.cgroup = live_cgroup,
};
