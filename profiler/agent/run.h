/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Window locations as they are asked about: sorted by (space, address), or the hottest spaces first, which makes runs, one request each. Code that a
 * process made is one run, whenever it was seen.
 */
#ifndef AGENT_RUN_H
#define AGENT_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/pipeline.h"

/* Addresses ascend. */
struct run {
	uint32_t space;
	uint32_t owner; /* of code (agent/jit.h) */
	const uint32_t *locations; /* of the window; borrowed of its runs */
	uint32_t count;
};

struct runs {
	const struct pipeline *pipeline;
	uint32_t *locations;
	uint32_t count, next;
	struct hot_run *hot; /* NULL: they come in order */
	uint32_t hot_count, next_hot;
};

/* Is this location of the window to be asked about? */
typedef bool (*run_wanted_fn)(void *ctx, uint32_t location);

/* From location `first` of the window on. Borrows the pipeline until runs_release(), which is due in any case. 0 or -ENOMEM. */
int runs_find(struct runs *runs, const struct pipeline *pipeline, uint32_t first,
	      run_wanted_fn wanted, void *ctx);
void runs_release(struct runs *runs);

/* Those that most samples go through first: what is asked about has a time for all. 0 or -ENOMEM. */
int runs_by_heat(struct runs *runs);

/* False at their end. */
bool runs_next(struct runs *runs, struct run *ret);

static inline const struct window_location *run_location(const struct pipeline *p,
							 const struct run *run, uint32_t i)
{
	return &p->window.locations.items[run->locations[i]];
}

/* Is it a file's? */
static inline bool space_is_file(uint32_t space)
{
	return space >= WINDOW_SPACE_FILES && space < WINDOW_SPACE_BPF;
}

#endif
