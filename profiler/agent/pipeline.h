/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a sample through user space, up to the window: record → who and where → counted stack.
 * The same for a live capture and a replay; all that it learns from outside comes through `source`.
 * Not thread safe.
 */
#ifndef AGENT_PIPELINE_H
#define AGENT_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/bpf_code.h"
#include "profiler/agent/budget.h"
#include "profiler/agent/jit.h"
#include "profiler/agent/rest.h"
#include "profiler/agent/unwinding.h"
#include "profiler/aggregate/window.h"
#include "profiler/base/counter.h"
#include "profiler/base/err.h"
#include "profiler/collect/batch.h"
#include "profiler/process/cgroup.h"
#include "profiler/process/file.h"
#include "profiler/process/process.h"
#include "profiler/process/source.h"

#define PIPELINE_MAX_PINS 1024u

struct pipeline {
	const struct process_source *source;
	const struct budget *budget; /* of its tables and of the profile; NULL: none */
	struct counters counters; /* of user space, and of the collector once it was asked */
	struct file_table *files;
	struct process_table *processes;
	struct cgroup_names *cgroups;
	struct jit *jit;
	struct bpf_code *bpf;
	/* Told of each file whose number is another one's from now on; may be NULL. */
	void (*file_forgotten)(void *ctx, uint32_t file);
	void *forgotten_ctx;
	/* Called once for each new cgroup id, when a sample brings it. */
	void (*learn_cgroup)(void *ctx, uint64_t id, uint32_t pid);
	void *learn_ctx;
	struct unwinding
		*unwinding; /* borrowed; NULL: nobody follows unwind tables, as in a replay */
	struct rest_source rests; /* ctx NULL: stacks end where their records do */
	struct batch *batch;
	struct window window;
	uint64_t first_sample_ns, last_sample_ns; /* CLOCK_MONOTONIC, 0: none */
	uint64_t last_event_ns;
	uint64_t events_refused; /* lost and malformed ones that the process table knows of */
	uint64_t count_from_ns, count_until_ns; /* samples outside are not of this capture */
	struct cgroup_hierarchy hierarchy;
	struct code_source code; /* of the jit table; pipeline_set_code() */
	uint32_t files_kept; /* when they were last forgotten */
	bool goes_on;
};

/* Borrows `source` and `budget` for its life. 0 or negative errno and a sentence. */
int pipeline_init(struct pipeline *p, const struct process_source *source,
		  const struct cgroup_hierarchy *cgroups, const struct budget *budget,
		  struct err *err);
void pipeline_release(struct pipeline *p);

/* Who says what code made at run time is; copied. */
void pipeline_set_code(struct pipeline *p, const struct code_source *code);

/*
 * Before the first record: windows follow each other until pipeline_release(). Samples have moments then, and a file that was let go of
 * with its names is opened again only for an address that has none.
 */
void pipeline_go_on(struct pipeline *p);

/*
 * Between two records, when nobody refers to a location of the window any more: series, stacks, code made at run time, BPF programs and
 * names of control groups begin anew, as if the job did, and files that nothing maps are forgotten once there are many. Processes and
 * their mappings go on. BPF programs are to be listed again. 0; or -ENOMEM, and all is as it was.
 */
int pipeline_turn(struct pipeline *p, uint64_t start_ns);

/* Is something nearly full that pipeline_turn() makes room in: files, code made at run time, BPF programs, control groups? */
bool pipeline_is_full(const struct pipeline *p);

/* Takes the records up to `until_ns` from the batch through to the window. */
void pipeline_run(struct pipeline *p, uint64_t until_ns);

#endif
