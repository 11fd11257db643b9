/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a directory of its own, and windows for it. */
#ifndef TESTS_UNIT_STORE_DIRECTORY_H
#define TESTS_UNIT_STORE_DIRECTORY_H

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/clock.h"
#include "profiler/store/packer.h"
#include "profiler/store/reader.h"
#include "profiler/store/writer.h"
#include "tests/unit/encode_profile.h"

#define TEST_EPOCH_NS (1763856000ULL * NS_PER_S) /* 2025-11-23 00:00:00 UTC, a whole day */
#define TEST_WINDOW_NS (10 * NS_PER_S)

struct test_store {
	char path[64];
	int fd;
};

static inline void test_store_at(struct test_store *t, const char *parent)
{
	snprintf(t->path, sizeof(t->path), "%s/store-XXXXXX", parent);
	assert_non_null(mkdtemp(t->path));
	t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t->fd >= 0);
}

/* In memory: months of hours, each of which is synced, take minutes on a disk. */
static inline void test_store_new(struct test_store *t)
{
	test_store_at(t, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
}

/* What `visit` gives for each name in there, added up. */
static inline uint64_t test_store_each(const struct test_store *t,
				       uint64_t (*visit)(int fd, const char *name))
{
	DIR *d = opendir(t->path);
	const struct dirent *e;
	uint64_t sum = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			sum += visit(t->fd, e->d_name);
	closedir(d);
	return sum;
}

static inline uint64_t test_store_remove_one(int fd, const char *name)
{
	return (uint64_t)unlinkat(fd, name, 0);
}

static inline uint64_t test_store_bytes_one(int fd, const char *name)
{
	struct stat st;

	return fstatat(fd, name, &st, 0) < 0 ? 0 : catalog_bytes(&st);
}

/* What du would say, and the directory itself. */
static inline uint64_t test_store_bytes(const struct test_store *t)
{
	struct stat st;

	assert_int_equal(fstat(t->fd, &st), 0);
	return catalog_bytes(&st) + test_store_each(t, test_store_bytes_one);
}

static inline void test_store_release(struct test_store *t)
{
	test_store_each(t, test_store_remove_one);
	close(t->fd);
	assert_int_equal(rmdir(t->path), 0);
}

static inline struct store_writer *test_writer(const struct test_store *t,
					       const struct store_options *options)
{
	struct store_options o = store_options_default();
	struct store_writer *w = NULL;
	struct err err = { "" };

	if (store_writer_open(&w, t->fd, options ? options : &o, &err) < 0)
		fail_msg("%s", err.text);
	return w;
}

/* The window at `start_ns` of a profile that goes on: `n` stacks with `seed`, all else as in the window before. */
static inline void test_window(struct profile *p, uint64_t *seed, uint32_t n, uint64_t start_ns)
{
	static const char *const comms[] = { "bash", "make", "cc1", "postgres" };

	profile_clear_samples(p);
	p->facts.time_ns = start_ns;
	p->facts.duration_ns = TEST_WINDOW_NS;
	p->counters.value[COUNTER_SAMPLES] = n;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t pid = test_random(seed) % 12;

		test_random_stack(p, seed,
				  test_series(p, comms[pid % 4], (int64_t)pid, (int64_t)pid));
	}
}

static inline struct store_window test_window_at(uint64_t start_ns)
{
	return (struct store_window){ .start_ns = start_ns,
				      .end_ns = start_ns + TEST_WINDOW_NS,
				      .monotonic_ns = start_ns - TEST_EPOCH_NS + NS_PER_S };
}

/*
 * What two processes do: the window packed by one, written by the other. Of one store at a time. When test_turns() says so, the profile
 * may be a new one.
 */
static inline bool test_turns(const struct store_writer *w, uint64_t start_ns)
{
	return !store_writer_file(w, start_ns);
}

static inline int test_append(struct store_writer *w, const struct profile *p,
			      const struct store_window *x, struct err *err)
{
	static struct packer *packer;
	uint64_t sequence;
	size_t len;
	void *frame;
	int r;

	if (!packer)
		assert_int_equal(packer_new(&packer, PACKER_EFFORT), 0);
	if (test_turns(w, x->start_ns))
		packer_begin(packer);
	assert_int_equal(packer_pack(packer, p, &p->counters, x), 0);
	frame = packer_frame(packer, &len);
	r = store_writer_append(w, frame, len, &sequence, err);
	if (r == 0)
		packer_keep(packer);
	return r;
}

/* All of a range, and how it went. */
static inline struct store_result test_read(const struct test_store *t, uint64_t from_ns,
					    uint64_t to_ns, uint64_t window_ns,
					    struct profile *into)
{
	const struct store_range range = { from_ns, to_ns, window_ns };
	struct catalog c = { 0 };
	int fd = t->fd;
	struct store_source source = { &c, store_source_open, &fd, STORE_LIMITS_DEFAULT };
	struct store_result result;
	struct err err = { "" };

	assert_int_equal(profile_init(into, 256 << 20, 1 << 24), 0);
	if (catalog_read(&c, t->fd, &err) < 0 ||
	    store_read(&source, &range, NULL, NULL, into, &result, &err) < 0)
		fail_msg("%s", err.text);
	catalog_release(&c);
	return result;
}

#endif
