/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of what ran when: values by step and group of labels, and what is true of each step.
 *
 * A step without a window is a gap, not a zero. A window that lies in several steps is divided among them: by its
 * samples' moments where it has them and steps are shorter than windows, else evenly; those that are longer than a
 * step are told ("coarse").
 */
#ifndef READER_TIMELINE_H
#define READER_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/array.h"
#include "profiler/reader/grouping.h"
#include "profiler/reader/inquiry.h"
#include "profiler/reader/stretches.h"

#define TIMELINE_MAX_STEPS 10000u

/* Of all of the machine, whatever is asked for. */
struct timeline_step {
	uint64_t covered_ns; /* by windows; 0: a gap */
	uint64_t lost; /* samples */
	uint64_t machine_ns, busy_ns; /* as profile_facts has them */
};

struct timeline {
	uint64_t from_ns, step_ns; /* the first step begins at a multiple of step_ns */
	uint32_t step_count;
	struct timeline_step *steps;
	struct grouping grouping; /* by the labels asked for; none: one group */
	ARRAY(uint64_t *) values; /* by group: one for each step */
	struct group_rank *ranks; /* groups by value, largest first */
	uint32_t shown; /* of them; all others are one row, `other` */
	uint64_t *other; /* or NULL */
	uint64_t other_value;
	uint64_t value; /* of all groups */
	struct stretches coarse;
};

/* `most_steps`: of a step that isn't given, what it may come to. 0, or negative errno and a sentence. */
int timeline_read(struct timeline *ret, struct inquiry *q, uint32_t most_steps, uint32_t groups,
		  struct err *err);
void timeline_release(struct timeline *t);

#endif
