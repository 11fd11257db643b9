/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stack, by either of the two unwinders.
 */
#ifndef DUMP_WALK_H
#define DUMP_WALK_H

#include "profiler/agent/peer.h"
#include "profiler/dump/protocol.h"
#include "profiler/dump/rows.h"
#include "profiler/dump/target.h"
#include "profiler/dump/thread.h"

struct walk {
	enum dump_end end; /* why there are no more */
	uint32_t count;
	struct dump_frame frames[DUMP_MAX_FRAMES]; /* leaf first */
};

/* libunwind, in a process of its own. Not thread safe. */
struct unwinder_client {
	struct peer peer;
	uint32_t pid; /* whose mappings it has; 0: nobody's */
};

void unwinder_client_init(struct unwinder_client *c, const struct starter *starter);
void unwinder_client_release(struct unwinder_client *c);

/*
 * Starts it and hands it the mappings, so that no thread is stopped for that; and where in them our rows say
 * that code keeps frame pointers. 0, or negative errno and a sentence.
 */
int unwinder_prepare(struct unwinder_client *c, const struct rows *rows, const struct target *t,
		     struct err *err);

/* libunwind's. If it failed the walk ends with DUMP_END_FAILED or is empty, and *err has a sentence, else "". */
void walk_by_libunwind(struct unwinder_client *c, const struct rows *rows, const struct target *t,
		       struct thread *thread, struct walk *ret, struct err *err);

/* Ours: the rows of symbolizer/, and the step that the kernel side runs (bpf/unwind_step.h). */
void walk_by_rows(const struct rows *rows, const struct target *t, struct thread *thread,
		  struct walk *ret);

#endif
