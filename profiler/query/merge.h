/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items of one profile taken over into another: only those that are asked for, and what they refer to. Each is
 * looked up once; the number that it has there is kept.
 */
#ifndef QUERY_MERGE_H
#define QUERY_MERGE_H

#include <stdint.h>

#include "profiler/base/array.h"
#include "profiler/model/profile.h"

struct merge {
	const struct profile *from;
	struct profile *to;
	/* Numbers there + 1; 0: not taken over yet. */
	uint32_t *strings, *mappings, *functions, *locations, *nodes, *series;
	ARRAY(uint32_t) path;
};

/* Borrows both until merge_release(). 0 or -ENOMEM. */
int merge_init(struct merge *m, struct profile *to, const struct profile *from);
void merge_release(struct merge *m);

/* The number there, or -ENOMEM / -E2BIG. */
int merge_string(struct merge *m, uint32_t string);
int merge_function(struct merge *m, uint32_t function);
int merge_mapping(struct merge *m, uint32_t mapping);
int merge_location(struct merge *m, uint32_t location);
/* Some lines of a location, as they are in `from`. */
int merge_lines(struct merge *m, const struct profile_location *l, const struct profile_line *lines,
		uint32_t count);
int merge_node(struct merge *m, uint32_t node);
int merge_series(struct merge *m, uint32_t series);

/* Facts of a profile that is otherwise empty; texts of theirs are copied. 0 or -ENOMEM. */
int merge_facts(struct profile *to, const struct profile_facts *from);

/*
 * Adds all samples, counters and times of `from`: a later or earlier stretch of the same, so that durations add
 * up. 0, -ENOMEM or -E2BIG; -EINVAL if the values are of another type or unit.
 */
int merge_profile(struct profile *to, const struct profile *from);

#endif
