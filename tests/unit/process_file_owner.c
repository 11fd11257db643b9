// SPDX-License-Identifier: Apache-2.0
/*
 * Whose file it is: what looks like one file, and is several, in roots of their own; who is asked
 * for which.
 */
#include "profiler/process/file.h"

#include "tests/unit/process_file_bench.h"

/*
 * Two snapshots of a btrfs subvolume in two containers, seen at once: one device, one inode, two
 * files.
 */
static void ambiguous_files(void **state)
{
	struct bench b;
	int mine, other;

	(void)state;
	begin(&b, 16, 8);
	b.fake.open_kind = PROCESS_FILE_AMBIGUOUS;
	set_root(&b, 1, "one");
	set_root(&b, 2, "two");
	set_root(&b, 3, "one");
	mine = intern_as(&b, 1, 5, "/bin/x");
	assert_int_equal(intern_as(&b, 2, 5, "/bin/x"), mine); /* nobody knows yet */
	assert_int_equal(pin(&b, mine, 1), mine);
	assert_true(file_table_get(b.t, (uint32_t)mine)->ambiguous);
	other = intern_as(&b, 2, 5, "/bin/x");
	assert_int_not_equal(other, mine);
	assert_int_equal(pin(&b, mine, 2), other); /* a mapping that was seen before it was known */
	expect_state(&b, other, FILE_PINNED);
	assert_int_equal(b.fake.last.pid, 2);
	assert_int_equal(intern_as(&b, 3, 5, "/bin/x"), mine);
	assert_int_equal(pin(&b, mine, 3), mine);
	/* Let go or evicted, they stay two. */
	file_table_unpin(b.t, (uint32_t)mine);
	file_table_drop(b.t, (uint32_t)other);
	assert_int_equal(intern_as(&b, 3, 5, "/bin/x"), mine);
	assert_int_equal(intern_as(&b, 2, 5, "/bin/x"), other);
	/* In one root it is the name that tells them apart: /snapshots/1/x, /snapshots/2/x. */
	assert_int_not_equal(intern_as(&b, 1, 5, "/bin/y"), mine);
	assert_int_equal(file_table_count(b.t), 3);
	file_table_free(b.t);
}

/* One exec with five libraries asks once; what is not ambiguous never asks. */
static void roots_are_asked_once(void **state)
{
	struct file_place p;
	uint64_t root = ROOT_UNASKED;
	struct bench b;

	(void)state;
	begin(&b, 16, 16);
	set_root(&b, 1, "one");
	for (uint64_t round = 0; round < 2; round++) {
		for (uint64_t i = 0; i < 5; i++) {
			p = place(10 + i, 7, "/lib", 1);
			assert_int_equal(file_table_intern(b.t, &p, &root), i);
			assert_int_equal(file_table_pin(b.t, (uint32_t)i, &p, &root), i);
		}
		assert_int_equal(b.fake.reads[PROCESS_TEXT_ROOT], 0);
	}
	b.fake.open_kind = PROCESS_FILE_AMBIGUOUS;
	for (uint64_t i = 0; i < 5; i++) {
		p = place(20 + i, 7, "/lib", 1);
		assert_int_equal(file_table_intern(b.t, &p, &root), 5 + i);
		assert_int_equal(file_table_pin(b.t, 5 + (uint32_t)i, &p, &root), 5 + i);
	}
	assert_int_equal(b.fake.reads[PROCESS_TEXT_ROOT], 5); /* each open is looked at */
	root = ROOT_UNASKED;
	for (uint64_t i = 0; i < 5; i++) {
		p = place(20 + i, 7, "/lib", 1);
		assert_int_equal(file_table_intern(b.t, &p, &root), 5 + i);
		assert_int_equal(file_table_pin(b.t, 5 + (uint32_t)i, &p, &root), 5 + i);
	}
	assert_int_equal(b.fake.reads[PROCESS_TEXT_ROOT], 6);
	file_table_free(b.t);
}

/* Children that are gone are of their parent's root; those of nobody share what nobody can open. */
static void roots_of_the_dead(void **state)
{
	struct file_place p = place(5, 7, "/bin/x", 1);
	uint64_t root = ROOT_UNASKED;
	struct bench b;

	(void)state;
	begin(&b, 16, 8);
	b.fake.open_kind = PROCESS_FILE_AMBIGUOUS;
	set_root(&b, 1, "one");
	assert_int_equal(file_table_intern(b.t, &p, &root), 0);
	assert_int_equal(file_table_pin(b.t, 0, &p, &root), 0);
	for (uint32_t pid = 10; pid < 15; pid++) {
		p.pid = pid;
		p.parent_pid = 1;
		root = ROOT_UNASKED;
		assert_int_equal(file_table_intern(b.t, &p, &root), 0);
	}
	assert_int_equal(b.fake.reads[PROCESS_TEXT_ROOT], 1 + 5 + 1); /* the parent once */
	for (uint32_t pid = 20; pid < 25; pid++) {
		p.pid = pid;
		p.parent_pid = 0;
		root = ROOT_UNASKED;
		assert_int_equal(file_table_intern(b.t, &p, &root), 1);
		assert_int_equal(file_table_pin(b.t, 1, &p, &root), 1);
		expect_state(&b, 1, FILE_FAILED);
		assert_int_equal(file_table_get(b.t, 1)->error, -ESRCH);
	}
	assert_int_equal(count(&b, COUNTER_FILES_UNOPENED), 1);
	expect_state(&b, 0, FILE_PINNED);
	file_table_free(b.t);
}

/* It was in the root "one" when it was last asked, and opens from its own by now. */
static void who_left_for_another_root(void **state)
{
	struct file_place p = place(5, 7, "/bin/x", 1);
	uint64_t root = ROOT_UNASKED, left = ROOT_UNASKED;
	struct bench b;

	(void)state;
	begin(&b, 16, 8);
	b.fake.open_kind = PROCESS_FILE_AMBIGUOUS;
	set_root(&b, 1, "one");
	set_root(&b, 2, "one");
	assert_int_equal(file_table_intern(b.t, &p, &root), 0);
	assert_int_equal(file_table_pin(b.t, 0, &p, &root), 0);
	p.pid = 2;
	assert_int_equal(file_table_intern(b.t, &p, &left), 0);
	set_root(&b, 2, "two");
	file_table_drop(b.t, 0);
	assert_int_equal(file_table_pin(b.t, 0, &p, &left), 1);
	expect_state(&b, 0, FILE_UNSEEN);
	expect_state(&b, 1, FILE_PINNED);
	assert_int_equal(file_table_intern(b.t, &p, &left), 1);
	/* Gone between open and look: what was opened is nobody's. */
	file_table_drop(b.t, 1);
	set_root(&b, 2, NULL);
	assert_int_equal(file_table_pin(b.t, 1, &p, &left), 1);
	expect_state(&b, 1, FILE_FAILED);
	expect_state(&b, 0, FILE_UNSEEN);
	file_table_free(b.t);
}

/* More roots with such an inode than are looked through: each finds its own all the same. */
static void many_roots(void **state)
{
	const uint32_t roots = 40;
	struct bench b;
	char text[16];

	(void)state;
	begin(&b, 64, 64);
	b.fake.open_kind = PROCESS_FILE_AMBIGUOUS;
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t pid = 1; pid <= roots; pid++) {
			int file;

			snprintf(text, sizeof(text), "root %u", pid);
			set_root(&b, pid, text);
			file = intern_as(&b, pid, 5, "/bin/x");
			assert_int_equal(pin(&b, file, pid), pid - 1);
			file_table_unpin(b.t, pid - 1);
		}
		assert_int_equal(file_table_count(b.t), roots);
	}
	file_table_free(b.t);
}

/* What cannot be opened through one owner's processes is opened through another's. */
static void refusals_are_not_shared(void **state)
{
	struct bench b;
	int victims;

	(void)state;
	begin(&b, 16, 8);
	set_root(&b, 100, "victim");
	set_root(&b, 101, "victim");
	assert_int_equal(intern_as(&b, 1, 5, "/bin/x"), 0);
	b.fake.open_error = -EACCES;
	b.fake.open_failures = UINT32_MAX;
	for (uint32_t pid = 1; pid < 20; pid++) {
		set_root(&b, pid, "attacker");
		assert_int_equal(pin(&b, 0, pid), 0);
	}
	assert_int_equal(b.fake.opens, 8);
	b.fake.open_failures = 0;
	victims = intern_as(&b, 100, 5, "/bin/x");
	assert_int_equal(victims, 1);
	assert_int_equal(pin(&b, 0, 100), 1);
	expect_state(&b, 1, FILE_PINNED);
	expect_state(&b, 0, FILE_FAILED);
	/* It is no ambiguous one: from now on it is everybody's, also under other names. */
	assert_int_equal(intern_as(&b, 1, 5, "/bin/y"), 1);
	assert_int_equal(count(&b, COUNTER_FILES_UNOPENED), 1);

	/* Another inode with the same path is another file. */
	assert_int_equal(intern_as(&b, 101, 6, "/bin/x"), 2);
	assert_int_equal(pin(&b, 2, 101), 2);
	expect_state(&b, 2, FILE_PINNED);
	file_table_free(b.t);
}

/* In one root, eight failures are not for ever, where the time is told. */
static void failures_are_not_for_ever(void **state)
{
	const uint64_t s = 1000000000;
	struct bench b;

	(void)state;
	begin(&b, 16, 8);
	for (uint32_t pid = 1; pid <= 10; pid++)
		set_root(&b, pid, "one");
	intern_as(&b, 1, 5, "/bin/x");
	b.fake.open_error = -ESTALE;
	b.fake.open_failures = UINT32_MAX;
	assert_int_equal(file_table_stale(b.t, 100 * s), UINT32_MAX);
	for (uint64_t at = 100; at <= 220; at++) {
		file_table_stale(b.t, at * s);
		for (uint32_t pid = 1; pid <= 9; pid++)
			pin(&b, 0, pid);
	}
	/* 8, then after more than 1, 2, 4, 8, 16, 32 s */
	assert_int_equal(b.fake.opens, 8 + 6);
	b.fake.open_failures = 0;
	file_table_stale(b.t, 300 * s);
	pin(&b, 0, 10);
	expect_state(&b, 0, FILE_PINNED);
	assert_int_equal(count(&b, COUNTER_FILES_UNOPENED), 0);
	file_table_free(b.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ambiguous_files),
		cmocka_unit_test(roots_are_asked_once),
		cmocka_unit_test(roots_of_the_dead),
		cmocka_unit_test(who_left_for_another_root),
		cmocka_unit_test(many_roots),
		cmocka_unit_test(refusals_are_not_shared),
		cmocka_unit_test(failures_are_not_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
