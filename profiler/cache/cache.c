// SPDX-License-Identifier: Apache-2.0
/*
 * All is done relative to the directory as it was opened: whatever its path leads to later, that one is ours. Who
 * writes holds a lock on it (flock), which a killed writer loses: so whoever has the lock knows that all files under way
 * are leftovers, and that nobody else adds to the sum.
 *
 * Refused: an index file with sizes and times, which is one more thing to be damaged; a directory is read in a
 * millisecond. fsync(): what a crash of the machine cuts short is found by the reader's checksum. O_TMPFILE, which leaves
 * nothing behind but can't replace an entry in one step. The time of last change for what was used last: it
 * tells how old an entry is.
 */
#include "profiler/cache/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/array.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"

#define SUFFIX ".slowburn-index"
#define WRITING ".slowburn-writing"
#define PIECE_BYTES (1ul << 20) /* between two looks at the clock */
#define SPARED_SHARE 20u /* a twentieth of the file system is left free */
#define MAX_SCANNED (2 * CACHE_MAX_ENTRIES) /* what somebody put there beyond is removed unseen */
#define CLOCK_DOUBT_S 3600 /* a time that is this far in the future is none */

struct cache {
	int dir;
	uint64_t max_bytes;
	char *path;
};

struct entry {
	int64_t used_ns;
	uint64_t bytes;
	char file[CACHE_MAX_NAME_BYTES + sizeof(SUFFIX)];
};

struct entries {
	ARRAY(struct entry) items;
	uint64_t bytes; /* of all */
};

/* ---- the directory ---- */

/* Those known to ask a server, or a process. What else there is answers, or the answer couldn't be written either. */
static bool may_never_answer(int dir)
{
	struct statfs s;

	if (fstatfs(dir, &s) < 0)
		return true;
	switch ((uint32_t)s.f_type) {
	case NFS_SUPER_MAGIC:
	case SMB_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case CIFS_SUPER_MAGIC:
	case CEPH_SUPER_MAGIC:
	case AFS_SUPER_MAGIC:
	case AFS_FS_MAGIC:
	case CODA_SUPER_MAGIC:
	case V9FS_MAGIC:
	case FUSE_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

static int directory_check(int dir, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(dir, &st) < 0)
		return err_errno(err, -errno, "cannot look at the cache \"%s\"", path);
	if (st.st_uid != geteuid())
		return err_set(err, -EPERM, "the cache \"%s\" belongs to another user (%u)", path,
			       st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(err, -EPERM, "others may write to the cache \"%s\" (mode %04o)",
			       path, st.st_mode & 07777);
	if (may_never_answer(dir))
		return err_set(err, -EXDEV,
			       "the cache \"%s\" is on a file system that may never answer", path);
	return 0;
}

static int directory_open(const char *path, struct err *err)
{
	_cleanup_(fd_close) int dir = -1;
	int r;

	if (mkdir(path, 0700) < 0 && errno != EEXIST && errno != EROFS)
		return err_errno(err, -errno, "cannot make the cache \"%s\"", path);
	/* O_NONBLOCK: whatever else is there is not waited for. */
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (dir < 0 && (errno == ENOTDIR || errno == ELOOP))
		return err_set(err, -ENOTDIR, "the cache \"%s\" is a link or no directory", path);
	if (dir < 0)
		return err_errno(err, -errno, "cannot open the cache \"%s\"", path);
	r = directory_check(dir, path, err);
	return r < 0 ? r : take_fd(&dir);
}

int cache_open(struct cache **ret, const char *path, uint64_t max_bytes, struct err *err)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (!c)
		return err_errno(err, -ENOMEM, "cannot open the cache \"%s\"", path);
	c->max_bytes = max_bytes;
	c->path = strdup(path);
	c->dir = c->path ? directory_open(path, err)
			 : err_errno(err, -ENOMEM, "cannot open the cache \"%s\"", path);
	if (c->dir < 0) {
		int r = c->dir;

		cache_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	fd_close(&c->dir);
	free(c->path);
	free(c);
}

const char *cache_path(const struct cache *c)
{
	return c->path;
}

/* ---- names ---- */

/* The file of an entry; -EINVAL if that is no name. */
static int file_of(const char *name, char ret[static sizeof(((struct entry *)0)->file)])
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				  "-+.~_");

	if (!len || name[len] || len > CACHE_MAX_NAME_BYTES || name[0] == '.')
		return -EINVAL;
	memcpy(ret, name, len);
	memcpy(ret + len, SUFFIX, sizeof(SUFFIX));
	return 0;
}

static bool ends_with(const char *file, const char *end)
{
	size_t len = strlen(file), end_len = strlen(end);

	return len > end_len && strcmp(file + len - end_len, end) == 0;
}

static bool is_entry(const char *file)
{
	return ends_with(file, SUFFIX) && strlen(file) < sizeof(((struct entry *)0)->file) &&
	       file[0] != '.';
}

/* ---- finding ---- */

static int64_t nanoseconds(const struct timespec *t)
{
	return t->tv_sec * (int64_t)NS_PER_S + t->tv_nsec;
}

/* A file of ours that has one name (or none by now: somebody has just replaced it), and is not too old. */
static int entry_check(const struct stat *st)
{
	time_t now = time(NULL);

	if (!S_ISREG(st->st_mode) || st->st_uid != geteuid() || st->st_nlink > 1 ||
	    st->st_mode & (S_IWGRP | S_IWOTH))
		return -EPERM;
	if (st->st_mtim.tv_sec < now - CACHE_MAX_AGE_S || st->st_mtim.tv_sec > now + CLOCK_DOUBT_S)
		return -ESTALE;
	return st->st_size > 0 && (uint64_t)st->st_size <= CACHE_MAX_ENTRY_BYTES ? 0 : -EFBIG;
}

int cache_find(struct cache *c, const char *name, int *ret_fd)
{
	const struct timespec used[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_OMIT } };
	char file[sizeof(((struct entry *)0)->file)];
	_cleanup_(fd_close) int fd = -1;
	struct stat st;

	if (file_of(name, file) < 0)
		return -EINVAL;
	fd = openat(c->dir, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -ENOENT;
	if (entry_check(&st) < 0) {
		(void)unlinkat(c->dir, file, 0);
		return -ENOENT;
	}
	/* Where that isn't allowed (read-only) nothing is thrown away either. */
	(void)futimens(fd, used);
	*ret_fd = take_fd(&fd);
	return 0;
}

void cache_drop(struct cache *c, const char *name)
{
	char file[sizeof(((struct entry *)0)->file)];

	if (file_of(name, file) == 0)
		(void)unlinkat(c->dir, file, 0);
}

/* ---- making room ---- */

static int entry_add(struct cache *c, struct entries *all, const char *file)
{
	struct entry *e;
	struct stat st;

	if (fstatat(c->dir, file, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	if (all->items.count == MAX_SCANNED)
		return unlinkat(c->dir, file, 0) < 0 ? -errno : 0;
	e = array_push(&all->items, MAX_SCANNED);
	if (!e)
		return -ENOMEM;
	e->used_ns = nanoseconds(&st.st_atim);
	e->bytes = (uint64_t)st.st_size;
	memcpy(e->file, file, strlen(file) + 1);
	all->bytes += e->bytes;
	return 0;
}

static void stream_close(DIR **stream)
{
	if (*stream)
		closedir(*stream);
}

/* All entries; leftovers are removed. Under the lock. */
static int scan(struct cache *c, struct entries *ret)
{
	_cleanup_(fd_close) int dir = openat(c->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(stream_close) DIR *stream = dir < 0 ? NULL : fdopendir(dir);
	const struct dirent *d;
	int r = 0;

	if (!stream)
		return -errno;
	(void)take_fd(&dir); /* the stream's */
	while (r == 0 && (d = readdir(stream))) {
		if (ends_with(d->d_name, WRITING))
			(void)unlinkat(c->dir, d->d_name, 0);
		else if (is_entry(d->d_name))
			r = entry_add(c, ret, d->d_name);
	}
	return r;
}

static int compare_used(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->used_ns < y->used_ns ? -1 : x->used_ns > y->used_ns;
}

/* For one more, of so many bytes. */
static int make_room(struct cache *c, uint64_t bytes)
{
	struct entries all = { 0 };
	int r = scan(c, &all);
	uint32_t count = all.items.count;

	if (count)
		qsort(all.items.items, count, sizeof(*all.items.items), compare_used);
	for (uint32_t i = 0; i < all.items.count && r == 0; i++) {
		const struct entry *e = &all.items.items[i];

		if (all.bytes + bytes <= c->max_bytes && count < CACHE_MAX_ENTRIES)
			break;
		if (unlinkat(c->dir, e->file, 0) < 0 && errno != ENOENT)
			r = -errno;
		all.bytes -= e->bytes;
		count--;
	}
	array_release(&all.items);
	return r;
}

/* We are root, mostly, to whom the last blocks would be given, too. */
static int disk_check(const struct cache *c, uint64_t bytes)
{
	struct statvfs s;
	uint64_t left;

	if (fstatvfs(c->dir, &s) < 0)
		return -errno;
	left = (uint64_t)s.f_bavail * s.f_frsize;
	return left > bytes && left - bytes >= (uint64_t)s.f_blocks * s.f_frsize / SPARED_SHARE
		       ? 0
		       : -ENOSPC;
}

/* ---- keeping ---- */

/* Somebody else writes for less than a second, and who waits for us has rings that fill. */
static int lock(const struct cache *c)
{
	const struct timespec nap = { .tv_nsec = 5 * NS_PER_MS };
	uint64_t until_ns = clock_ns(CLOCK_MONOTONIC) + CACHE_LOCK_PATIENCE_NS;

	while (flock(c->dir, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (clock_ns(CLOCK_MONOTONIC) >= until_ns)
			return -EAGAIN;
		clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
	}
	return 0;
}

static int copy(int from, int to, uint64_t bytes)
{
	uint64_t until_ns = clock_ns(CLOCK_MONOTONIC) + CACHE_WRITE_PATIENCE_NS;
	off_t at = 0;

	while ((uint64_t)at < bytes) {
		uint64_t left = bytes - (uint64_t)at;
		ssize_t n = sendfile(to, from, &at, left < PIECE_BYTES ? left : PIECE_BYTES);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -EINVAL; /* somebody cut it */
		if (clock_ns(CLOCK_MONOTONIC) >= until_ns)
			return -ETIMEDOUT;
	}
	return 0;
}

/* Under a name of its own, then under that of the entry. */
static int write_entry(struct cache *c, const char *file, int memory, uint64_t bytes)
{
	_cleanup_(fd_close) int fd = -1;
	char under_way[16 + sizeof(WRITING)];
	uint64_t number;
	int r;

	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
		return -EAGAIN;
	snprintf(under_way, sizeof(under_way), "%016" PRIx64 WRITING, number);
	fd = openat(c->dir, under_way, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = copy(memory, fd, bytes);
	if (r == 0 && renameat(c->dir, under_way, c->dir, file) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(c->dir, under_way, 0);
	return r;
}

static int size_of_memory(const struct cache *c, int memory, uint64_t *ret)
{
	struct stat st;

	if (fcntl(memory, F_GET_SEALS) < 0 || fstat(memory, &st) < 0 || st.st_size <= 0)
		return -EINVAL;
	if ((uint64_t)st.st_size > CACHE_MAX_ENTRY_BYTES || (uint64_t)st.st_size > c->max_bytes)
		return -EFBIG;
	*ret = (uint64_t)st.st_size;
	return 0;
}

int cache_keep(struct cache *c, const char *name, int memory)
{
	char file[sizeof(((struct entry *)0)->file)];
	uint64_t bytes = 0;
	int r = file_of(name, file);

	if (r == 0)
		r = size_of_memory(c, memory, &bytes);
	if (r == 0)
		r = lock(c);
	if (r < 0)
		return r;
	r = make_room(c, bytes);
	if (r == 0)
		r = disk_check(c, bytes);
	if (r == 0)
		r = write_entry(c, file, memory, bytes);
	flock(c->dir, LOCK_UN);
	return r;
}
