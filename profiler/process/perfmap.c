// SPDX-License-Identifier: Apache-2.0
/*
 * Anybody may put a file of any name into /tmp. So it has to be the process's user's, or root's: what a
 * user says of their own processes harms nobody else. No link is followed, and the file has no second
 * name: else a user's "perf map" could be a file of root's. It is opened without reading anything
 * first (O_PATH), and its name is looked up among those that the kernel has in memory, as with
 * binaries (binary.c): whoever writes a map has put it there.
 *
 * Nor is it whoever's had this pid before, and left it behind (in a container, where everybody is 1): what was last
 * written before the process started is not its own. Names of another program's code would each be wrong.
 *
 * The process is looked at last: if it is the one that was meant, then so was its root.
 */
#include "profiler/process/perfmap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/process/filesystem.h"
#include "profiler/process/stat.h"
#include "profiler/process/status.h"

/* Of /proc/PID/status and stat. */
#define MAX_TEXT_BYTES 8192
/* Somebody renamed or mounted just then: so often it is tried again. */
#define CACHED_ATTEMPTS 3
/* Starts are rounded, and files' times are those of the last tick. */
#define START_SLACK_S 1

static int text_read(uint32_t pid, const char *name, struct buffer *out)
{
	_cleanup_(fd_close) int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	buffer_clear(out);
	return buffer_read_fd(out, fd);
}

static int status_read(uint32_t pid, struct process_status *ret)
{
	struct buffer text = BUFFER_INIT(MAX_TEXT_BYTES);
	int r = text_read(pid, "status", &text);

	if (r == 0)
		r = process_status_parse(text.data, text.len, ret);
	buffer_release(&text);
	return r;
}

static int start_check(uint32_t pid, uint64_t start_ns)
{
	struct buffer text = BUFFER_INIT(MAX_TEXT_BYTES);
	int r = text_read(pid, "stat", &text);
	uint64_t ticks;

	if (r == 0)
		r = stat_start_parse(text.data, text.len, &ticks);
	if (r == 0 && !stat_start_agrees(ticks, start_ns))
		r = -ESRCH;
	buffer_release(&text);
	return r;
}

/* An O_PATH descriptor; what is not in memory is not there. */
static int look_up(int folder, const char *name, uint64_t resolve)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS | RESOLVE_CACHED | resolve,
	};
	int fd = -1;

	for (int i = 0; i < CACHED_ATTEMPTS && fd < 0; i++) {
		fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof(how));
		if (fd < 0 && errno == EINVAL)
			return -ENOENT; /* there is no RESOLVE_CACHED before 5.12 */
		if (fd < 0 && errno != EAGAIN)
			return -errno;
	}
	return fd < 0 ? -ENOENT : fd;
}

static int folder_open(uint32_t pid)
{
	_cleanup_(fd_close) int root = -1, fd = -1;
	struct filesystem f;
	struct statx st;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/root", pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	fd = look_up(root, "tmp", RESOLVE_IN_ROOT);
	if (fd < 0)
		return fd;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MNT_ID, &st) < 0)
		return -errno;
	if (!(st.stx_mask & STATX_MNT_ID) || filesystem_of_mount(pid, st.stx_mnt_id, &f) < 0 ||
	    f.slow)
		return -EREMOTE;
	return S_ISDIR(st.stx_mode) ? take_fd(&fd) : -ENOTDIR;
}

/* CLOCK_BOOTTIME as CLOCK_REALTIME has it by now. */
static uint64_t real_time(uint64_t boot_ns)
{
	uint64_t since_ns = clock_ns(CLOCK_BOOTTIME) - boot_ns, now_ns = clock_ns(CLOCK_REALTIME);

	return now_ns > since_ns ? now_ns - since_ns : 0;
}

static int file_check(int fd, uint32_t uid, uint64_t start_ns)
{
	struct statx st;
	int64_t written_s;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		  STATX_TYPE | STATX_UID | STATX_NLINK | STATX_MTIME, &st) < 0)
		return -errno;
	if (!S_ISREG(st.stx_mode))
		return -EINVAL;
	if ((st.stx_uid != uid && st.stx_uid != 0) || st.stx_nlink != 1)
		return -EPERM;
	written_s = st.stx_mtime.tv_sec;
	return written_s + START_SLACK_S < (int64_t)(real_time(start_ns) / NS_PER_S) ? -ESTALE : 0;
}

int perfmap_open(uint32_t pid, uint64_t start_ns, int *ret_fd)
{
	_cleanup_(fd_close) int folder = -1, path_fd = -1, fd = -1;
	struct process_status status = { 0 };
	char name[64];
	int r = status_read(pid, &status);

	if (r < 0)
		return r;
	folder = folder_open(pid);
	if (folder < 0)
		return folder;
	snprintf(name, sizeof(name), "perf-%" PRIu32 ".map", status.own_pid);
	path_fd = look_up(folder, name, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
	if (path_fd < 0)
		return path_fd;
	r = file_check(path_fd, status.fs_uid, start_ns);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", path_fd);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	r = start_check(pid, start_ns);
	if (r == 0)
		*ret_fd = take_fd(&fd);
	return r;
}
