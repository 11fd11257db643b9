/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes with their children, their children's children and so on, as /proc has them at one time.
 * An orphan whose ancestors are gone is nobody's descendant: its parent is the reaper it was given to.
 */
#ifndef PROCESS_DESCENDANTS_H
#define PROCESS_DESCENDANTS_H

#include <stdint.h>

#include "profiler/base/counter.h"
#include "profiler/base/index.h"
#include "profiler/process/source.h"

struct descendants {
	uint32_t *items; /* pids, each once; owned */
	uint32_t count, capacity;
	uint32_t max; /* of count */
	struct index by_pid;
};

void descendants_init(struct descendants *d, uint32_t max);
void descendants_release(struct descendants *d);

/* Adds a process by name, whether it is there or not. 0, -ENOMEM, or -E2BIG beyond the maximum. */
int descendants_add(struct descendants *d, uint32_t pid);

/*
 * Appends all that descend from those already in, and live. Processes that end meanwhile are passed over;
 * those that can't be read for another reason are, too, and counted. 0 or negative errno: -E2BIG if there
 * are more than the maximum; those that there was room for are in.
 */
int descendants_find(struct descendants *d, const struct process_source *source,
		     struct counters *counters);

#endif
