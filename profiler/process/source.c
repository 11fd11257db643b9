// SPDX-License-Identifier: Apache-2.0
/*
 * The live /proc. A binary is first looked for in map_files, which is the mapped file itself, whatever
 * became of its name; then by its name, in the process's root, in its parent's, in ours.
 *
 * Names belong to people we don't trust: links never lead out of a root, a name is first opened with
 * O_PATH, which runs no driver and waits for no pipe's other end, and is read only once it is known to
 * be the regular file that was asked for. Plain open() of /proc/PID/root/NAME was refused: an absolute
 * link in there would be followed in our own root.
 */
#include "profiler/process/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/number.h"

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
};

static int read_pids(struct buffer *out)
{
	DIR *proc = opendir("/proc");
	const struct dirent *e;

	if (!proc)
		return -errno;
	while ((e = readdir(proc)))
		if (e->d_name[strspn(e->d_name, "0123456789")] == '\0')
			buffer_printf(out, "%s\n", e->d_name);
	closedir(proc);
	return buffer_error(out);
}

static int live_read(void *ctx, enum process_text what, uint32_t pid, struct buffer *out)
{
	_cleanup_(fd_close) int fd = -1;
	char path[64];
	int r;

	(void)ctx;
	if (what == PROCESS_TEXT_PIDS)
		return read_pids(out);
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

/* Does stat() tell another device here than maps and MMAP2 do? */
static bool device_differs(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	return fs.f_type == OVERLAYFS_SUPER_MAGIC || fs.f_type == BTRFS_SUPER_MAGIC;
}

/* Is it the regular file that was asked for? `own`: it was found through the process itself. */
static int place_check(int fd, const struct file_place *place, bool own)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_ino != place->ino)
		return -ESTALE;
	if (major(st.st_dev) == place->major && minor(st.st_dev) == place->minor)
		return 0;
	return own && device_differs(fd) ? 0 : -ESTALE;
}

/* An inode number is used again soon after its file is gone; its generation then differs. */
static int generation_check(int fd, const struct file_place *place)
{
	/* File systems write an int; the call is defined with a long, and a FUSE server may write that. */
	uint32_t generation[sizeof(long) / sizeof(uint32_t)] = { 0 };

	if (!place->generation || ioctl(fd, FS_IOC_GETVERSION, generation) < 0 || !generation[0])
		return 0;
	return generation[0] == (uint32_t)place->generation ? 0 : -ESTALE;
}

/* From an O_PATH descriptor to one that reads. */
static int open_checked(int path_fd, const struct file_place *place, bool own, int *ret_fd)
{
	_cleanup_(fd_close) int fd = -1;
	char path[64];
	int r = place_check(path_fd, place, own);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	r = generation_check(fd, place);
	if (r < 0)
		return r;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* Needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN. */
static int open_mapped(const struct file_place *place, int *ret_fd)
{
	_cleanup_(fd_close) int fd = -1;
	char path[96];

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/map_files/%" PRIx64 "-%" PRIx64, place->pid,
		 place->start, place->end);
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : open_checked(fd, place, true, ret_fd);
}

static int open_in_root(const char *root, const struct file_place *place, bool own, int *ret_fd)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	_cleanup_(fd_close) int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(fd_close) int fd = -1;

	if (root_fd < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, root_fd, place->path, &how, sizeof(how));
	return fd < 0 ? -errno : open_checked(fd, place, own, ret_fd);
}

static int open_in_process(uint32_t pid, const struct file_place *place, bool own, int *ret_fd)
{
	char root[64];

	if (!pid)
		return -ENOENT;
	snprintf(root, sizeof(root), "/proc/%" PRIu32 "/root", pid);
	return open_in_root(root, place, own, ret_fd);
}

/* Of two errors the one that says more than "it isn't there". */
static int telling(int first, int second)
{
	return first == -ENOENT || first == -ESRCH ? second : first;
}

static int live_open(void *ctx, const struct file_place *place, int *ret_fd)
{
	int r, error;

	(void)ctx;
	if (open_mapped(place, ret_fd) == 0)
		return 0;
	error = open_in_process(place->pid, place, true, ret_fd);
	if (error == 0)
		return 0;
	r = open_in_process(place->parent_pid, place, false, ret_fd);
	if (r == 0)
		return 0;
	error = telling(error, r);
	r = open_in_root("/", place, false, ret_fd);
	return r == 0 ? 0 : telling(error, r);
}

const struct process_source process_source_live = { .read = live_read, .open = live_open };
