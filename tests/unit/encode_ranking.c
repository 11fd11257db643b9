// SPDX-License-Identifier: Apache-2.0
#include "profiler/encode/ranking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/encode_profile.h"
#include "tests/unit/torture.h"

static const char *comm_of(const struct ranking *k, uint32_t process)
{
	return k->processes.items[process].name.text;
}

static void test_order(void **state)
{
	struct ranking k;
	struct profile p;
	uint32_t top[8];

	test_profile(&p);
	test_stack(&p, test_series(&p, "b", 1, 1), 5, "f@a", NULL);
	test_stack(&p, test_series(&p, "a", 2, 2), 5, "g@a", NULL);
	test_stack(&p, test_series(&p, "c", 3, 3), 4, "h@a", "sys@[kernel.kallsyms]", NULL);
	test_stack(&p, test_series(&p, "c", 4, 4), 4, "h@a", "[a]@a", NULL);
	test_stack(&p, test_series(&p, "c", 4, 5), 1, "h@a", "[a]@a", NULL);
	assert_int_equal(ranking_init(&k, &p, NULL), 0);
	assert_int_equal(k.count, 19);
	assert_int_equal(k.kernel_value, 4 * TEST_PERIOD_NS);
	assert_int_equal(k.unnamed_value, 5 * TEST_PERIOD_NS);

	assert_int_equal(ranking_top_processes(&k, 8, top), 3);
	assert_string_equal(comm_of(&k, top[0]), "c");
	assert_string_equal(comm_of(&k, top[1]), "a");
	assert_string_equal(comm_of(&k, top[2]), "b");
	assert_int_equal(k.processes.items[top[0]].pid_count, 2);
	assert_int_equal(k.processes.items[top[0]].kernel_value, 4 * TEST_PERIOD_NS);
	assert_int_equal(ranking_top_pids(&k, top[0], 8, top), 2);
	assert_int_equal(k.pids.items[top[0]].pid, 4);
	assert_int_equal(k.pids.items[top[1]].pid, 3);

	assert_int_equal(ranking_top_processes(&k, 2, top), 2);
	assert_string_equal(comm_of(&k, top[1]), "a");
	assert_int_equal(ranking_top_processes(&k, 0, top), 0);

	/* h is no leaf. */
	assert_int_equal(ranking_top_functions(&k, 8, top), 4);
	assert_string_equal(profile_text(&p, k.tree.frames.items[top[0]].name), "[a]");
	assert_string_equal(profile_text(&p, k.tree.frames.items[top[1]].name), "f");
	assert_int_equal(ranking_top_unnamed(&k, 8, top), 1);

	/* One comm, two threads, one stack. */
	assert_int_equal(ranking_top_stacks(&k, 8, top), 4);
	assert_int_equal(k.stacks.items[top[0]].count, 5);
	ranking_release(&k);
	ranking_release(&k);
	profile_release(&p);
}

static void test_sums_agree(void **state)
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		uint64_t processes = 0, pids = 0, stacks = 0;
		struct ranking k;
		struct profile p;

		test_random_profile(&p, seed, 500);
		assert_int_equal(ranking_init(&k, &p, NULL), 0);
		for (uint32_t i = 0; i < k.processes.count; i++)
			processes += k.processes.items[i].value;
		for (uint32_t i = 0; i < k.pids.count; i++)
			pids += k.pids.items[i].value;
		for (uint32_t i = 0; i < k.stacks.count; i++)
			stacks += k.stacks.items[i].value;
		assert_int_equal(k.value, profile_total_value(&p));
		assert_int_equal(processes, k.value);
		assert_int_equal(pids, k.value);
		assert_int_equal(stacks, k.value);
		assert_int_equal(k.processes.count, 3);
		assert_int_equal(k.pids.count, 9);
		ranking_release(&k);
		profile_release(&p);
	}
}

/* The hottest few of many are the first of all, sorted. */
static void test_top_is_the_top(void **state)
{
	static uint32_t all[5000], few[7];
	struct ranking k;
	struct profile p;
	uint32_t count;

	test_random_profile(&p, 11, 1000);
	assert_int_equal(ranking_init(&k, &p, NULL), 0);
	count = ranking_top_stacks(&k, 5000, all);
	assert_true(count > 7);
	for (uint32_t i = 1; i < count; i++)
		assert_true(k.stacks.items[all[i]].value <= k.stacks.items[all[i - 1]].value);
	assert_int_equal(ranking_top_stacks(&k, 7, few), 7);
	assert_memory_equal(few, all, sizeof(few));
	ranking_release(&k);
	profile_release(&p);
}

static int build(void *ctx)
{
	struct ranking k;
	int r = ranking_init(&k, ctx, NULL);

	ranking_release(&k);
	return r;
}

static void test_torture(void **state)
{
	struct profile p;

	test_random_profile(&p, 3, 50);
	assert_true(torture(build, &p) > 15);
	profile_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_sums_agree),
		cmocka_unit_test(test_top_is_the_top),
		cmocka_unit_test(test_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
