// SPDX-License-Identifier: Apache-2.0
#include "profiler/process/root.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/process_fake.h"

struct bench {
	struct fake fake;
	struct roots roots;
};

static void begin(struct bench *b)
{
	fake_init(&b->fake);
	fake_set(&b->fake, PROCESS_TEXT_ROOT, 1, "one", 0);
	fake_set(&b->fake, PROCESS_TEXT_ROOT, 2, "two", 0);
	fake_set(&b->fake, PROCESS_TEXT_ROOT, 3, "one", 0);
	fake_set(&b->fake, PROCESS_TEXT_ROOT, 4, "", 0);
	fake_set(&b->fake, PROCESS_TEXT_ROOT, 5, NULL, -EACCES);
	roots_init(&b->roots, &b->fake.source);
}

static uint64_t of(struct bench *b, uint32_t pid, uint32_t parent_pid)
{
	const struct file_place place = { .pid = pid, .parent_pid = parent_pid };
	uint64_t known = ROOT_UNASKED;

	assert_true(roots_of(&b->roots, &place, &known) == known);
	return known;
}

static void equal_texts_are_equal_roots(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	assert_true(roots_ask(&b.roots, 1) > ROOT_UNKNOWN);
	assert_true(roots_ask(&b.roots, 1) == roots_ask(&b.roots, 3));
	assert_true(roots_ask(&b.roots, 1) != roots_ask(&b.roots, 2));
	/* No text, no right to it, no such process, no pid. */
	for (uint32_t pid = 4; pid <= 6; pid++)
		assert_int_equal(roots_ask(&b.roots, pid), ROOT_UNKNOWN);
	assert_int_equal(roots_ask(&b.roots, 0), ROOT_UNKNOWN);
	roots_release(&b.roots);
}

static void what_is_known_is_not_asked_for(void **state)
{
	const struct file_place place = { .pid = 1 };
	struct bench b;
	uint64_t known = 77;

	(void)state;
	begin(&b);
	assert_int_equal(roots_of(&b.roots, &place, &known), 77);
	known = ROOT_UNKNOWN;
	assert_int_equal(roots_of(&b.roots, &place, &known), ROOT_UNKNOWN);
	assert_int_equal(b.fake.reads[PROCESS_TEXT_ROOT], 0);
	roots_release(&b.roots);
}

static void a_parent_stands_for_its_children(void **state)
{
	struct bench b;
	uint64_t one;

	(void)state;
	begin(&b);
	one = roots_ask(&b.roots, 1);
	assert_true(of(&b, 1, 2) == one); /* only if it is gone */
	for (uint32_t pid = 10; pid < 15; pid++)
		assert_true(of(&b, pid, 1) == one);
	assert_int_equal(b.fake.reads[PROCESS_TEXT_ROOT], 1 + 1 + 5 + 1);
	assert_true(of(&b, 10, 2) == roots_ask(&b.roots, 2));
	assert_int_equal(of(&b, 10, 6), ROOT_UNKNOWN);
	assert_int_equal(of(&b, 10, 0), ROOT_UNKNOWN);
	/* The parent moves: for a while nobody notices. */
	assert_true(of(&b, 10, 1) == one);
	fake_set(&b.fake, PROCESS_TEXT_ROOT, 1, "two", 0);
	assert_true(of(&b, 10, 1) == one);
	roots_forget(&b.roots);
	assert_true(of(&b, 10, 1) == roots_ask(&b.roots, 2));
	roots_release(&b.roots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_texts_are_equal_roots),
		cmocka_unit_test(what_is_known_is_not_asked_for),
		cmocka_unit_test(a_parent_stands_for_its_children),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
