/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples of one profile, added to another one. What a sample hangs on (series, labels, stack,
 * functions, texts) is interned there when its first sample comes: what no sample uses is left
 * behind. Each item is translated once.
 *
 * Only the arrays of `from` are read, its indexes aren't: it may be one that was decoded and has
 * none. It may grow between two calls; a location of it that is amended is amended in `into` too,
 * with the next sample. Not thread safe.
 */
#ifndef MODEL_MERGE_H
#define MODEL_MERGE_H

#include "profiler/model/profile.h"

struct profile_merge;

/* Borrows both until profile_merge_free(). 0 or -ENOMEM. */
int profile_merge_new(struct profile_merge **ret, struct profile *into, const struct profile *from);
void profile_merge_free(struct profile_merge *m);

/*
 * The id in `into` of a series, a node of `from`; or -ENOMEM, -E2BIG: `into` is full, and stays valid, as with all
 * below.
 */
int profile_merge_series(struct profile_merge *m, uint32_t series);
int profile_merge_node(struct profile_merge *m, uint32_t node);

/* The id in `into` of what is left of a location of `from`: some of its lines, as they are there; 1 to 1,000. */
int profile_merge_lines(struct profile_merge *m, uint32_t location,
			const struct profile_line *lines, uint32_t count);

/* As profile_add(), of a series and a node of `from`. */
int profile_merge_sample(struct profile_merge *m, uint32_t series, uint32_t node, uint64_t count,
			 uint64_t value);

/*
 * Adds what is true of one capture to what is true of others before it (none, while duration_ns is 0 and there is no sample): time begins with the
 * earliest, durations, costs and losses add up, memory is the most there was. The texts are interned in `into`. A
 * filtered one makes the whole filtered. 0, -ENOMEM, -E2BIG; -EINVAL: values are of another type or unit, nothing was added.
 */
int profile_merge_facts(struct profile *into, const struct profile_facts *facts,
			const struct counters *counters);

/* Are values of one type and unit? */
bool profile_merge_fits(const struct profile *into, const struct profile_facts *facts);

/* All samples, facts and counters of `from`. 0, or as above: then part of it has been added. */
int profile_merge(struct profile *into, const struct profile *from);

#endif
