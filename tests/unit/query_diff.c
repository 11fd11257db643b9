// SPDX-License-Identifier: Apache-2.0
/*
 * Profiles of which it is known what changed: figures, ranks and verdicts; sampling rates, lengths and losses that
 * differ and are no change; chance, which is none; and the time that a large one takes.
 */
#include "profiler/query/diff.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "profiler/base/clock.h"
#include "profiler/query/significance.h"
#include "tests/unit/encode_profile.h"
#include "tests/unit/torture.h"

static void expect_near(const char *what, double is, double should, double within)
{
	if (!(fabs(is - should) <= within))
		fail_msg("%s: is %.9g, should be %.9g", what, is, should);
}

static struct diff *compare(const struct profile *a, const struct profile *b, enum diff_mode mode,
			    const char *by)
{
	struct diff_options o = { .mode = mode };
	struct err err = { "" };
	struct diff *d = NULL;

	if (by)
		assert_int_equal(group_keys_parse(&o.by, by, NULL), 0);
	if (diff_new(&d, a, b, &o, &err) != 0)
		fail_msg("not compared: %s", err.text);
	return d;
}

static const struct diff_item *function(const struct diff *d, const char *name)
{
	for (uint32_t i = 0; i < d->functions.items.count; i++) {
		const struct diff_item *item = &d->functions.items.items[i];

		if (!strcmp(profile_text(&d->both, d->tree.frames.items[item->what].name), name))
			return item;
	}
	fail_msg("no function %s", name);
	return NULL;
}

/* 10 s: f 100 → 200 samples, g 50 → 50, h 0 → 30, i 30 → 0. */
static void two(struct profile *a, struct profile *b)
{
	uint32_t s;

	test_profile(a);
	s = test_series(a, "app", 1, 1);
	test_stack(a, s, 100, "main@app", "f@app", NULL);
	test_stack(a, s, 50, "main@app", "g@app", NULL);
	test_stack(a, s, 30, "main@app", "i@app", NULL);
	test_profile(b);
	s = test_series(b, "other", 9, 9); /* so that numbers differ */
	test_stack(b, s, 1, "x@other", NULL);
	s = test_series(b, "app", 2, 2);
	test_stack(b, s, 30, "main@app", "h@app", NULL);
	test_stack(b, s, 50, "main@app", "g@app", NULL);
	test_stack(b, s, 200, "main@app", "f@app", NULL);
}

static void test_absolute(void **state)
{
	const double sample = TEST_PERIOD_NS / 10e9; /* cores */
	const struct diff_item *f;
	struct profile a, b;
	struct diff *d;

	two(&a, &b);
	d = compare(&a, &b, DIFF_AUTO, NULL);
	assert_false(d->relative);
	f = function(d, "f");
	expect_near("before", f->before, 100 * sample, 1e-12);
	expect_near("after", f->after, 200 * sample, 1e-12);
	expect_near("change", f->change, 100 * sample, 1e-12);
	expect_near("error", f->error, 2 * sqrt(101 + 201) * sample, 1e-12);
	expect_near("p", f->ln_p, significance_of_rates(100, 1, 200, 1), 1e-9);
	expect_near("total", function(d, "main")->total_change, 100 * sample, 1e-12);
	expect_near("all", d->all.change, 101 * sample, 1e-12);
	assert_int_equal(d->functions.changed, 3);
	/* 30 that came from nothing are surer than 100 more of 100. */
	assert_ptr_equal(&d->functions.items.items[2], f);
	assert_true(function(d, "h")->q < 0.001 && function(d, "i")->q < 0.001);
	assert_true(function(d, "h")->change > 0 && function(d, "i")->change < 0);
	expect_near("g", function(d, "g")->change, 0, 1e-12);
	assert_true(function(d, "g")->q > 0.5);
	assert_false(function(d, "x")->is_tested);
	assert_int_equal(d->stacks.changed, 3);
	assert_int_equal(d->by_group.items.count, 2);
	diff_free(d);
	profile_release(&a);
	profile_release(&b);
}

static void test_relative(void **state)
{
	struct profile a, b;
	struct diff *d;

	two(&a, &b);
	a.facts.duration_ns = 0;
	d = compare(&a, &b, DIFF_AUTO, NULL);
	assert_true(d->relative);
	expect_near("g", function(d, "g")->change, 100 * (50 / 281.0 - 50 / 180.0), 1e-9);
	expect_near("p", function(d, "g")->ln_p, significance_of_shares(50, 180, 50, 281), 1e-9);
	expect_near("all", d->all.change, 0, 1e-9);
	diff_free(d);
	profile_release(&a);
	profile_release(&b);
}

/* The same load, sampled four times as often, for half as long, with a third lost: nothing changed. */
static void test_rates_lengths_and_losses(void **state)
{
	struct profile a, b;
	struct diff *d;
	uint32_t s;

	test_profile(&a);
	s = test_series(&a, "app", 1, 1);
	test_stack(&a, s, 300, "f@app", NULL);
	test_profile(&b);
	b.facts.period = TEST_PERIOD_NS / 4;
	b.facts.duration_ns = 5000000000;
	b.counters.value[COUNTER_SAMPLES_MISSED] = 200;
	s = test_series(&b, "app", 1, 1);
	test_id(profile_add(&b, s, test_id(profile_node(&b, 0, test_location(&b, "f@app"), 0)), 400,
			    400 * (TEST_PERIOD_NS / 4)));
	d = compare(&a, &b, DIFF_ABSOLUTE, NULL);
	expect_near("change", function(d, "f")->change, 0, 1e-6);
	expect_near("p", function(d, "f")->ln_p, 0, 0.1);
	expect_near("exposure", d->sides[1].exposure / d->sides[0].exposure, 4 * 0.5 / 1.5, 1e-6);
	diff_free(d);
	profile_release(&a);
	profile_release(&b);
}

static void test_refused(void **state)
{
	const struct diff_options absolute = { .mode = DIFF_ABSOLUTE };
	struct profile a, b;
	struct err err;
	struct diff *d;

	two(&a, &b);
	b.facts.value_type = "cycles";
	b.facts.value_unit = "count";
	assert_int_equal(diff_new(&d, &a, &b, &absolute, &err), -EINVAL);
	assert_non_null(strstr(err.text, "cycles"));
	d = compare(&a, &b, DIFF_AUTO, NULL);
	assert_true(d->relative);
	diff_free(d);
	b.facts = a.facts;
	b.facts.duration_ns = 0;
	assert_int_equal(diff_new(&d, &a, &b, &absolute, &err), -EINVAL);
	assert_non_null(strstr(err.text, "how long"));
	profile_release(&a);
	profile_release(&b);
}

/* Of nothing, with something. */
static void test_empty(void **state)
{
	struct profile a, b, none;

	two(&a, &b);
	test_profile(&none);
	for (int mode = DIFF_ABSOLUTE; mode <= DIFF_RELATIVE; mode++) {
		struct diff *d = compare(&none, &b, (enum diff_mode)mode, NULL);

		assert_true(isfinite(d->all.error) && isfinite(d->all.change));
		assert_int_equal(d->functions.changed > 0, mode == DIFF_ABSOLUTE);
		diff_free(d);
		d = compare(&none, &none, (enum diff_mode)mode, NULL);
		assert_int_equal(d->functions.items.count, 0);
		diff_free(d);
	}
	profile_release(&a);
	profile_release(&b);
	profile_release(&none);
}

static void test_groups(void **state)
{
	struct profile a, b;
	struct diff *d;

	two(&a, &b);
	d = compare(&a, &b, DIFF_AUTO, "pid,missing");
	assert_int_equal(d->by_group.items.count, 3);
	assert_int_equal(d->by_group.changed, 2); /* 1 gone, 2 new; 9 is one sample */
	diff_free(d);
	profile_release(&a);
	profile_release(&b);
}

/* ---- chance ---- */

/* `samples` samples, the function by 1/rank; `shift` of 1,000 are moved to function 7. */
static void sampled(struct profile *p, uint64_t *seed, uint32_t samples, uint32_t shift)
{
	uint32_t series, nodes[512];
	double weights[512], sum = 0;

	test_profile(p);
	series = test_series(p, "app", 1, 1);
	for (int i = 0; i < 512; i++) {
		char name[32];

		snprintf(name, sizeof(name), "function_%d@app", i);
		nodes[i] = test_id(profile_node(p, 0, test_location(p, name), 0));
		sum += 1.0 / (i + 1);
		weights[i] = sum;
	}
	for (uint32_t i = 0; i < samples; i++) {
		double at = (double)(test_random(seed) >> 11) / 9007199254740992.0 * sum;
		int f = 0;

		while (f < 511 && weights[f] < at)
			f++;
		if (test_random(seed) % 1000 < shift)
			f = 7;
		test_id(profile_add(p, series, nodes[f], 1, TEST_PERIOD_NS));
	}
}

/* 200 times two profiles of one load: at most 5 % may show any change, and chance on top of that. */
static void test_false_discoveries(void **state)
{
	uint64_t seed = 4711;
	uint32_t any = 0, found = 0, others = 0;

	for (int i = 0; i < 200; i++) {
		struct profile a, b, c;
		struct diff *d;

		sampled(&a, &seed, 4000, 0);
		sampled(&b, &seed, 4000, 0);
		sampled(&c, &seed, 4000, 30);
		d = compare(&a, &b, i % 2 ? DIFF_ABSOLUTE : DIFF_RELATIVE, NULL);
		any += d->functions.changed > 0;
		diff_free(d);
		d = compare(&a, &c, DIFF_ABSOLUTE, NULL);
		found += function(d, "function_7")->q <= SIGNIFICANCE_LEVEL;
		others +=
			d->functions.changed - (function(d, "function_7")->q <= SIGNIFICANCE_LEVEL);
		diff_free(d);
		profile_release(&a);
		profile_release(&b);
		profile_release(&c);
	}
	print_message(
		"of 200: %u with a false change; a true one of 3 %% found in %u, beside %u others\n",
		any, found, others);
	if (any > 22)
		fail_msg("runs with a false change: is %u, should be at most 22", any);
	if (found < 190)
		fail_msg("a change of 3 %% is found: is %u, should be at least 190", found);
	if (others > 40)
		fail_msg("others beside it: is %u, should be at most 40", others);
}

/* ---- a large one ---- */

static void large(struct profile *p, uint64_t seed)
{
	uint32_t series;

	test_profile(p);
	series = test_series(p, "app", 1, 1);
	while (p->nodes.count < 100000) {
		uint32_t node = 0, depth = 5 + test_random(&seed) % 40;

		for (uint32_t i = 0; i < depth; i++) {
			char name[32];

			snprintf(name, sizeof(name), "f%u@app",
				 (uint32_t)(test_random(&seed) % (i < 5 ? 3 : 3000)));
			node = test_id(profile_node(p, node, test_location(p, name), 0));
		}
		test_id(profile_add(p, series, node, 1, TEST_PERIOD_NS));
	}
}

static void test_speed(void **state)
{
	uint64_t best_ns = UINT64_MAX;
	struct profile a, b;

	large(&a, 1);
	large(&b, 2);
	for (int i = 0; i < 5; i++) {
		uint64_t begin_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID), took_ns;
		struct diff *d = compare(&a, &b, DIFF_AUTO, NULL);

		took_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin_ns;
		best_ns = took_ns < best_ns ? took_ns : best_ns;
		diff_free(d);
	}
	print_message("two profiles of %u and %u nodes: %.1f ms\n", a.nodes.count, b.nodes.count,
		      (double)best_ns / 1e6);
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__)
	assert_true(best_ns < 300 * NS_PER_MS); /* seen: a third of that */
#endif
	profile_release(&a);
	profile_release(&b);
}

struct torment {
	struct profile a, b;
};

static int compare_some(void *ctx)
{
	const struct diff_options o = { .mode = DIFF_AUTO };
	struct torment *t = ctx;
	struct diff *d;
	int r = diff_new(&d, &t->a, &t->b, &o, NULL);

	if (r == 0)
		diff_free(d);
	return r;
}

static void test_torture(void **state)
{
	struct torment t;

	two(&t.a, &t.b);
	assert_true(torture(compare_some, &t) > 30);
	profile_release(&t.a);
	profile_release(&t.b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_absolute),
		cmocka_unit_test(test_relative),
		cmocka_unit_test(test_rates_lengths_and_losses),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_false_discoveries),
		cmocka_unit_test(test_speed),
		cmocka_unit_test(test_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
