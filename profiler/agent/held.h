/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that nobody maps any more, held open to the end of the capture all the same: for their lines, which are read last,
 * and for names that may turn up. A file on a disk that somebody wants to unmount is in his way so; they are
 * few, and when there are too many the coldest goes (LINES_LET_GO).
 */
#ifndef AGENT_HELD_H
#define AGENT_HELD_H

#include <stdint.h>

#include "profiler/agent/names.h"
#include "profiler/base/counter.h"

#define HELD_MAX 64u

struct held_file {
	uint32_t file; /* its number in the file table */
	int fd;
	struct line_files lines;
};

struct held {
	struct held_file items[HELD_MAX];
	uint32_t count;
};

/* NULL: it isn't held. */
struct held_file *held_find(struct held *h, uint32_t file);

/*
 * Takes the descriptors. `heat` is by file (agent/heat.h); if one must go for want of room, it is the coldest, perhaps the new
 * one.
 */
void held_add(struct held *h, const struct held_file *file, const uint64_t *heat,
	      struct counters *counters);
void held_release(struct held *h);

#endif
