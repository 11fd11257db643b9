// SPDX-License-Identifier: Apache-2.0
#include "profiler/process/roster.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void add_find_remove(void **state)
{
	struct roster r;
	struct process *p;

	(void)state;
	assert_int_equal(roster_init(&r, 2), 0);
	assert_null(roster_find(&r, 1));
	assert_null(roster_find(&r, 0)); /* unused slots are nobody */
	p = roster_add(&r, 1);
	assert_non_null(p);
	assert_int_equal(p->pid, 1);
	assert_non_null(roster_add(&r, UINT32_MAX));
	assert_null(roster_add(&r, 3)); /* full */
	assert_ptr_equal(roster_find(&r, 1), p);
	roster_remove(&r, p);
	assert_null(roster_find(&r, 1));
	assert_non_null(roster_find(&r, UINT32_MAX));
	/* the slot is taken again, and answers to its new name only */
	assert_ptr_equal(roster_add(&r, 3), p);
	assert_ptr_equal(roster_find(&r, 3), p);
	assert_null(roster_find(&r, 1));
	assert_int_equal(r.live, 2);
	roster_release(&r);
}

static void dead_in_order(void **state)
{
	static const uint32_t want[] = { 3, 4, 1 };
	struct process *p[5];
	struct roster r;

	(void)state;
	assert_int_equal(roster_init(&r, 8), 0);
	assert_null(roster_longest_dead(&r));
	for (uint32_t i = 0; i < 5; i++)
		p[i] = roster_add(&r, i);
	for (uint32_t i = 0; i < 5; i++)
		roster_bury(&r, p[i], 10 + i);
	roster_bury(&r, p[1], 20); /* seen again: the latest now */
	roster_bury(&r, p[3], 5); /* seen earlier: changes nothing */
	assert_int_equal(p[3]->dead_ns, 13);
	roster_revive(&r, p[2]);
	roster_revive(&r, p[2]);
	roster_remove(&r, p[0]);
	for (uint32_t i = 0; i < 3; i++) {
		struct process *dead = roster_longest_dead(&r);

		assert_non_null(dead);
		assert_int_equal(dead->pid, want[i]);
		roster_remove(&r, dead);
	}
	assert_null(roster_longest_dead(&r));
	assert_false(p[2]->dead);
	assert_int_equal(r.live, 1);
	roster_release(&r);
}

static void iterate(void **state)
{
	struct process *p = NULL;
	uint32_t seen = 0;
	struct roster r;

	(void)state;
	assert_int_equal(roster_init(&r, 8), 0);
	assert_null(roster_next(&r, NULL));
	for (uint32_t i = 0; i < 5; i++)
		roster_add(&r, i);
	roster_remove(&r, roster_find(&r, 0));
	roster_remove(&r, roster_find(&r, 2));
	roster_remove(&r, roster_find(&r, 4));
	while ((p = roster_next(&r, p)))
		seen |= 1U << p->pid;
	assert_int_equal(seen, 1U << 1 | 1U << 3);
	roster_release(&r);
}

/* Millions of pids pass through: the index must not keep them. */
static void index_stays_small(void **state)
{
	struct roster r;

	(void)state;
	assert_int_equal(roster_init(&r, 4), 0);
	roster_add(&r, UINT32_MAX);
	for (uint32_t pid = 0; pid < 300000; pid++) {
		struct process *p = roster_add(&r, pid);

		assert_non_null(p);
		assert_ptr_equal(roster_find(&r, pid), p);
		roster_remove(&r, p);
	}
	assert_non_null(roster_find(&r, UINT32_MAX));
	assert_in_range(r.by_pid.used, 1, 2048);
	roster_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(add_find_remove),
		cmocka_unit_test(dead_in_order),
		cmocka_unit_test(iterate),
		cmocka_unit_test(index_stays_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
