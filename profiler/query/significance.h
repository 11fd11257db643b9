/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a difference of two counts of samples more than chance? Counts are taken as Poisson: each sample falls
 * where it falls by itself.
 *
 * The tests are exact and conditional on the sum of both counts, so zeros need no care: of n samples that hit
 * something in either profile, how many hit it in the second? If nothing changed that is binomial (rates), or
 * hypergeometric (shares of a total). Two-sided, by doubling the smaller tail; mid-p, since a discrete test is
 * otherwise more timid than it says. What these tests don't know is how much the work itself varies from run to
 * run.
 */
#ifndef QUERY_SIGNIFICANCE_H
#define QUERY_SIGNIFICANCE_H

#include <stdbool.h>
#include <stdint.h>

/* Logarithms of p-values: those that matter are too small for a double. 0: as likely as can be. */

/* Counts `a` and `b` of exposures (time × sampling rate, any unit) that are > 0. */
double significance_of_rates(uint64_t a, double a_exposure, uint64_t b, double b_exposure);

/* `a` of `a_all`, `b` of `b_all`. */
double significance_of_shares(uint64_t a, uint64_t a_all, uint64_t b, uint64_t b_all);

/*
 * Could the test say anything at all with this sum of counts? `second`: the second's part of the exposure. With
 * too few samples it never finds less than SIGNIFICANCE_LEVEL, whatever they are, and they need not be among those
 * that are compared: the sum doesn't tell which of the two is larger.
 */
bool significance_is_possible(uint64_t count, double second);

#define SIGNIFICANCE_LEVEL 0.05

/*
 * Of many comparisons some look large by chance. By Benjamini and Hochberg: if those with a q of at most x are
 * called changes, then at most x of those so called are none, in the mean. `ln_p` ascends; q is 0 to 1.
 */
void significance_adjust(const double *ln_p, uint32_t count, double *ret_q);

#endif
