// SPDX-License-Identifier: Apache-2.0
/*
 * The probability of what was counted by lgamma(), those further out by the ratio of neighbours, which shrinks:
 * the sum is short. Counts beyond EXACT_MAX, where it would not be, are compared as normal; nothing there
 * depends on the difference.
 *
 * Refused: the z-test of two proportions, which is wrong for counts below ten, and most functions have fewer.
 */
#include "profiler/query/significance.h"

#include <math.h>

#define EXACT_MAX 100000
#define NEGLIGIBLE 1e-12

/* A distribution of how many of `n` are the second's. */
struct urn {
	double n;
	double second; /* binomial: its probability */
	double all, second_all; /* hypergeometric; all is 0 else */
};

static double ln_choose(double n, double k)
{
	return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

static double ln_probability(const struct urn *u, double x)
{
	if (u->all > 0)
		return ln_choose(u->second_all, x) + ln_choose(u->all - u->second_all, u->n - x) -
		       ln_choose(u->all, u->n);
	return ln_choose(u->n, x) + x * log(u->second) + (u->n - x) * log1p(-u->second);
}

/* P(x + 1) / P(x). */
static double ratio(const struct urn *u, double x)
{
	if (u->all > 0)
		return (u->n - x) * (u->second_all - x) /
		       ((x + 1) * (u->all - u->second_all - u->n + x + 1));
	return (u->n - x) / (x + 1) * u->second / (1 - u->second);
}

/* Of x and all that lies further from the mean, in units of P(x): half of x itself, that's the mid-p. */
static double tail(const struct urn *u, double x, bool upwards)
{
	double sum = 0.5, term = 1;

	for (;;) {
		if (upwards ? x >= u->n : x <= 0)
			return sum;
		term *= upwards ? ratio(u, x) : 1 / ratio(u, x - 1);
		x += upwards ? 1 : -1;
		/* Beyond the end of the hypergeometric distribution. */
		if (!(term > sum * NEGLIGIBLE) || !isfinite(term))
			return sum;
		sum += term;
	}
}

/* ln of both tails of a normal distribution. */
static double ln_normal(double z)
{
	z = fabs(z);
	if (z < 30)
		return log(erfc(z / M_SQRT2));
	return -z * z / 2 - log(z) - 0.5 * log(M_PI / 2);
}

static double ln_p(const struct urn *u, double x)
{
	double mean = u->n * u->second, one;

	if (u->n > EXACT_MAX) {
		double rest = u->all > 1 ? (u->all - u->n) / (u->all - 1) : 1;
		double variance = mean * (1 - u->second) * rest;

		return variance > 0 ? ln_normal((x - mean) / sqrt(variance)) : 0;
	}
	one = ln_probability(u, x) + log(tail(u, x, x > mean));
	/* Both tails with half of x each are 1: near the mean of a skewed one the other may be the smaller. */
	if (one > -M_LN2)
		one = one < 0 ? log(-expm1(one)) : -M_LN2;
	return M_LN2 + one;
}

double significance_of_rates(uint64_t a, double a_exposure, uint64_t b, double b_exposure)
{
	const struct urn u = { .n = (double)a + (double)b,
			       .second = b_exposure / (a_exposure + b_exposure) };

	return a || b ? ln_p(&u, (double)b) : 0;
}

double significance_of_shares(uint64_t a, uint64_t a_all, uint64_t b, uint64_t b_all)
{
	const struct urn u = { .n = (double)a + (double)b,
			       .all = (double)a_all + (double)b_all,
			       .second_all = (double)b_all,
			       .second = (double)b_all / ((double)a_all + (double)b_all) };

	if (!a_all || !b_all || (!a && !b) || u.n >= u.all)
		return 0;
	return ln_p(&u, (double)b);
}

bool significance_is_possible(uint64_t count, double second)
{
	double rarer = second < 0.5 ? second : 1 - second;

	/* All of them on the rarer side, and half of that twice. */
	return rarer > 0 && (double)count * log(rarer) < log(SIGNIFICANCE_LEVEL);
}

void significance_adjust(const double *ln_p_values, uint32_t count, double *ret_q)
{
	double least = 0;

	for (uint32_t i = count; i-- > 0;) {
		double ln_q = ln_p_values[i] + log((double)count / (i + 1.0));

		if (ln_q < least)
			least = ln_q;
		ret_q[i] = exp(least);
	}
}
