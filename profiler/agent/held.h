/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that nobody maps any more, held open to the end of the capture all the same: for their lines, which are read last,
 * and for names that may turn up. Only where that is in nobody's way (decision 0006): on the file systems of / and /usr, and
 * while the file has a name. They are few; what is not held, or no longer, is counted (LINES_LET_GO).
 */
#ifndef AGENT_HELD_H
#define AGENT_HELD_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/names.h"
#include "profiler/base/counter.h"

#define HELD_MAX 64u
#define HELD_DEVICES 2u

struct held_file {
	uint32_t file; /* its number in the file table */
	int fd;
	struct line_files lines;
};

struct held {
	struct held_file items[HELD_MAX];
	uint32_t count;
	uint64_t devices[HELD_DEVICES]; /* whose files may be held */
};

void held_init(struct held *h);
/* Would it be in nobody's way? */
bool held_allows(const struct held *h, int fd);

/* NULL: it isn't held. */
struct held_file *held_find(struct held *h, uint32_t file);

/*
 * Takes the descriptors. `heat` is by file (agent/heat.h); if one must go for want of room, it is the coldest, perhaps the new
 * one.
 */
void held_add(struct held *h, const struct held_file *file, const uint64_t *heat,
	      struct counters *counters);
/* Lets go of those that were deleted. */
void held_review(struct held *h, struct counters *counters);
void held_release(struct held *h);

#endif
