/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer for a person: where the CPU time went, in one screen or so. Names are escaped
 * (base/text.h). Values carry their sampling error where that matters: ± is two standard errors of a
 * share p of n samples, 2·sqrt(p(1−p)/n).
 *
 *	who used how much	CPU time in cores, of the machine, of what was busy; kernel and user
 *	FUNCTIONS		self: the function itself; total: with what it called, recursion once
 *	LINES			source lines of the innermost functions, where they are known
 *	PROCESSES		by comm
 *	STACKS			by function, those sampled more than once; what was inlined says so
 *	QUALITY			what is missing, what was guessed, what it cost
 *
 * Every percentage says of what. Lost samples are in none of them, but in a line of their own.
 */
#ifndef ENCODE_TEXT_H
#define ENCODE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/model/profile.h"
#include "profiler/query/groups.h"

struct text_options {
	uint32_t columns; /* width to fit in, at least 60; 0: 100 */
	uint32_t rows; /* entries a table; 0: 15 functions, 10 processes, 5 lines, 5 stacks */
	bool color; /* terminal attributes */
	struct group_keys by; /* whose samples are one row of PROCESSES; none: comm */
};

/* Appends to `out`; `options` may be NULL. 0 or negative errno, with part of it written. */
int text_encode(const struct profile *p, const struct text_options *options, struct buffer *out);

#endif
