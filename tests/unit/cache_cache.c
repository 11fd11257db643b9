// SPDX-License-Identifier: Apache-2.0
/*
 * A directory of each test's own: what is kept is found again, and what is too much, too old, cut short, somebody
 * else's or left behind is not.
 */
#include "profiler/cache/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/cache/place.h"
#include "tests/unit/torture.h"

#define INDEX ".slowburn-index"
#define WRITING ".slowburn-writing"
#define KIB 1024ul

struct fixture {
	char base[64]; /* a folder of ours */
	char path[80]; /* the cache in it */
	struct cache *cache;
	struct err err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->base, sizeof(f->base), "/tmp/slowburn-cache.XXXXXX");
	assert_non_null(mkdtemp(f->base));
	snprintf(f->path, sizeof(f->path), "%s/cache", f->base);
	*state = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	cache_free(f->cache);
	assert_int_equal(nftw(f->base, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT), 0);
	free(f);
	return 0;
}

static void open_cache(struct fixture *f, uint64_t max_bytes)
{
	int r;

	cache_free(f->cache);
	f->cache = NULL;
	f->err.text[0] = '\0';
	r = cache_open(&f->cache, f->path, max_bytes, &f->err);
	assert_string_equal(f->err.text, "");
	assert_int_equal(r, 0);
}

/* A memfd of so many bytes, all alike. */
static int memory_of(size_t bytes, char what)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	char piece[4096];

	assert_true(fd >= 0);
	memset(piece, what, sizeof(piece));
	for (size_t done = 0; done < bytes; done += sizeof(piece)) {
		size_t n = bytes - done < sizeof(piece) ? bytes - done : sizeof(piece);

		assert_int_equal(write(fd, piece, n), n);
	}
	return fd;
}

static int keep(struct fixture *f, const char *name, size_t bytes, char what)
{
	int fd = memory_of(bytes, what), r = cache_keep(f->cache, name, fd);

	close(fd);
	return r;
}

/* The size of an entry whose bytes are all `what`; negative errno. */
static int64_t found(struct fixture *f, const char *name, char what)
{
	_cleanup_(fd_close) int fd = -1;
	char piece[4096];
	int64_t sum = 0;
	ssize_t n;
	int r = cache_find(f->cache, name, &fd);

	if (r < 0)
		return r;
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	while ((n = read(fd, piece, sizeof(piece))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(piece[i], what);
		sum += n;
	}
	assert_int_equal(n, 0);
	return sum;
}

static const char *file_of(const struct fixture *f, const char *name, const char *suffix)
{
	static char path[400];

	snprintf(path, sizeof(path), "%s/%s%s", f->path, name, suffix);
	return path;
}

/* As if it had been used and made so long ago. */
static void age(const struct fixture *f, const char *name, int64_t used_s, int64_t made_s)
{
	const struct timespec times[2] = { { .tv_sec = time(NULL) - used_s },
					   { .tv_sec = time(NULL) - made_s } };

	assert_int_equal(utimensat(AT_FDCWD, file_of(f, name, INDEX), times, 0), 0);
}

struct sum {
	uint32_t files, writing;
	uint64_t bytes;
};

static struct sum sum_of(const struct fixture *f)
{
	struct sum s = { 0 };
	DIR *dir = opendir(f->path);
	const struct dirent *d;

	assert_non_null(dir);
	while ((d = readdir(dir))) {
		struct stat st;

		if (d->d_name[0] == '.' || fstatat(dirfd(dir), d->d_name, &st, 0) < 0)
			continue;
		s.files++;
		s.writing += strstr(d->d_name, WRITING) != NULL;
		s.bytes += (uint64_t)st.st_size;
	}
	closedir(dir);
	return s;
}

static void test_kept(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	open_cache(f, CACHE_DEFAULT_BYTES);
	assert_string_equal(cache_path(f->cache), f->path);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(found(f, "a", 'a'), -ENOENT);
	assert_int_equal(keep(f, "a", 1, 'a'), 0);
	assert_int_equal(keep(f, "b-1+2.3~4_5", 3 * KIB * KIB + 7, 'b'), 0);
	assert_int_equal(found(f, "a", 'a'), 1);
	assert_int_equal(found(f, "b-1+2.3~4_5", 'b'), 3 * KIB * KIB + 7);
	assert_int_equal(stat(file_of(f, "a", INDEX), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(keep(f, "a", 5, 'c'), 0); /* in place of the other */
	assert_int_equal(found(f, "a", 'c'), 5);
	open_cache(f, CACHE_DEFAULT_BYTES); /* the next run */
	assert_int_equal(found(f, "a", 'c'), 5);
	cache_drop(f->cache, "a");
	assert_int_equal(found(f, "a", 'c'), -ENOENT);
	assert_int_equal(sum_of(f).files, 1);
}

static void test_names(void **state)
{
	static const char *const bad[] = { "",     ".",   "..",  ".a",      "a/b",
					   "../a", "a b", "a\n", "\xc3\xa4" };
	struct fixture *f = *state;
	char longest[CACHE_MAX_NAME_BYTES + 2] = "";

	open_cache(f, CACHE_DEFAULT_BYTES);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(keep(f, bad[i], 1, 'a'), -EINVAL);
		assert_int_equal(found(f, bad[i], 'a'), -EINVAL);
		cache_drop(f->cache, bad[i]);
	}
	memset(longest, 'x', sizeof(longest) - 1);
	assert_int_equal(keep(f, longest, 1, 'a'), -EINVAL);
	longest[CACHE_MAX_NAME_BYTES] = '\0';
	assert_int_equal(keep(f, longest, 1, 'a'), 0);
	assert_int_equal(found(f, longest, 'a'), 1);
	assert_int_equal(sum_of(f).files, 1);
}

/* What is to be kept must be memory: a file may be somebody's who never answers. */
static void test_no_memory(void **state)
{
	struct fixture *f = *state;
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), pair[2], huge;

	open_cache(f, 16 * KIB * KIB);
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	assert_int_equal(cache_keep(f->cache, "a", file), -EINVAL);
	assert_int_equal(cache_keep(f->cache, "a", pair[0]), -EINVAL);
	assert_int_equal(cache_keep(f->cache, "a", -1), -EINVAL);
	assert_int_equal(keep(f, "a", 0, 'a'), -EINVAL);
	huge = memfd_create("huge", MFD_CLOEXEC);
	assert_int_equal(ftruncate(huge, (off_t)(16 * KIB * KIB + 1)), 0);
	assert_int_equal(cache_keep(f->cache, "a", huge), -EFBIG); /* than all of it */
	open_cache(f, 1ull << 40);
	assert_int_equal(ftruncate(huge, (off_t)(CACHE_MAX_ENTRY_BYTES + 1)), 0);
	assert_int_equal(cache_keep(f->cache, "a", huge), -EFBIG);
	assert_int_equal(sum_of(f).files, 0);
	close(huge);
	close(file);
	close(pair[0]);
	close(pair[1]);
}

/* Those not used for longest go, and only as many as must. */
static void test_limit(void **state)
{
	struct fixture *f = *state;
	char name[16];

	open_cache(f, 1000 * KIB);
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "e%d", i);
		assert_int_equal(keep(f, name, 100 * KIB, 'a'), 0);
		age(f, name, 1000 - i, 2000 + i); /* what is used last was made first */
	}
	assert_int_equal(found(f, "e0", 'a'), 100 * KIB); /* is used now */
	assert_int_equal(keep(f, "new", 150 * KIB, 'b'), 0);
	assert_int_equal(found(f, "e0", 'a'), 100 * KIB);
	assert_int_equal(found(f, "e1", 'a'), -ENOENT);
	assert_int_equal(found(f, "e2", 'a'), -ENOENT);
	assert_int_equal(found(f, "e3", 'a'), 100 * KIB);
	assert_int_equal(found(f, "new", 'b'), 150 * KIB);
	assert_int_equal(sum_of(f).bytes, 950 * KIB);
	assert_int_equal(keep(f, "all", 1000 * KIB, 'c'), 0);
	assert_int_equal(sum_of(f).bytes, 1000 * KIB);
	assert_int_equal(sum_of(f).files, 1);
}

/* By number, too: small ones cost inodes. */
static void test_many(void **state)
{
	struct fixture *f = *state;
	uint64_t start_ns, ns;
	char name[16];
	struct sum s;

	open_cache(f, CACHE_DEFAULT_BYTES);
	for (uint32_t i = 0; i < CACHE_MAX_ENTRIES + 1000; i++) {
		int fd;

		snprintf(name, sizeof(name), "e%u", i);
		fd = open(file_of(f, name, INDEX), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, "x", 1), 1);
		close(fd);
		age(f, name, CACHE_MAX_ENTRIES + 2000 - i, 10);
	}
	start_ns = clock_ns(CLOCK_MONOTONIC);
	assert_int_equal(keep(f, "new", 1, 'x'), 0);
	ns = clock_ns(CLOCK_MONOTONIC) - start_ns;
	s = sum_of(f);
	assert_int_equal(s.files, CACHE_MAX_ENTRIES);
	assert_int_equal(found(f, "e1000", 'x'), -ENOENT);
	assert_int_equal(found(f, "e1001", 'x'), 1);
	assert_true(ns < NS_PER_S);
}

static void test_age(void **state)
{
	struct fixture *f = *state;

	open_cache(f, CACHE_DEFAULT_BYTES);
	assert_int_equal(keep(f, "a", 3, 'a'), 0);
	age(f, "a", 10, CACHE_MAX_AGE_S - 60);
	assert_int_equal(found(f, "a", 'a'), 3);
	age(f, "a", 0, CACHE_MAX_AGE_S + 60); /* used today */
	assert_int_equal(found(f, "a", 'a'), -ENOENT);
	assert_int_equal(sum_of(f).files, 0);
	assert_int_equal(keep(f, "a", 3, 'a'), 0);
	age(f, "a", 0, -24 * 3600); /* made tomorrow */
	assert_int_equal(found(f, "a", 'a'), -ENOENT);
}

/* What isn't a plain file of our own under one name is no entry. */
static void test_entries_of_others(void **state)
{
	struct fixture *f = *state;
	char other[100], path[400];

	open_cache(f, CACHE_DEFAULT_BYTES);
	assert_int_equal(keep(f, "a", 3, 'a'), 0);
	snprintf(other, sizeof(other), "%s/other", f->base);
	assert_int_equal(link(file_of(f, "a", INDEX), other), 0);
	assert_int_equal(found(f, "a", 'a'), -ENOENT); /* another name of it */
	snprintf(path, sizeof(path), "%s", file_of(f, "a", INDEX));
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(found(f, "a", 'a'), -ENOENT);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(found(f, "a", 'a'), -ENOENT); /* and waits for nobody */
	assert_int_equal(keep(f, "a", 3, 'a'), 0);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(found(f, "a", 'a'), -ENOENT);
	assert_int_equal(keep(f, "a", 3, 'a'), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(path, 12345, 12345), 0);
		assert_int_equal(found(f, "a", 'a'), -ENOENT);
	}
	assert_int_equal(access(other, F_OK), 0);
}

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

/* Somebody's own files in a folder that he named are not touched. */
static void test_leftovers(void **state)
{
	static const char *const own[] = { "writing-novel.txt", "index", ".slowburn-index",
					   "slowburn-writing", "a.lines" };
	struct fixture *f = *state;

	open_cache(f, 100 * KIB);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		touch(file_of(f, own[i], ""));
	touch(file_of(f, "0123456789abcdef", WRITING));
	touch(file_of(f, "1123456789abcdef", WRITING));
	assert_int_equal(sum_of(f).writing, 2);
	assert_int_equal(keep(f, "a", 100 * KIB, 'a'), 0);
	assert_int_equal(keep(f, "b", 100 * KIB, 'a'), 0);
	assert_int_equal(sum_of(f).writing, 0);
	assert_int_equal(found(f, "a", 'a'), -ENOENT);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		assert_int_equal(access(file_of(f, own[i], ""), F_OK), 0);
}

/* While somebody else writes, what is his stays, and we go on without soon. */
static void test_locked(void **state)
{
	struct fixture *f = *state;
	uint64_t start_ns, ns;
	int dir;

	open_cache(f, CACHE_DEFAULT_BYTES);
	assert_int_equal(keep(f, "old", 3, 'a'), 0);
	dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(dir, LOCK_EX), 0);
	touch(file_of(f, "0123456789abcdef", WRITING));
	start_ns = clock_ns(CLOCK_MONOTONIC);
	assert_int_equal(keep(f, "a", 3, 'a'), -EAGAIN);
	ns = clock_ns(CLOCK_MONOTONIC) - start_ns;
	assert_true(ns >= CACHE_LOCK_PATIENCE_NS && ns < 10 * CACHE_LOCK_PATIENCE_NS);
	assert_int_equal(found(f, "old", 'a'), 3);
	assert_int_equal(sum_of(f).writing, 1);
	close(dir);
	assert_int_equal(keep(f, "a", 3, 'a'), 0);
	assert_int_equal(sum_of(f).writing, 0);
}

/* Several writers at once, one of them killed again and again: each entry is whole, or isn't there. */
static void test_killed(void **state)
{
	struct fixture *f = *state;
	uint32_t there = 0;

	for (int round = 0; there <= 20 && round < 200; round++) {
		pid_t pids[2];

		for (int i = 0; i < 2; i++) {
			pids[i] = fork();
			assert_true(pids[i] >= 0);
			if (pids[i])
				continue;
			if (cache_open(&f->cache, f->path, CACHE_DEFAULT_BYTES, NULL) == 0)
				for (;;)
					keep(f, "a", 8 * KIB * KIB, i ? 'x' : 'y');
			_exit(1);
		}
		usleep(3000 + 700 * (useconds_t)round);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(kill(pids[i], SIGKILL), 0);
			assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
		}
		open_cache(f, CACHE_DEFAULT_BYTES);
		if (access(file_of(f, "a", INDEX), F_OK) == 0) {
			int fd, r = cache_find(f->cache, "a", &fd);
			char first = 0;

			assert_int_equal(r, 0);
			assert_int_equal(read(fd, &first, 1), 1);
			close(fd);
			assert_true(first == 'x' || first == 'y');
			assert_int_equal(found(f, "a", first), 8 * KIB * KIB);
			there++;
		}
	}
	assert_true(there > 20); /* a busy machine takes more rounds */
	assert_int_equal(keep(f, "b", 1, 'b'), 0);
	assert_int_equal(sum_of(f).writing, 0);
}

/* A mount of our own, as nobody else sees it. 0, or it isn't allowed. */
static int mount_tmpfs(const struct fixture *f, const char *size)
{
	char options[32];

	snprintf(options, sizeof(options), "size=%s,mode=0700", size);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    (mkdir(f->path, 0700) < 0 && errno != EEXIST))
		return -errno;
	return mount("tmpfs", f->path, "tmpfs", 0, options) < 0 ? -errno : 0;
}

/* In a child, so that the mount goes with it. */
/* One that is replaced all the time is always there: who opened it a moment ago takes nothing away. */
static void test_replaced(void **state)
{
	struct fixture *f = *state;
	uint32_t found = 0;
	pid_t pid;
	int status;

	open_cache(f, CACHE_LEAST_BYTES);
	assert_int_equal(keep(f, "a", 4096, 'a'), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (int i = 0; i < 500; i++)
			(void)keep(f, "a", 4096, 'a');
		_exit(0);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		int fd = -1, r = cache_find(f->cache, "a", &fd);

		if (r < 0) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			fail_msg("got %d, found %u times before", r, found);
		}
		close(fd);
		found++;
	}
	assert_int_equal(status, 0);
	assert_true(found > 0);
}

static void in_child(void (*test)(struct fixture *f), struct fixture *f)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		test(f);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

#define EXPECT(value, want)                                                                      \
	do {                                                                                     \
		int64_t is_ = (value);                                                           \
		if (is_ != (want)) {                                                             \
			fprintf(stderr, "%s: is %lld, should be %lld\n", #value, (long long)is_, \
				(long long)(want));                                              \
			_exit(1);                                                                \
		}                                                                                \
	} while (0)

static void full(struct fixture *f)
{
	if (mount_tmpfs(f, "4M") < 0)
		_exit(77);
	EXPECT(cache_open(&f->cache, f->path, CACHE_DEFAULT_BYTES, &f->err), 0);
	EXPECT(keep(f, "a", 3 * KIB * KIB, 'a'), 0);
	EXPECT(keep(f, "b", 900 * KIB, 'b'), -ENOSPC); /* a twentieth is left */
	EXPECT(keep(f, "b", 700 * KIB, 'b'), 0);
	EXPECT(keep(f, "c", 3 * KIB * KIB, 'b'), -ENOSPC);
	EXPECT(found(f, "a", 'a'), 3 * KIB * KIB);
	EXPECT(found(f, "b", 'b'), 700 * KIB);
	EXPECT(sum_of(f).files, 2);
}

static void test_full_disk(void **state)
{
	in_child(full, *state);
}

static void read_only(struct fixture *f)
{
	if (mount_tmpfs(f, "4M") < 0)
		_exit(77);
	EXPECT(cache_open(&f->cache, f->path, CACHE_DEFAULT_BYTES, &f->err), 0);
	EXPECT(keep(f, "a", 100, 'a'), 0);
	EXPECT(mount(NULL, f->path, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	EXPECT(keep(f, "b", 100, 'b'), -EROFS);
	cache_free(f->cache);
	EXPECT(cache_open(&f->cache, f->path, CACHE_DEFAULT_BYTES, &f->err), 0);
	EXPECT(keep(f, "b", 100, 'b'), -EROFS);
	EXPECT(found(f, "a", 'a'), 100); /* what is there is used */
	EXPECT(found(f, "b", 'b'), -ENOENT);
}

static void test_read_only(void **state)
{
	in_child(read_only, *state);
}

static int refused(struct fixture *f, const char *path)
{
	struct cache *c = NULL;
	int r;

	f->err.text[0] = '\0';
	r = cache_open(&c, path, CACHE_DEFAULT_BYTES, &f->err);
	assert_null(c);
	return r;
}

static void expect_refused(struct fixture *f, const char *path, int want, const char *says)
{
	int r = refused(f, path);

	if (!strstr(f->err.text, says))
		fail_msg("says \"%s\", should say \"%s\"", f->err.text, says);
	assert_int_equal(r, want);
}

static void test_directories(void **state)
{
	struct fixture *f = *state;
	char path[100];

	assert_int_equal(mkdir(f->path, 0755), 0);
	snprintf(path, sizeof(path), "%s/link", f->base);
	assert_int_equal(symlink(f->path, path), 0);
	expect_refused(f, path, -ENOTDIR, "is a link or no directory");
	snprintf(path, sizeof(path), "%s/file", f->base);
	touch(path);
	expect_refused(f, path, -ENOTDIR, "is a link or no directory");
	snprintf(path, sizeof(path), "%s/fifo", f->base);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_refused(f, path, -ENOTDIR, "is a link or no directory");
	snprintf(path, sizeof(path), "%s/none/none", f->base);
	expect_refused(f, path, -ENOENT, "cannot make the cache");
	expect_refused(f, "", -ENOENT, "cannot make the cache \"\"");
	for (unsigned int mode = 0700; mode <= 0777; mode++) {
		assert_int_equal(chmod(f->path, mode), 0);
		if (mode & 022)
			expect_refused(f, f->path, -EPERM, "others may write to the cache");
		else
			open_cache(f,
				   CACHE_DEFAULT_BYTES); /* others may look: its files are 0600 */
	}
	assert_int_equal(chmod(f->path, 0700), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(f->path, 12345, 12345), 0);
		expect_refused(f, f->path, -EPERM, "belongs to another user (12345)");
	}
}

/* Entries are those of the directory that was opened, whatever is under its name now. */
static void test_moved(void **state)
{
	struct fixture *f = *state;
	char aside[100];

	open_cache(f, CACHE_DEFAULT_BYTES);
	assert_int_equal(keep(f, "a", 3, 'a'), 0);
	snprintf(aside, sizeof(aside), "%s/aside", f->base);
	assert_int_equal(rename(f->path, aside), 0);
	assert_int_equal(mkdir(f->path, 0777), 0);
	assert_int_equal(keep(f, "b", 3, 'b'), 0);
	assert_int_equal(found(f, "a", 'a'), 3);
	assert_int_equal(found(f, "b", 'b'), 3);
	assert_int_equal(sum_of(f).files, 0);
}

static const struct {
	uid_t uid;
	const char *given, *xdg, *home;
	int want;
	const char *path;
} places[] = {
	{ 0, NULL, "/x", "/root", 0, "/var/cache/slowburn" },
	{ 0, NULL, NULL, NULL, 0, "/var/cache/slowburn" },
	{ 0, "/var/cache/service", NULL, NULL, 0, "/var/cache/service" },
	{ 0, "service", NULL, NULL, 0, "/var/cache/slowburn" },
	{ 1000, NULL, "/x", "/nowhere", 0, "/x/slowburn" },
	{ 1000, NULL, "", "/nowhere", 0, "/nowhere/.cache/slowburn" },
	{ 1000, NULL, "x", "/nowhere", 0, "/nowhere/.cache/slowburn" },
	{ 1000, "/given", "/x", "/nowhere", 0, "/given" },
	{ 1000, NULL, NULL, "nowhere", -ENOENT, "" },
	{ 1000, NULL, NULL, NULL, -ENOENT, "" },
	{ 1000, NULL, NULL, "/much/too/long/for/the/place/that/it/is/to/be/put", -ENAMETOOLONG,
	  "" },
};

static void set(const char *variable, const char *value)
{
	if (value)
		setenv(variable, value, 1);
	else
		unsetenv(variable);
}

static void test_places(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char path[40] = "";
		int r;

		set("CACHE_DIRECTORY", places[i].given);
		set("XDG_CACHE_HOME", places[i].xdg);
		set("HOME", places[i].home);
		r = cache_place(places[i].uid, path, sizeof(path));
		if (r != places[i].want)
			fail_msg("place %zu: is %d, should be %d", i, r, places[i].want);
		if (r == 0)
			assert_string_equal(path, places[i].path);
	}
}

static int torment(void *ctx)
{
	struct fixture *f = ctx;
	struct cache *c = NULL;
	int fd, r = cache_open(&c, f->path, CACHE_DEFAULT_BYTES, NULL);

	if (r == 0) {
		fd = memory_of(10, 'a');
		r = cache_keep(c, "a", fd);
		close(fd);
	}
	cache_free(c);
	return r;
}

static void test_torture(void **state)
{
	assert_true(torture(torment, *state) >= 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kept),
		TEST(test_names),
		TEST(test_no_memory),
		TEST(test_limit),
		TEST(test_many),
		TEST(test_age),
		TEST(test_entries_of_others),
		TEST(test_leftovers),
		TEST(test_locked),
		TEST(test_killed),
		TEST(test_replaced),
		TEST(test_full_disk),
		TEST(test_read_only),
		TEST(test_directories),
		TEST(test_moved),
		cmocka_unit_test(test_places),
		TEST(test_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
