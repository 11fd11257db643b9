/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer to "what changed", for a person and for programs.
 *
 *	totals		before, after, change
 *	FUNCTIONS	by their own time; total: with what they called
 *	PROCESSES	or other groups of labels
 *	STACKS		by function
 *
 * Each table has what changed by more than chance (query/significance.h), most significant first, and says how many
 * more there are. ± is two standard errors of sampling.
 */
#ifndef ENCODE_DIFFERENCE_H
#define ENCODE_DIFFERENCE_H

#include "profiler/base/buffer.h"
#include "profiler/encode/text.h"
#include "profiler/query/diff.h"

/* Appends to `out`; `options` may be NULL. 0 or negative errno, with part of it written. */
int difference_text(const struct diff *d, const struct text_options *options, struct buffer *out);

/*
 *	{"mode": "absolute", "unit": "cores", "before": {"samples": …, "value": …, "lost_samples": 0, "duration_ns": …},
 *	 "after": {…}, "all": {ITEM},
 *	 "functions": [{"name": "aes", "module": "libcrypto.so.3", ITEM, "total_change": 0.2}, …],
 *	 "groups": [{"labels": {"comm": "openssl"}, ITEM}, …],
 *	 "stacks": [{"labels": {…}, "frames": ["aes", …], ITEM}, …]}
 *
 * ITEM: "before", "after", "change", "error" (two standard errors) in the unit; "samples": [before, after]; "ln_p";
 * "q"; "changed". Frames begin with the leaf; all is sorted by significance. Of each list at most `max` are there (0: all);
 * "counts": {"functions": …, "groups": …, "stacks": …} says how many there are.
 */
int difference_json(const struct diff *d, uint32_t max, struct buffer *out);

#endif
