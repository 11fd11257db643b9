/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that nobody maps any more, held open to the end of the capture all the same: for their
 * lines, which are read last, and for names that may turn up. Only where that is in nobody's way
 * (decision 0006): while the file has a name, on the file systems of / and /usr, and on one from
 * which a living process maps another file, which keeps it mounted anyway. They are few; what is
 * not held, or no longer, is counted (LINES_LET_GO).
 *
 * Where lines are read while sampling goes on, each other file is held for HELD_BRIEFLY_NS, to be
 * asked about at once.
 */
#ifndef AGENT_HELD_H
#define AGENT_HELD_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/names.h"
#include "profiler/base/counter.h"

#define HELD_MAX 64u
#define HELD_DEVICES 2u
#define HELD_BRIEFLY_NS (5 * NS_PER_S) /* as long again as it is held since nobody maps it */

struct held_file {
	uint32_t file; /* its number in the file table */
	int fd;
	struct line_files lines;
	uint64_t until_ns; /* CLOCK_MONOTONIC: it is in somebody's way, and goes then; or 0 */
};

struct held {
	struct held_file items[HELD_MAX];
	uint32_t count;
	uint64_t devices[HELD_DEVICES]; /* whose files may be held */
	const struct file_table *files; /* borrowed */
	struct counters *counters; /* borrowed; NULL: nobody wants lines, so none are lost */
};

void held_init(struct held *h, const struct file_table *files, struct counters *counters);
/* Would it be in nobody's way? By what living processes were last seen to map (file_table_mapped). */
bool held_allows(const struct held *h, int fd);
/* It would not, and is let go of: counts that. */
void held_refused(const struct held *h);
bool held_is_full(const struct held *h);

/* NULL: it isn't held. */
struct held_file *held_find(struct held *h, uint32_t file);

/*
 * Takes the descriptors. If one must go for want of room (held_is_full), it is the coldest, perhaps the new one; then
 * `heat` is by file (agent/heat.h).
 */
void held_add(struct held *h, const struct held_file *file, const uint64_t *heat);
/* Once a second: lets go of those that are in somebody's way by now, or have been long enough. */
void held_review(struct held *h, uint64_t now_ns);
/* It has served: nothing is counted. */
void held_drop(struct held *h, uint32_t file);
void held_release(struct held *h);

#endif
