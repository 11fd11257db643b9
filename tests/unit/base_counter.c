// SPDX-License-Identifier: Apache-2.0
#include "profiler/base/counter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Names are metric names, helps are clauses: /metrics and the quality report are made of them. */
static void each_has_a_name_and_a_help(void **state)
{
	for (enum counter id = 0; id < COUNTER_COUNT; id++) {
		const char *name = counter_name(id), *help = counter_help(id);

		assert_non_null(name);
		assert_non_null(help);
		if (!*name || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name))
			fail_msg("counter %d: \"%s\" is no metric name", id, name);
		if (!*help || help[strlen(help) - 1] == '.')
			fail_msg("counter %d: \"%s\" is no clause", id, help);
	}
}

static void names_are_unique(void **state)
{
	for (enum counter a = 0; a < COUNTER_COUNT; a++)
		for (enum counter b = 0; b < a; b++)
			if (!strcmp(counter_name(a), counter_name(b)))
				fail_msg("counters %d and %d: both are \"%s\"", a, b,
					 counter_name(a));
}

static void the_kernels_come_first(void **state)
{
	assert_int_equal(COUNTER_SAMPLES, BPF_COUNTER_COUNT);
	assert_string_equal(counter_name((enum counter)BPF_COUNTER_SAMPLES_LOST_RING),
			    "samples_lost_ring_full");
}

static void adds_up(void **state)
{
	struct counters c = { 0 };

	counter_add(&c, COUNTER_SAMPLES, 3);
	counter_add(&c, COUNTER_SAMPLES, 4);
	for (enum counter id = 0; id < COUNTER_COUNT; id++)
		assert_int_equal(counter_get(&c, id), id == COUNTER_SAMPLES ? 7 : 0);
}

/* Lost is what was taken and is in no result: neither filtered, nor idle, nor without a name. */
static void lost_samples_are_these(void **state)
{
	static const enum counter lost[] = {
		COUNTER_SAMPLES_LOST_RING,     COUNTER_SAMPLES_LOST_CPU,
		COUNTER_SAMPLES_LOST_SCRATCH,  COUNTER_SAMPLES_MISSED,
		COUNTER_SAMPLES_MALFORMED,     COUNTER_SAMPLES_DROPPED_MEMORY,
		COUNTER_SAMPLES_DROPPED_STORE,
	};
	const size_t n = sizeof(lost) / sizeof(lost[0]);

	for (enum counter id = 0; id < COUNTER_COUNT; id++) {
		struct counters c = { 0 };
		uint64_t want = 0;

		counter_add(&c, id, 5);
		for (size_t i = 0; i < n; i++)
			want += lost[i] == id ? 5 : 0;
		if (counters_lost(&c) != want)
			fail_msg("%s: got %d lost, want %d", counter_name(id),
				 (int)counters_lost(&c), (int)want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_has_a_name_and_a_help), cmocka_unit_test(names_are_unique),
		cmocka_unit_test(the_kernels_come_first),     cmocka_unit_test(adds_up),
		cmocka_unit_test(lost_samples_are_these),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
