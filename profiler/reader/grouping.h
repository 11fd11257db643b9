/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Label sets that are the same in all files of a store: series of one file after the other, numbered. By some labels (those
 * that a series doesn't have are ""), or by all that it has.
 */
#ifndef READER_GROUPING_H
#define READER_GROUPING_H

#include <stdint.h>

#include "profiler/base/array.h"
#include "profiler/base/buffer.h"
#include "profiler/model/profile.h"
#include "profiler/query/groups.h"

#define GROUPING_MAX 65536u /* groups; what comes later is in group 0, the rest */

struct grouping {
	const struct group_keys *keys; /* borrowed; NULL: all labels */
	struct profile names; /* its series are the groups, but for series 0 */
	const struct profile *file; /* that is being read */
	ARRAY(uint32_t) of_series; /* groups by series of the file; PROFILE_NONE: not yet asked */
	uint64_t rest; /* series that found no room */
};

/* 0 or -ENOMEM. */
int grouping_init(struct grouping *g, const struct group_keys *keys);
void grouping_release(struct grouping *g);

/* What comes next are series of `p`, which may grow. Borrows it until the next one. */
void grouping_begin(struct grouping *g, const struct profile *p);

/* The group of a series, or -ENOMEM. */
int grouping_of(struct grouping *g, uint32_t series);

static inline uint32_t grouping_count(const struct grouping *g)
{
	return g->names.series.count < GROUPING_MAX ? g->names.series.count : GROUPING_MAX;
}

/* Appends {"comm": "make", "pid": 7}; of the rest {}. */
void grouping_json(const struct grouping *g, uint32_t group, struct buffer *out);

/* Appends "make" of one label, "comm: make, pid: 7" of several, escaped; "all" if there are none. */
void grouping_text(const struct grouping *g, uint32_t group, struct buffer *out);

/* What is larger comes first; of equals what came first. */
struct group_rank {
	uint64_t samples, value;
	uint32_t group;
};

void group_ranks_sort(struct group_rank *ranks, uint32_t count);

#endif
