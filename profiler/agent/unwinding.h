/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwind tables follow what is sampled: a process's first sample, or one that ended in code without rows, has
 * what is missing compiled (by the symbolizer, a file at a time) and put where the kernel finds it; and its own stack
 * is finished here.
 *
 * It asks outside for files by itself: a recording doesn't know of it, and a replay has none. Not thread safe.
 */
#ifndef AGENT_UNWINDING_H
#define AGENT_UNWINDING_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/record.h"
#include "profiler/agent/names.h"
#include "profiler/agent/rest.h"
#include "profiler/base/counter.h"
#include "profiler/collect/tables.h"
#include "profiler/process/file.h"
#include "profiler/process/process.h"
#include "profiler/process/source.h"

struct unwinding;

/* All borrowed for its life. */
struct unwinding_config {
	struct tables *tables;
	struct live_names *names; /* its client, and the vDSO */
	const struct process_source *source; /* not the recorder's */
	struct file_table *files;
	struct process_table *processes;
	struct counters *counters;
	uint64_t budget_bytes;
	uint32_t max_processes;
};

int unwinding_new(struct unwinding **ret, const struct unwinding_config *config);
void unwinding_free(struct unwinding *u);

/* What happened, in order, behind the process table's event. */
void unwinding_fork(struct unwinding *u, uint32_t pid, uint32_t parent_pid);
void unwinding_exec(struct unwinding *u, uint32_t pid);
void unwinding_mmap(struct unwinding *u, uint32_t pid);
void unwinding_exit(struct unwinding *u, uint32_t pid, uint32_t tid);

/* A frame of a sample was in this mapping. */
void unwinding_use(struct unwinding *u, const struct mapping *m);
/* A sample, whose last user frame was at `addr` in `m` (NULL: it has none), and why it was the last. */
void unwinding_sample(struct unwinding *u, const struct record_sample *s, enum record_stack_end end,
		      const struct mapping *m, uint64_t addr);

/*
 * Finds the rest of samples' stacks. Files that have no tables yet are compiled there and then, for a part of a second
 * between two unwinding_work().
 */
struct rest_source unwinding_rests(struct unwinding *u);

/*
 * Behind each drain, by which all that happened until `until_ns` is known: compiles for some milliseconds, and brings
 * processes' mappings to the kernel.
 */
void unwinding_work(struct unwinding *u, uint64_t until_ns);

/* The file's number will be another's. False: that can't be, as a process maps it. */
bool unwinding_forget(struct unwinding *u, uint32_t file);

/* None of the tables is mapped then: what is counts as our memory, too. */
void unwinding_unmap(struct unwinding *u);

#endif
