/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many samples each label set of a range has, largest first.
 */
#ifndef READER_TALLY_H
#define READER_TALLY_H

#include "profiler/base/array.h"
#include "profiler/reader/grouping.h"
#include "profiler/reader/inquiry.h"

struct tally {
	struct grouping grouping;
	ARRAY(struct group_rank) ranks; /* by value; none without samples */
	uint64_t samples, value; /* of all */
};

/* `keys` NULL: by all labels. 0, or negative errno and a sentence. */
int tally_read(struct tally *ret, struct inquiry *q, const struct group_keys *keys,
	       struct err *err);
void tally_release(struct tally *t);

/* What is in groups behind the first `shown`. */
struct group_rank tally_rest(const struct tally *t, uint32_t shown);

#endif
