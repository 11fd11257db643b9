// SPDX-License-Identifier: Apache-2.0
#include "profiler/process/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/process_fake.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct bench {
	struct fake fake;
	struct counters counters;
	struct file_table *t;
};

static void begin(struct bench *b, uint32_t max_files, uint32_t max_pins)
{
	*b = (struct bench){ 0 };
	fake_init(&b->fake);
	assert_int_equal(file_table_new(&b->t, &b->fake.source, &b->counters, max_files, max_pins),
			 0);
}

static struct file_place place(uint64_t ino, uint64_t generation, const char *path, uint32_t pid)
{
	return (struct file_place){ .pid = pid,
				    .ino = ino,
				    .generation = generation,
				    .major = 8,
				    .minor = 1,
				    .path = path };
}

static int intern(struct bench *b, uint64_t ino, uint64_t generation, const char *path)
{
	struct file_place p = place(ino, generation, path, 1);

	return file_table_intern(b->t, &p);
}

static void pin(struct bench *b, int file, uint32_t pid)
{
	const struct file *f = file_table_get(b->t, (uint32_t)file);
	struct file_place p = place(f->ino, f->generation, f->path, pid);

	file_table_pin(b->t, (uint32_t)file, &p);
}

static void expect_state(const struct bench *b, int file, enum file_state want)
{
	const struct file *f = file_table_get(b->t, (uint32_t)file);

	if (f->state != (uint32_t)want)
		fail_msg("\"%s\": state %u, want %u", f->path, f->state, want);
}

/* Is the second mapping one of the same file as the first? */
static void identity(void **state)
{
	static const struct {
		const char *what;
		struct file_place a, b;
		bool same;
	} rows[] = {
#define P(i, g, n, p) { .ino = (i), .generation = (g), .minor = (n), .path = (p) }
		{ "equal", P(5, 7, 1, "/a"), P(5, 7, 1, "/a"), true },
		{ "hard link", P(5, 7, 1, "/a"), P(5, 7, 1, "/b"), true },
		{ "inode used again", P(5, 7, 1, "/a"), P(5, 8, 1, "/a"), false },
		{ "maps after MMAP2", P(5, 7, 1, "/a"), P(5, 0, 1, "/a"), true },
		{ "MMAP2 after maps", P(5, 0, 1, "/a"), P(5, 7, 1, "/a"), true },
		{ "generation never known", P(5, 0, 1, "/a"), P(5, 0, 1, "/a"), true },
		{ "another path, not known if the same", P(5, 0, 1, "/a"), P(5, 7, 1, "/b"),
		  false },
		{ "another inode", P(5, 7, 1, "/a"), P(6, 7, 1, "/a"), false },
		{ "another device", P(5, 7, 1, "/a"), P(5, 7, 2, "/a"), false },
#undef P
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bench b;
		int first, second;

		begin(&b, 8, 8);
		first = file_table_intern(b.t, &rows[i].a);
		second = file_table_intern(b.t, &rows[i].b);
		assert_int_equal(first, 0);
		if ((first == second) != rows[i].same)
			fail_msg("%s: %d and %d", rows[i].what, first, second);
		assert_int_equal(file_table_count(b.t), rows[i].same ? 1 : 2);
		file_table_free(b.t);
	}
}

static void generation_is_learnt(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 8, 8);
	assert_int_equal(intern(&b, 5, 0, "/a"), 0);
	assert_int_equal(intern(&b, 5, 7, "/a"), 0);
	assert_int_equal(file_table_get(b.t, 0)->generation, 7);
	assert_int_equal(intern(&b, 5, 8, "/a"), 1);
	/* without one it is the newest */
	assert_int_equal(intern(&b, 5, 0, "/a"), 1);
	assert_int_equal(intern(&b, 5, 7, "/x"), 0);
	file_table_free(b.t);
}

/* An inode number that is held open cannot be another's, whatever the path. */
static void pinned_is_the_same(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 8, 8);
	assert_int_equal(intern(&b, 5, 0, "/a"), 0);
	pin(&b, 0, 1);
	assert_int_equal(intern(&b, 5, 0, "/b"), 0);
	file_table_unpin(b.t, 0);
	assert_int_equal(intern(&b, 5, 0, "/b"), 1);
	file_table_free(b.t);
}

/* A compiler and a test in a loop: the same name, the same inode, a hundred generations. */
static void many_generations(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 200, 8);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(intern(&b, 5, 100 + (uint64_t)i, "/a.out"), i);
		assert_int_equal(intern(&b, 5, 100 + (uint64_t)i, "/a.out"), i);
		assert_int_equal(intern(&b, 5, 0, "/a.out"), i);
	}
	file_table_free(b.t);
}

static void states(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 8, 8);
	intern(&b, 5, 7, "/a");
	expect_state(&b, 0, FILE_UNSEEN);
	assert_int_equal(file_table_get(b.t, 0)->fd, -1);
	pin(&b, 0, 42);
	expect_state(&b, 0, FILE_PINNED);
	assert_int_equal(b.fake.last.pid, 42);
	assert_int_equal(b.fake.last.generation, 7);
	assert_string_equal(b.fake.last_path, "/a");
	pin(&b, 0, 43);
	assert_int_equal(b.fake.opens, 1);
	assert_int_equal(file_table_pinned(b.t), 1);
	file_table_unpin(b.t, 0);
	file_table_unpin(b.t, 0);
	expect_state(&b, 0, FILE_DONE);
	assert_int_equal(file_table_pinned(b.t), 0);
	pin(&b, 0, 44);
	expect_state(&b, 0, FILE_PINNED);
	assert_int_equal(b.fake.opens, 2);
	file_table_free(b.t);
}

static void failures(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 8, 8);
	intern(&b, 5, 0, "/a");
	b.fake.open_error = -EACCES;
	b.fake.open_failures = UINT32_MAX;
	for (uint32_t pid = 1; pid <= 20; pid++) {
		pin(&b, 0, pid);
		pin(&b, 0, pid); /* the same process: no use */
		assert_int_equal(b.fake.opens, pid < 8 ? pid : 8);
	}
	expect_state(&b, 0, FILE_FAILED);
	assert_int_equal(file_table_get(b.t, 0)->error, -EACCES);
	assert_int_equal(counter_get(&b.counters, COUNTER_FILES_UNOPENED), 1);
	file_table_unpin(b.t, 0);
	expect_state(&b, 0, FILE_FAILED);

	intern(&b, 6, 0, "/b");
	b.fake.open_failures = 2;
	pin(&b, 1, 1);
	pin(&b, 1, 2);
	assert_int_equal(counter_get(&b.counters, COUNTER_FILES_UNOPENED), 2);
	pin(&b, 1, 3);
	expect_state(&b, 1, FILE_PINNED);
	assert_int_equal(file_table_get(b.t, 1)->error, 0);
	assert_int_equal(counter_get(&b.counters, COUNTER_FILES_UNOPENED), 1);
	file_table_free(b.t);
}

/* Opened in the end, then evicted: it is tried as often as the first time. */
static void failures_before_a_success(void **state)
{
	struct bench b;
	uint32_t pid = 1;

	(void)state;
	begin(&b, 8, 8);
	intern(&b, 5, 0, "/a");
	b.fake.open_error = -EACCES;
	for (int round = 0; round < 60; round++) {
		uint32_t before = b.fake.opens;

		b.fake.open_failures = 7;
		for (int i = 0; i < 8; i++)
			pin(&b, 0, pid++);
		expect_state(&b, 0, FILE_PINNED);
		assert_int_equal(b.fake.opens, before + 8);
		file_table_unpin(b.t, 0);
	}
	file_table_free(b.t);
}

/* Of three pins the first one goes, unless it was asked for since. */
static void eviction(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 16, 3);
	for (uint64_t i = 0; i < 6; i++)
		intern(&b, 10 + i, 1, "/a");
	pin(&b, 0, 1);
	pin(&b, 1, 1);
	pin(&b, 2, 1);
	pin(&b, 0, 1); /* asked for */
	pin(&b, 3, 1); /* 1 is the oldest that wasn't */
	expect_state(&b, 0, FILE_PINNED);
	expect_state(&b, 1, FILE_UNSEEN);
	expect_state(&b, 2, FILE_PINNED);
	pin(&b, 4, 1);
	expect_state(&b, 2, FILE_UNSEEN);
	expect_state(&b, 0, FILE_PINNED);
	pin(&b, 5, 1); /* not asked for again: in its turn */
	expect_state(&b, 0, FILE_UNSEEN);
	expect_state(&b, 3, FILE_PINNED);
	pin(&b, 1, 1);
	expect_state(&b, 3, FILE_UNSEEN);
	expect_state(&b, 1, FILE_PINNED);
	assert_int_equal(counter_get(&b.counters, COUNTER_FILES_PIN_EVICTED), 4);
	assert_int_equal(counter_get(&b.counters, COUNTER_FILES_UNOPENED), 0);
	file_table_free(b.t);
}

/* All asked for: still one goes, and the queue stays whole. */
static void eviction_of_the_wanted(void **state)
{
	struct bench b;
	int pinned = 0;

	(void)state;
	begin(&b, 16, 3);
	for (int i = 0; i < 10; i++) {
		intern(&b, 10 + (uint64_t)i, 1, "/a");
		pin(&b, i, 1);
		pin(&b, i, 1);
	}
	file_table_unpin(b.t, 8);
	for (int i = 0; i < 10; i++)
		pinned += file_table_get(b.t, (uint32_t)i)->state == FILE_PINNED;
	assert_int_equal(pinned, 2);
	expect_state(&b, 9, FILE_PINNED);
	file_table_free(b.t);
}

static void out_of_descriptors(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 16, 8);
	intern(&b, 5, 1, "/a");
	intern(&b, 6, 1, "/b");
	pin(&b, 0, 1);
	b.fake.open_error = -EMFILE;
	b.fake.open_failures = 1;
	pin(&b, 1, 1);
	expect_state(&b, 0, FILE_UNSEEN);
	expect_state(&b, 1, FILE_PINNED);
	assert_int_equal(counter_get(&b.counters, COUNTER_FILES_PIN_EVICTED), 1);
	file_table_free(b.t);
}

static int open_null(void *ctx, const struct file_place *p, int *ret_fd)
{
	(void)ctx;
	(void)p;
	*ret_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

/* Descriptors are closed by unpinning, by eviction and at the end. */
static void descriptors(void **state)
{
	struct process_source source = { .open = open_null };
	struct counters counters = { 0 };
	struct file_table *t;
	int fds[3];

	(void)state;
	assert_int_equal(file_table_new(&t, &source, &counters, 8, 2), 0);
	for (uint32_t i = 0; i < 3; i++) {
		struct file_place p = place(10 + i, 1, "/a", 1);

		assert_int_equal(file_table_intern(t, &p), i);
		file_table_pin(t, i, &p);
		fds[i] = file_table_get(t, i)->fd;
	}
	assert_int_equal(file_table_get(t, 0)->fd, -1); /* evicted */
	assert_int_not_equal(fcntl(fds[1], F_GETFD), -1);
	file_table_unpin(t, 1);
	assert_int_equal(fcntl(fds[1], F_GETFD), -1);
	assert_int_not_equal(fcntl(fds[2], F_GETFD), -1);
	file_table_free(t);
	assert_int_equal(fcntl(fds[2], F_GETFD), -1);
}

static void limits(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 2, 8);
	assert_int_equal(intern(&b, 5, 1, "/a"), 0);
	assert_int_equal(intern(&b, 6, 1, "/b"), 1);
	assert_int_equal(intern(&b, 7, 1, "/c"), -E2BIG);
	assert_int_equal(intern(&b, 5, 1, "/a"), 0);
	assert_int_equal(counter_get(&b.counters, COUNTER_FILES_REFUSED), 1);
	assert_int_equal(file_table_count(b.t), 2);
	file_table_free(b.t);
	file_table_free(NULL);
}

/* Names are bounded in all, not only each: 4 kB for every file is more than is granted. */
static void name_limit(void **state)
{
	struct bench b;
	char name[4096];
	int r = 0, n = 0;

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	begin(&b, 4096, 8);
	for (; r >= 0 && n < 4096; n++)
		r = intern(&b, 5 + (uint64_t)n, 1, name);
	assert_int_equal(r, -E2BIG);
	assert_in_range(n, 4096 * 256 / 4096, 4095);
	file_table_free(b.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity),
		cmocka_unit_test(generation_is_learnt),
		cmocka_unit_test(pinned_is_the_same),
		cmocka_unit_test(many_generations),
		cmocka_unit_test(states),
		cmocka_unit_test(failures),
		cmocka_unit_test(failures_before_a_success),
		cmocka_unit_test(eviction),
		cmocka_unit_test(eviction_of_the_wanted),
		cmocka_unit_test(out_of_descriptors),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(limits),
		cmocka_unit_test(name_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
