/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers as a person reads them: short, and never rounded to what they are not. A share is "100" only
 * when it is all, and "0" only when it is nothing.
 */
#ifndef ENCODE_FIGURE_H
#define ENCODE_FIGURE_H

#include <stdint.h>

/* A number that a sentence can hold: several in one printf are `figure_…(x).text`. */
struct figure {
	char text[40];
};

/* `part` of `whole` in percent; 0 of nothing. */
double figure_share(uint64_t part, uint64_t whole);
/*
 * Two standard errors of a share, in percent points: `part` of `whole` samples. By Agresti and Coull, as if
 * there were four more, half of them hits: so that 0 and 100 % aren't certain either.
 */
double figure_share_error(uint64_t part, uint64_t whole);

/* Percent: "66", "6.6", "0.66", "<0.01", "0"; "99.7", ">99.9", "100"; more than all is possible. */
struct figure figure_percent(double x);
/* "1,322" */
struct figure figure_count(uint64_t n);
/* Seconds of nanoseconds, or thousand millions of cycles: three digits or so. */
struct figure figure_value(uint64_t value);

/* "s", unless there is one of it. */
const char *figure_plural(uint64_t n);

#endif
