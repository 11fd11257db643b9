// SPDX-License-Identifier: Apache-2.0
/*
 * Files as they are told apart, opened, held and let go of. Whose they are is process_file_owner.c.
 */
#include "profiler/process/file.h"

#include <fcntl.h>
#include <stdlib.h>

#include "tests/unit/process_file_bench.h"

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
		uint64_t root = ROOT_UNASKED;
		struct bench b;
		int first, second;

		begin(&b, 8, 8);
		first = file_table_intern(b.t, &rows[i].a, &root);
		second = file_table_intern(b.t, &rows[i].b, &root);
		assert_int_equal(b.fake.reads[PROCESS_TEXT_ROOT], 0);
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
		uint64_t root = ROOT_UNASKED;

		assert_int_equal(file_table_intern(t, &p, &root), i);
		assert_int_equal(file_table_pin(t, i, &p, &root), i);
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

/* ---- whose file it is ---- */

/* ---- slow files ---- */

static void slow_files(void **state)
{
	struct file_place p = place(5, 7, "/nfs/x", 1);
	uint64_t root = ROOT_UNASKED;
	struct bench b;
	int fd = -1, second = -1;

	(void)state;
	begin(&b, 16, 2);
	b.fake.open_kind = PROCESS_FILE_SLOW;
	set_root(&b, 1, "one");
	set_root(&b, 2, "one");
	p.start = 0x1000;
	assert_int_equal(file_table_intern(b.t, &p, &root), 0);
	assert_int_equal(file_table_pin(b.t, 0, &p, &root), 0);
	expect_state(&b, 0, FILE_PINNED);
	assert_true(file_table_get(b.t, 0)->slow);
	assert_int_equal(file_table_pinned(b.t), 0);
	/* Through whom it was seen last. */
	p.pid = 2;
	p.parent_pid = 1;
	p.start = 0x2000;
	assert_int_equal(file_table_pin(b.t, 0, &p, &root), 0);
	assert_int_equal(b.fake.opens, 1);
	assert_int_equal(b.fake.fetches, 0);
	assert_int_equal(file_table_borrow(b.t, 0, &fd), 0);
	assert_int_not_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(b.fake.last.pid, 2);
	assert_int_equal(b.fake.last.parent_pid, 1);
	assert_int_equal(b.fake.last.start, 0x2000);
	assert_string_equal(b.fake.last_path, "/nfs/x");
	assert_int_equal(file_table_borrow(b.t, 0, &second), 0);
	assert_int_equal(second, fd);
	assert_int_equal(b.fake.fetches, 1);
	file_table_unpin(b.t, 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	expect_state(&b, 0, FILE_DONE);
	assert_int_equal(count(&b, COUNTER_FILES_UNFETCHED), 0);
	file_table_free(b.t);
}

/* They take no pin from others, and of copies there is one at a time. */
static void many_slow_files(void **state)
{
	struct bench b;
	int fds[10];

	(void)state;
	begin(&b, 16, 2);
	intern_as(&b, 1, 100, "/bin/a");
	pin(&b, 0, 1);
	b.fake.open_kind = PROCESS_FILE_SLOW;
	for (int i = 0; i < 10; i++) {
		int file = intern_as(&b, 1, 5 + (uint64_t)i, "/nfs/x");

		assert_int_equal(pin(&b, file, 1), file);
		assert_int_equal(file_table_borrow(b.t, (uint32_t)file, &fds[i]), 0);
	}
	expect_state(&b, 0, FILE_PINNED);
	assert_int_equal(count(&b, COUNTER_FILES_PIN_EVICTED), 0);
	assert_int_equal(file_table_pinned(b.t), 1);
	for (int i = 1; i < 10; i++)
		assert_int_equal(fds[i],
				 fds[0]); /* each took the number that the one before left */
	assert_int_not_equal(fcntl(fds[9], F_GETFD), -1);
	file_table_free(b.t);
	assert_int_equal(fcntl(fds[9], F_GETFD), -1);
}

/* A file that is only read by the fetcher, whose answer is this. */
static void begin_slow(struct bench *b, int fetch_error)
{
	begin(b, 16, 2);
	b->fake.open_kind = PROCESS_FILE_SLOW;
	set_root(b, 1, "one");
	intern_as(b, 1, 5, "/nfs/x");
	pin(b, 0, 1);
	b->fake.fetch_error = fetch_error;
}

/* Its file system did answer. */
static void a_slow_file_that_is_no_binary(void **state)
{
	struct bench b;
	int fd = -77;

	(void)state;
	begin_slow(&b, -ENOEXEC);
	assert_int_equal(file_table_borrow(b.t, 0, &fd), -ENOEXEC);
	expect_state(&b, 0, FILE_FAILED);
	assert_int_equal(count(&b, COUNTER_FILES_BAD), 1);
	assert_int_equal(count(&b, COUNTER_FILES_UNFETCHED), 0);
	file_table_free(b.t);
}

static void a_slow_file_that_does_not_answer(void **state)
{
	struct bench b;
	int fd = -77;

	(void)state;
	begin_slow(&b, -ETIMEDOUT);
	assert_int_equal(file_table_borrow(b.t, 0, &fd), -ETIMEDOUT);
	assert_int_equal(fd, -77);
	expect_state(&b, 0, FILE_FAILED);
	assert_int_equal(file_table_get(b.t, 0)->error, -ETIMEDOUT);
	assert_int_equal(count(&b, COUNTER_FILES_UNFETCHED), 1);
	assert_int_equal(count(&b, COUNTER_FILES_UNOPENED), 0);
	/* Not again, whoever asks and whenever. */
	set_root(&b, 2, "one");
	file_table_stale(b.t, UINT64_MAX);
	assert_int_equal(pin(&b, 0, 2), 0);
	assert_int_equal(b.fake.opens, 1);
	/* But another owner's is another file. */
	set_root(&b, 3, "two");
	b.fake.fetch_error = 0;
	assert_int_equal(pin(&b, 0, 3), 1);
	assert_int_equal(file_table_borrow(b.t, 1, &fd), 0);
	file_table_free(b.t);
}

/* ---- what it was, what it is ---- */

static void a_file_that_was_changed(void **state)
{
	static const struct {
		const char *what;
		struct file_identity now;
		bool changed;
	} rows[] = {
		{ "the same", { 1, 5, 100, 1000, 2000 }, false },
		{ "renamed", { 1, 5, 100, 1000, 2001 }, false },
		{ "not known", { 0 }, false },
		{ "written to", { 1, 5, 100, 1001, 2001 }, true },
		{ "longer", { 1, 5, 101, 1000, 2000 }, true },
		{ "another inode", { 1, 6, 100, 1000, 2000 }, true },
		{ "another device", { 2, 5, 100, 1000, 2000 }, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bench b;
		int now;

		begin(&b, 8, 8);
		b.fake.identity = (struct file_identity){ 1, 5, 100, 1000, 2000 };
		intern_as(&b, 1, 5, "/bin/x");
		pin(&b, 0, 1);
		file_table_unpin(b.t, 0);
		b.fake.identity = rows[i].now;
		now = pin(&b, 0, 1);
		if ((now != 0) != rows[i].changed)
			fail_msg("%s: number %d", rows[i].what, now);
		expect_state(&b, now, FILE_PINNED);
		assert_int_equal(intern_as(&b, 1, 5, "/bin/x"), now);
		if (rows[i].changed) {
			expect_state(&b, 0, FILE_FAILED);
			assert_int_equal(file_table_get(b.t, 0)->error, -ESTALE);
			assert_int_equal(pin(&b, 0, 9), now);
			assert_int_equal(count(&b, COUNTER_FILES_UNOPENED), 1);
		}
		file_table_free(b.t);
	}
}

/* What fstat() says is taken where the source says nothing of its own. */
static void identity_of_a_descriptor(void **state)
{
	struct process_source source = { .open = open_null };
	struct file_place p = place(5, 7, "/dev/null", 1);
	struct counters counters = { 0 };
	uint64_t root = ROOT_UNASKED;
	struct file_identity id;
	struct file_table *t;

	(void)state;
	assert_int_equal(file_table_new(&t, &source, &counters, 8, 2), 0);
	file_table_intern(t, &p, &root);
	assert_int_equal(file_table_pin(t, 0, &p, &root), 0);
	assert_int_equal(file_identify(file_table_get(t, 0)->fd, &id), 0);
	assert_int_not_equal(id.ino, 0);
	assert_memory_equal(&id, &file_table_get(t, 0)->identity, sizeof(id));
	assert_int_equal(file_identify(-1, &id), -EBADF);
	file_table_free(t);
}

/* ---- how long ---- */

/* The numbers that file_table_stale() gives at `s` seconds, as bits. */
static uint32_t stale_at(struct bench *b, uint64_t s)
{
	uint32_t file, all = 0;

	while ((file = file_table_stale(b->t, s * 1000000000)) != UINT32_MAX) {
		assert_false(all & 1u << file); /* each once */
		all |= 1u << file;
	}
	assert_int_equal(file_table_stale(b->t, s * 1000000000), UINT32_MAX);
	return all;
}

static void map_at(struct bench *b, uint32_t file, uint64_t s)
{
	file_table_mapped(b->t, file, s * 1000000000);
}

static void stale_pins(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, 16, 8);
	for (uint64_t i = 0; i < 4; i++)
		pin(&b, intern_as(&b, 1, 10 + i, "/a"), 1);
	assert_int_equal(stale_at(&b, 100), 0); /* it was not told the time before */
	for (uint64_t s = 101; s <= 106; s++) {
		uint32_t want = s == 105 ? 0xe : s == 106 ? 0x6 : 0, got;

		map_at(&b, 0, s);
		if (s == 106)
			map_at(&b, 3, s); /* somebody maps it again */
		got = stale_at(&b, s);
		if (got != want)
			fail_msg("at %d s: %x, want %x", (int)s, got, want);
	}
	file_table_drop(b.t, 1);
	file_table_unpin(b.t, 2);
	expect_state(&b, 1, FILE_UNSEEN);
	expect_state(&b, 2, FILE_DONE);
	assert_int_equal(file_table_pinned(b.t), 2);
	assert_int_equal(stale_at(&b, 110), 0);
	assert_int_equal(stale_at(&b, 111), 0x9);
	/* A device is used by what was seen to be mapped in this very round. */
	assert_false(file_table_uses_device(b.t, file_table_get(b.t, 0)->identity.dev));
	/* Pinned between two rounds: from the last one on. */
	pin(&b, 1, 1);
	assert_int_equal(stale_at(&b, 115), 0x9);
	assert_int_equal(stale_at(&b, 116), 0xb);
	/* Unpinned on the way. */
	assert_int_equal(file_table_stale(b.t, 117000000000), 0);
	file_table_drop(b.t, 3);
	assert_int_equal(file_table_stale(b.t, 117000000000), 1);
	assert_int_equal(file_table_stale(b.t, 117000000000), UINT32_MAX);
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
		cmocka_unit_test(slow_files),
		cmocka_unit_test(many_slow_files),
		cmocka_unit_test(a_slow_file_that_is_no_binary),
		cmocka_unit_test(a_slow_file_that_does_not_answer),
		cmocka_unit_test(a_file_that_was_changed),
		cmocka_unit_test(identity_of_a_descriptor),
		cmocka_unit_test(stale_pins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
