// SPDX-License-Identifier: Apache-2.0
/*
 * A binary is first looked for in map_files, which is the mapped file itself, whatever became of its
 * name; then by its name, in the process's root, in its parent's, in ours.
 *
 * Names belong to people we don't trust: links never lead out of a root, a name is first opened with
 * O_PATH, which runs no driver and waits for no pipe's other end, and is read only once it is known to
 * be the regular file that was asked for. Plain open() of /proc/PID/root/NAME was refused: an absolute
 * link in there would be followed in our own root.
 *
 * Nor do we wait for anybody's server. The mapping's device tells the file system before anything is
 * opened. A name may lead through others than that: so it is looked up among those that the kernel has
 * in memory (RESOLVE_CACHED), which asks nobody; where that doesn't do, it is slow.
 */
#include "profiler/process/binary.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/process/copy.h"
#include "profiler/process/filesystem.h"

/* Somebody renamed or mounted just then: so often it is tried again. */
#define CACHED_ATTEMPTS 3

/* Where it is looked for, and how. */
struct search {
	const struct file_place *place;
	bool patient; /* slow file systems are asked, too */
	uint32_t root; /* of this process; 0: ours */
	bool own; /* which is the process that maps it */
};

/* ---- is it the one? ---- */

/*
 * Found under another device number than the mapping's. On btrfs and overlayfs that may be: stat() there
 * tells one per subvolume or layer. Then the mount says what file system it really is; an overlay's mappings
 * had the layer's number until 6.8. That much is believed in the process's own root only: in another one the
 * same name and number may be another subvolume's.
 */
static int other_device_check(const struct search *s, const struct statx *st)
{
	struct filesystem f;

	if (!s->own || !(st->stx_mask & STATX_MNT_ID) ||
	    filesystem_of_mount(s->root, st->stx_mnt_id, &f) < 0)
		return -ESTALE;
	if ((f.major != s->place->major || f.minor != s->place->minor) && !f.stacked)
		return -ESTALE;
	return PROCESS_FILE_AMBIGUOUS | (f.slow && !s->patient ? PROCESS_FILE_SLOW : 0);
}

/* Is it the regular file that was asked for? Kind bits, or negative errno. */
static int place_check(const struct search *s, int fd)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | (s->patient ? 0 : AT_STATX_DONT_SYNC),
		  STATX_TYPE | STATX_INO | STATX_MNT_ID, &st) < 0)
		return -errno;
	if (!S_ISREG(st.stx_mode))
		return -EINVAL;
	if (st.stx_ino != s->place->ino)
		return -ESTALE;
	if (st.stx_dev_major == s->place->major && st.stx_dev_minor == s->place->minor)
		return 0;
	return other_device_check(s, &st);
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

/* From an O_PATH descriptor to one that reads. Kind bits; *ret_fd unless it is slow. */
static int open_checked(const struct search *s, int path_fd, int *ret_fd)
{
	_cleanup_(fd_close) int fd = -1;
	char path[64];
	int r, kind = place_check(s, path_fd);

	if (kind < 0 || kind & PROCESS_FILE_SLOW)
		return kind;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	r = generation_check(fd, s->place);
	if (r < 0)
		return r;
	*ret_fd = take_fd(&fd);
	return kind;
}

/* ---- where is it? ---- */

/* Needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN. */
static int open_mapped(const struct search *s, int *ret_fd)
{
	_cleanup_(fd_close) int fd = -1;
	char path[96];

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/map_files/%" PRIx64 "-%" PRIx64,
		 s->place->pid, s->place->start, s->place->end);
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : open_checked(s, fd, ret_fd);
}

int binary_look_up(int root_fd, const char *path, uint64_t resolve)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
	};
	int fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/*
 * Without waiting: an O_PATH descriptor, or negative errno; -EAGAIN if it can't be known so. What is not
 * in memory is not read here, also where all mounts answer: whoever lists a directory into memory that is
 * a FUSE file's keeps it locked as long as he likes, and who then looks it up can't even be killed.
 */
static int look_up_quickly(const struct search *s, int root_fd)
{
	int r = -EAGAIN;

	for (int i = 0; i < CACHED_ATTEMPTS && r == -EAGAIN; i++)
		r = binary_look_up(root_fd, s->place->path, RESOLVE_CACHED);
	/* Before 5.12 there is no RESOLVE_CACHED. */
	return r == -EINVAL ? -EAGAIN : r;
}

static int open_in_root(const struct search *s, int *ret_fd)
{
	_cleanup_(fd_close) int root_fd = -1, fd = -1;
	char root[64] = "/";

	if (s->root)
		snprintf(root, sizeof(root), "/proc/%" PRIu32 "/root", s->root);
	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return -errno;
	fd = s->patient ? binary_look_up(root_fd, s->place->path, 0) : look_up_quickly(s, root_fd);
	if (fd == -EAGAIN)
		return PROCESS_FILE_SLOW;
	return fd < 0 ? fd : open_checked(s, fd, ret_fd);
}

/* Of two errors the one that says more than "it isn't there". */
static int telling(int first, int second)
{
	return first == -ENOENT || first == -ESRCH ? second : first;
}

/*
 * Kind bits and *ret_fd, or negative errno. Where it was not found, but could not be looked for everywhere
 * without waiting, it is slow.
 */
static int binary_find(const struct file_place *place, bool patient, int *ret_fd)
{
	const struct search searches[] = {
		{ place, patient, place->pid, true },
		{ place, patient, place->parent_pid, false },
		{ place, patient, 0, false },
	};
	int error = -ENOENT, slow = 0;
	int r = open_mapped(&searches[0], ret_fd);

	if (r >= 0 && !(r & PROCESS_FILE_SLOW))
		return r;
	if (r >= 0)
		slow = r;
	for (size_t i = 0; i < sizeof(searches) / sizeof(searches[0]); i++) {
		if (i < 2 && !searches[i].root)
			continue;
		r = open_in_root(&searches[i], ret_fd);
		if (r >= 0 && !(r & PROCESS_FILE_SLOW))
			return r;
		if (r >= 0)
			slow = r;
		else
			error = telling(error, r);
	}
	return slow ? slow : error;
}

int binary_open(const struct file_place *place, int *ret_fd)
{
	int fd = -1, r = PROCESS_FILE_SLOW;

	if (!filesystem_is_slow(place->pid, place->major, place->minor))
		r = binary_find(place, false, &fd);
	if (r >= 0)
		*ret_fd = fd;
	return r;
}

/* ---- the copy ---- */

int binary_copy(const struct file_place *place, int *ret_fd)
{
	_cleanup_(fd_close) int from = -1;
	int r = binary_find(place, true, &from);

	return r < 0 ? r : copy_seal(from, ret_fd);
}
