// SPDX-License-Identifier: Apache-2.0
/*
 * Against sums of probabilities that were written out by brute force here, and against chance itself: of comparisons
 * where nothing changed no more are called changes than is claimed.
 */
#include "profiler/query/significance.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/encode_profile.h"

#define FUNCTIONS 2000
#define RUNS 300

static void expect_near(const char *what, double is, double should, double within)
{
	if (!(fabs(is - should) <= within))
		fail_msg("%s: is %.12g, should be %.12g", what, is, should);
}

static double choose(int n, int k)
{
	double product = 1;

	for (int i = 1; i <= k; i++)
		product *= (double)(n - k + i) / i;
	return product;
}

/* P of a pmf over 0 … n; two-sided mid-p by doubling. */
static double brute(const double *pmf, int n, int x)
{
	double lower = pmf[x] / 2, upper = pmf[x] / 2, least;

	for (int i = 0; i < x; i++)
		lower += pmf[i];
	for (int i = x + 1; i <= n; i++)
		upper += pmf[i];
	least = lower < upper ? lower : upper;
	return 2 * least < 1 ? 2 * least : 1;
}

static void test_rates(void **state)
{
	for (int n = 1; n <= 30; n++) {
		for (int tenths = 1; tenths < 10; tenths += 2) {
			double second = tenths / 10.0, pmf[31];

			for (int x = 0; x <= n; x++)
				pmf[x] = choose(n, x) * pow(second, x) * pow(1 - second, n - x);
			for (int x = 0; x <= n; x++)
				expect_near("p of rates",
					    exp(significance_of_rates((uint64_t)(n - x), 1 - second,
								      (uint64_t)x, second)),
					    brute(pmf, n, x), 1e-9);
		}
	}
}

static void test_shares(void **state)
{
	const int a_all = 25, b_all = 13;

	for (int n = 1; n < a_all + b_all; n++) {
		double pmf[40] = { 0 };
		int from = n > a_all ? n - a_all : 0, to = n < b_all ? n : b_all;

		for (int x = from; x <= to; x++)
			pmf[x] = choose(b_all, x) * choose(a_all, n - x) / choose(a_all + b_all, n);
		for (int x = from; x <= to; x++)
			expect_near("p of shares",
				    exp(significance_of_shares((uint64_t)(n - x), a_all,
							       (uint64_t)x, b_all)),
				    brute(pmf, n, x), 1e-9);
	}
}

static void test_extremes(void **state)
{
	expect_near("nothing at all", significance_of_rates(0, 1, 0, 1), 0, 0);
	expect_near("shares of nothing", significance_of_shares(0, 0, 5, 10), 0, 0);
	expect_near("all of both", significance_of_shares(10, 10, 20, 20), 0, 0);
	/* Half of 2^-20 at either end. */
	expect_near("none and twenty", significance_of_rates(0, 1, 20, 1), -20 * M_LN2, 1e-9);
	expect_near("twenty and none", significance_of_rates(20, 1, 0, 1), -20 * M_LN2, 1e-9);
	/* Where exp() would be 0, and where sums give way to the normal distribution. */
	assert_true(significance_of_rates(0, 1, 50000, 1) < -30000);
	expect_near("the normal one, 1 % apart",
		    significance_of_rates(100000, 1, 101000, 1) /
			    significance_of_rates(49900, 1, 50100, 1),
		    log(erfc(1000 / sqrt(201000) / M_SQRT2)) /
			    log(erfc(200 / sqrt(100000) / M_SQRT2)),
		    0.05);
	assert_true(isfinite(significance_of_rates(UINT64_MAX, 1, 0, 1)));
	assert_true(isfinite(significance_of_shares(UINT64_MAX / 2, UINT64_MAX, 1, UINT64_MAX)));
}

static void test_possible(void **state)
{
	/* 2^-4 is more than 0.05, 2^-5 less. */
	assert_false(significance_is_possible(4, 0.5));
	assert_true(significance_is_possible(5, 0.5));
	assert_true(significance_is_possible(2, 0.9));
	assert_false(significance_is_possible(1000, 0));
}

static void test_adjust(void **state)
{
	const double p[] = { 0.001, 0.01, 0.03, 0.035, 0.9 };
	const double want[] = { 0.005, 0.025, 0.04375, 0.04375, 0.9 };
	double ln_p[5], q[5];

	for (int i = 0; i < 5; i++)
		ln_p[i] = log(p[i]);
	significance_adjust(ln_p, 5, q);
	for (int i = 0; i < 5; i++)
		expect_near("q", q[i], want[i], 1e-12);
}

/* ---- chance ---- */

static double uniform(uint64_t *seed)
{
	return ((double)(test_random(seed) >> 11) + 0.5) / 9007199254740992.0;
}

/* By Knuth for small means, from the normal distribution for others. */
static uint64_t poisson(uint64_t *seed, double mean)
{
	double product = 1, limit = exp(-mean), value;
	uint64_t n = 0;

	if (mean > 200) {
		value = mean +
			sqrt(mean) * sqrt(-2 * log(uniform(seed))) * cos(2 * M_PI * uniform(seed));
		return value > 0 ? (uint64_t)llround(value) : 0;
	}
	while ((product *= uniform(seed)) > limit)
		n++;
	return n;
}

struct verdicts {
	double false_share; /* of what was called a change, in the mean of all runs */
	double found_share; /* of what changed */
};

struct comparison {
	double ln_p;
	bool changed;
};

static int by_p(const void *a, const void *b)
{
	const struct comparison *x = a, *y = b;

	return (x->ln_p > y->ln_p) - (x->ln_p < y->ln_p);
}

/*
 * One run: functions whose means fall as 1/rank, as those of profiles do; every `every`th (0: none) has four times
 * as much in the second.
 */
static void compare_once(uint64_t *seed, int every, bool shares, struct verdicts *sum)
{
	static uint64_t a[FUNCTIONS], b[FUNCTIONS];
	static struct comparison tests[FUNCTIONS];
	static double ln_p[FUNCTIONS], q[FUNCTIONS];
	uint32_t count = 0, found = 0, wrong = 0, changes = 0;
	uint64_t a_all = 0, b_all = 0;
	const double longer = 1.7; /* the second took as much longer */

	for (int i = 0; i < FUNCTIONS; i++) {
		double mean = 1500.0 / (i + 1);
		bool changed = every && i % every == every - 1;

		a[i] = poisson(seed, mean);
		b[i] = poisson(seed, mean * longer * (changed ? 4 : 1));
		a_all += a[i];
		b_all += b[i];
		changes += changed;
	}
	for (int i = 0; i < FUNCTIONS; i++) {
		double second = shares ? (double)b_all / (double)(a_all + b_all)
				       : longer / (1 + longer);

		if (!significance_is_possible(a[i] + b[i], second))
			continue;
		tests[count++] = (struct comparison){
			shares ? significance_of_shares(a[i], a_all, b[i], b_all)
			       : significance_of_rates(a[i], 1, b[i], longer),
			every && i % every == every - 1,
		};
	}
	qsort(tests, count, sizeof(*tests), by_p);
	for (uint32_t i = 0; i < count; i++)
		ln_p[i] = tests[i].ln_p;
	significance_adjust(ln_p, count, q);
	for (uint32_t i = 0; i < count && q[i] <= SIGNIFICANCE_LEVEL; i++) {
		found++;
		wrong += !tests[i].changed;
	}
	sum->false_share += found ? (double)wrong / found / RUNS : 0;
	sum->found_share += changes ? (double)(found - wrong) / changes / RUNS : 0;
}

static struct verdicts compare_often(int every, bool shares)
{
	uint64_t seed = 20261123;
	struct verdicts sum = { 0 };

	for (int i = 0; i < RUNS; i++)
		compare_once(&seed, every, shares, &sum);
	print_message(
		"%s, one of %d changed: %.3f of what was called a change was none, %.3f was found\n",
		shares ? "shares" : "rates", every, sum.false_share, sum.found_share);
	return sum;
}

/* Nothing changed: then each discovery is false, and 5 % of runs may have any; 4 standard errors on top. */
static void test_no_change(void **state)
{
	const double most = SIGNIFICANCE_LEVEL + 4 * sqrt(0.05 * 0.95 / RUNS);

	for (int shares = 0; shares < 2; shares++) {
		double share = compare_often(0, shares).false_share;

		if (share > most)
			fail_msg("false discoveries: is %.3f, should be at most %.3f", share, most);
		/* A test that never says anything would pass, too. */
		assert_true(share > 0.001);
	}
}

/*
 * Some changed: the others are not called so. Most of those that did have too few samples to tell. No shares here:
 * what grows makes all others' shrink, so that each of them is a change.
 */
static void test_changes(void **state)
{
	struct verdicts v = compare_often(40, false);

	if (v.false_share > SIGNIFICANCE_LEVEL + 0.01)
		fail_msg("false discoveries: is %.3f, should be at most %.3f", v.false_share,
			 SIGNIFICANCE_LEVEL + 0.01);
	if (v.found_share < 0.1)
		fail_msg("found: is %.3f, should be at least 0.1", v.found_share);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),    cmocka_unit_test(test_shares),
		cmocka_unit_test(test_extremes), cmocka_unit_test(test_possible),
		cmocka_unit_test(test_adjust),   cmocka_unit_test(test_no_change),
		cmocka_unit_test(test_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
