// SPDX-License-Identifier: Apache-2.0
#include "profiler/model/merge.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/encode_profile.h"
#include "tests/unit/model_lines.h"
#include "tests/unit/torture.h"

#define SAMPLES 300

/* Into an empty profile: the same stacks, only what is used, and the same again when it is merged twice. */
static void test_same(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct profile from, into;
		char *was, *is;
		int unused;

		test_random_profile(&from, seed, SAMPLES);
		unused = profile_string(&from, "nobody's", 8);
		assert_true(unused > 0);
		assert_int_equal(profile_init(&into, 64 << 20, 1 << 22), 0);
		assert_int_equal(profile_merge(&into, &from), 0);
		was = profile_lines(&from);
		is = profile_lines(&into);
		assert_string_equal(is, was);
		for (uint32_t i = 0; i < into.strings.count; i++)
			assert_string_not_equal(profile_text(&into, i), "nobody's");
		assert_int_equal(into.facts.period, from.facts.period);
		assert_string_equal(into.facts.event, from.facts.event);
		free(was);
		free(is);

		assert_int_equal(profile_merge(&into, &from), 0);
		assert_int_equal(into.samples.count, from.samples.count);
		assert_int_equal(profile_total_count(&into), 2 * profile_total_count(&from));
		assert_int_equal(profile_total_value(&into), 2 * profile_total_value(&from));
		assert_int_equal(into.facts.duration_ns, 2 * from.facts.duration_ns);
		profile_release(&from);
		profile_release(&into);
	}
}

/* The source grows while it is merged: what came later is translated, too. */
static void test_growing(void **state)
{
	struct profile_merge *m = NULL;
	struct profile from, into;

	test_profile(&from);
	assert_int_equal(profile_init(&into, 64 << 20, 1 << 22), 0);
	assert_int_equal(profile_merge_new(&m, &into, &from), 0);
	for (uint32_t i = 0; i < 100; i++) {
		char name[] = "f00@libc";
		uint32_t series = test_series(&from, "comm", i % 7, i % 7);
		const struct profile_sample *s;

		name[1] = (char)('0' + i / 10);
		name[2] = (char)('0' + i % 10);
		test_stack(&from, series, 1 + i, "main@a", name, NULL);
		s = &from.samples.items[from.samples.count - 1];
		assert_true(profile_merge_sample(m, s->series, s->node, s->count, s->value) >= 0);
	}
	assert_int_equal(profile_total_count(&into), 5050);
	assert_int_equal(into.samples.count, 100);
	assert_int_equal(into.series.count, 7);
	profile_merge_free(m);
	profile_release(&from);
	profile_release(&into);
}

/* What was translated before is amended there as well; what wasn't comes as it is. */
static void test_amended(void **state)
{
	struct profile_merge *m = NULL;
	struct profile from, into;
	const struct profile_sample *s;
	uint32_t series;
	char *was, *is;

	test_profile(&from);
	assert_int_equal(profile_init(&into, 64 << 20, 1 << 22), 0);
	assert_int_equal(profile_merge_new(&m, &into, &from), 0);
	series = test_series(&from, "comm", 1, 1);
	test_stack(&from, series, 1, "main@a", "leaf@a", NULL);
	s = from.samples.items;
	assert_true(profile_merge_sample(m, s->series, s->node, s->count, s->value) >= 0);
	for (uint32_t i = 0; i < 3; i++) {
		struct profile_line lines[2] = { test_line(&from, "inlined", 10 + i),
						 test_line(&from, "leaf", 20 + i) };

		test_stack(&from, series, 1, "main@a", "other@a", NULL);
		for (uint32_t j = 0; j < from.locations.count; j++)
			assert_int_equal(profile_location_amend(&from, j, true, lines, 2), 0);
		s = &from.samples.items[0];
		assert_true(profile_merge_sample(m, s->series, s->node, s->count, s->value) >= 0);
	}
	s = &from.samples.items[1];
	assert_true(profile_merge_sample(m, s->series, s->node, s->count, s->value) >= 0);
	profile_add_to(&from, 0, 3, 3 * TEST_PERIOD_NS);
	was = profile_lines(&from);
	is = profile_lines(&into);
	assert_string_equal(is, was);
	assert_non_null(strstr(is, " inlined:12 leaf:22"));
	assert_null(strstr(is, "leaf:20"));
	free(was);
	free(is);
	profile_merge_free(m);
	profile_release(&from);
	profile_release(&into);
}

static void test_facts(void **state)
{
	struct profile a, b;

	test_profile(&a);
	test_profile(&b);
	a.facts.time_ns += 5;
	b.facts.filtered = true;
	b.facts.own_memory_bytes = 7;
	a.counters.value[COUNTER_SAMPLES] = 3;
	b.counters.value[COUNTER_SAMPLES] = 4;
	assert_int_equal(profile_merge(&a, &b), 0);
	assert_int_equal(a.facts.time_ns, b.facts.time_ns);
	assert_int_equal(a.facts.duration_ns, 2 * b.facts.duration_ns);
	assert_int_equal(a.facts.machine_ns, 2 * b.facts.machine_ns);
	assert_int_equal(a.facts.own_memory_bytes, 7);
	assert_true(a.facts.filtered);
	assert_int_equal(a.counters.value[COUNTER_SAMPLES], 7);
	profile_release(&a);
	profile_release(&b);
}

static void test_full(void **state)
{
	struct profile from, into;

	test_random_profile(&from, 3, SAMPLES);
	assert_int_equal(profile_init(&into, 64 << 20, 50), 0);
	assert_int_equal(profile_merge(&into, &from), -E2BIG);
	assert_true(into.samples.count <= 50);
	profile_release(&from);
	profile_release(&into);
}

static int merge_once(void *from)
{
	struct profile into;
	int r = profile_init(&into, 64 << 20, 1 << 22);

	if (r < 0)
		return r;
	r = profile_merge(&into, from);
	if (r == 0)
		assert_int_equal(profile_total_count(&into), profile_total_count(from));
	profile_release(&into);
	return r;
}

static void test_torture(void **state)
{
	struct profile from;

	test_random_profile(&from, 5, 20);
	torture(merge_once, &from);
	profile_release(&from);
}

/* Two windows of one capture are that capture again. */
static void test_again(void **state)
{
	struct profile p, to;
	uint64_t total;

	test_random_profile(&p, 5, 500);
	p.counters.value[COUNTER_SAMPLES_MISSED] = 3;
	total = profile_total_value(&p);
	assert_int_equal(profile_init(&to, 64 << 20, 1 << 22), 0);
	assert_int_equal(profile_merge(&to, &p), 0);
	assert_int_equal(to.samples.count, p.samples.count);
	assert_int_equal(profile_total_value(&to), total);
	assert_int_equal(profile_merge(&to, &p), 0);
	assert_int_equal(to.samples.count, p.samples.count);
	assert_int_equal(to.nodes.count, p.nodes.count);
	assert_int_equal(profile_total_value(&to), 2 * total);
	assert_int_equal(to.facts.duration_ns, 2 * p.facts.duration_ns);
	assert_int_equal(to.facts.time_ns, p.facts.time_ns);
	assert_int_equal(counters_lost(&to.counters), 6);
	p.facts.value_unit = "count";
	assert_int_equal(profile_merge(&to, &p), -EINVAL);
	profile_release(&p);
	profile_release(&to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),    cmocka_unit_test(test_growing),
		cmocka_unit_test(test_facts),   cmocka_unit_test(test_full),
		cmocka_unit_test(test_again),   cmocka_unit_test(test_torture),
		cmocka_unit_test(test_amended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
