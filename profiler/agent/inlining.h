/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sites of a file get what DWARF says of them: a location each, with a line for every function that was inlined there. The
 * symbol table's name stays the outermost function's. Whatever is not to be had leaves sites as they are.
 */
#ifndef AGENT_INLINING_H
#define AGENT_INLINING_H

#include <stdint.h>

#include "profiler/agent/naming.h"

struct inlining {
	struct naming *naming; /* borrowed */
	uint64_t left_bytes; /* of what lines may add to the profile's arrays (agent/budget.h) */
};

/*
 * Asks for those of the run's sites, all of one file, that lie in its segments, by `files`. 0, -ENOMEM or -E2BIG. Names
 * for which there is no room are counted (NAMES_DROPPED_MEMORY).
 */
int inlining_run(struct inlining *x, const struct run *run, const struct line_files *files);

/*
 * One of its sites gets answer number `i`: if it is a location already, that is amended. The same
 * errors; what it was stays, then.
 */
int inlining_apply(struct inlining *x, struct site *site, const struct lines_answers *a,
		   uint32_t i);

#endif
