/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two profiles compared: by function, by stack, by group, each with its sampling error and with how likely such a
 * difference is by chance (significance.h). The first is "before", the second "after".
 *
 * absolute	CPU time by wall time, "cores" (other values: by second). Sampling rates and lengths may differ.
 *		What was lost is taken to have been like the rest.
 * relative	shares of the value sampled, in percent points: when the load differed, or lengths aren't known.
 */
#ifndef QUERY_DIFF_H
#define QUERY_DIFF_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/array.h"
#include "profiler/base/err.h"
#include "profiler/base/index.h"
#include "profiler/model/calltree.h"
#include "profiler/model/profile.h"
#include "profiler/query/groups.h"

#define DIFF_DIVISOR 1e9

enum diff_mode { DIFF_AUTO, DIFF_ABSOLUTE, DIFF_RELATIVE };

struct diff_options {
	enum diff_mode mode; /* DIFF_AUTO: absolute if both say how long they took, and of one unit */
	struct group_keys by; /* none: comm */
};

struct diff_pair {
	uint64_t count[2], value[2]; /* before, after */
};

struct diff_item {
	uint32_t group; /* of stacks and groups */
	uint32_t what; /* functions: frame of the tree; stacks: node of the tree */
	struct diff_pair self; /* stacks and groups: all */
	struct diff_pair total; /* functions: with what they called */
	double before, after, change; /* of self, in the unit of the mode */
	double total_change;
	double error; /* two standard errors of change */
	double ln_p; /* 0 if there are too few samples to tell */
	double q; /* 1 likewise */
	bool is_tested; /* there are enough samples to tell */
};

struct diff_side {
	ARRAY(struct profile_sample) samples; /* of series and nodes of `both` */
	struct profile_facts facts; /* texts are borrowed from the profile */
	uint64_t count, value, lost;
	double scale; /* unit of the mode for one of value */
	double exposure; /* samples that one unit of the mode would have given */
};

struct diff_list {
	ARRAY(struct diff_item) items; /* most significant first */
	struct index index;
	uint32_t tested; /* those with enough samples to tell */
	uint32_t changed; /* of them, with a q of at most SIGNIFICANCE_LEVEL: the first ones */
};

struct diff {
	struct profile both; /* without samples, with the second's facts */
	struct calltree tree; /* of it */
	struct groups groups; /* of its series */
	bool relative, is_time;
	double divisor; /* of absolute values: 1 or DIFF_DIVISOR, for thousands of millions a second */
	struct diff_side sides[2];
	struct diff_item all;
	struct diff_list functions, stacks, by_group;
};

/*
 * Borrows texts of facts from both profiles until diff_free(). 0; -EINVAL (can't be compared so), -E2BIG or
 * -ENOMEM and a sentence.
 */
int diff_new(struct diff **ret, const struct profile *before, const struct profile *after,
	     const struct diff_options *options, struct err *err);
void diff_free(struct diff *d);

#endif
