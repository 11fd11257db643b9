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
 * in memory (RESOLVE_CACHED), which asks nobody, and where that doesn't do, only along mounts that
 * answer. A root changed under our eyes, between the look at its mounts and the look-up, can make us
 * wait all the same: that costs whoever asked us its deadline.
 *
 * The copy of a slow file is written through a mapping, so that who makes it needs no write().
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
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/process/filesystem.h"

/* Somebody renamed or mounted just then: so often it is tried again. */
#define CACHED_ATTEMPTS 3
#define COPY_STEP ((size_t)1 << 20)
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

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
 * tells one per subvolume or layer. Then the mount says what file system it really is. An overlay's mappings
 * had the layer's number until 6.8: that much is believed of the process's own files only.
 */
static int other_device_check(const struct search *s, const struct statx *st)
{
	struct filesystem f;

	if (!(st->stx_mask & STATX_MNT_ID) || filesystem_of_mount(s->root, st->stx_mnt_id, &f) < 0)
		return -ESTALE;
	if ((f.major != s->place->major || f.minor != s->place->minor) && !(s->own && f.stacked))
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

static int look_up(int root_fd, const char *path, uint64_t resolve)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
	};
	int fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static bool root_is_slow(const struct search *s, int root_fd)
{
	struct filesystem f;
	struct statx st;

	return statx(root_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0 ||
	       !(st.stx_mask & STATX_MNT_ID) ||
	       filesystem_of_mount(s->root, st.stx_mnt_id, &f) < 0 || f.slow;
}

/* Without waiting: an O_PATH descriptor, or negative errno; -EAGAIN if it can't be known so. */
static int look_up_quickly(const struct search *s, int root_fd)
{
	int r = -EAGAIN;

	for (int i = 0; i < CACHED_ATTEMPTS && r == -EAGAIN; i++)
		r = look_up(root_fd, s->place->path, RESOLVE_CACHED);
	/* Before 5.12 there is no RESOLVE_CACHED. */
	if (r != -EAGAIN && r != -EINVAL)
		return r;
	if (root_is_slow(s, root_fd) || filesystem_path_is_slow(s->root, s->place->path))
		return -EAGAIN;
	/* The kernel printed a path without links. One that has some by now may lead anywhere. */
	r = look_up(root_fd, s->place->path, RESOLVE_NO_SYMLINKS);
	return r == -ELOOP ? -EAGAIN : r;
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
	fd = s->patient ? look_up(root_fd, s->place->path, 0) : look_up_quickly(s, root_fd);
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

/* What can be read, at most `size` bytes. */
static ssize_t copy_bytes(int fd, char *to, size_t size)
{
	size_t done = 0;

	while (done < size) {
		size_t step = size - done < COPY_STEP ? size - done : COPY_STEP;
		ssize_t n = pread(fd, to + done, step, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* Into a file that has this size already; it is cut to what was there. */
static int copy_into(int from, int to, size_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, to, 0);
	ssize_t n;

	if (p == MAP_FAILED)
		return -errno;
	n = copy_bytes(from, p, size);
	munmap(p, size); /* else it can't be sealed */
	if (n < 0)
		return (int)n;
	return (size_t)n < size && ftruncate(to, n) < 0 ? -errno : 0;
}

int binary_copy(const struct file_place *place, int *ret_fd)
{
	_cleanup_(fd_close) int from = -1, to = -1;
	struct statx st;
	int r = binary_find(place, true, &from);

	if (r < 0)
		return r;
	if (statx(from, "", AT_EMPTY_PATH, STATX_SIZE, &st) < 0)
		return -errno;
	if (st.stx_size > PROCESS_MAX_COPY_BYTES)
		return -EFBIG;
	to = memfd_create("binary", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (to < 0 || ftruncate(to, (off_t)st.stx_size) < 0)
		return -errno;
	r = st.stx_size ? copy_into(from, to, st.stx_size) : 0;
	if (r < 0)
		return r;
	if (fcntl(to, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	*ret_fd = take_fd(&to);
	return 0;
}
