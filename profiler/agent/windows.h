/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The windows of a job that goes on, one after the other: the samples that the pipeline has counted become a profile's, with what is
 * true of the time between two cuts, and go to the archive. Stacks and names stay for the next, until another epoch begins:
 *
 *	the archive begins a file					once an hour
 *	memory for stacks or names, or a table, is nine tenths full	as often as it takes, so that nothing is dropped
 *
 * One thread.
 */
#ifndef AGENT_WINDOWS_H
#define AGENT_WINDOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/archive.h"
#include "profiler/agent/meter.h"
#include "profiler/agent/pipeline.h"
#include "profiler/agent/resolve.h"
#include "profiler/agent/schedule.h"
#include "profiler/agent/status.h"

/* What is read when a window is cut. */
struct windows_reading {
	struct meter meter;
	struct counters kernel; /* the BPF side's counters so far; 0 all others */
	uint32_t cpus_profiled, cpus_online;
	uint64_t own_cpu_ns; /* all our processes' so far */
	uint64_t own_memory_bytes, own_kernel_bytes; /* as last known */
};

/* All borrowed. */
struct windows_config {
	struct pipeline *pipeline;
	struct resolver *resolver;
	struct profile *profile; /* the resolver's */
	struct archive *archive;
	const struct profile_facts *facts; /* what doesn't change */
	void (*read)(void *ctx, struct windows_reading *ret);
	void *ctx;
	/* Another epoch began: BPF programs are to be listed, and whatever else goes by numbers of the window's. May be NULL. */
	void (*turned)(void *ctx);
};

struct windows;

/* Reads for the first time: the first window begins. 0 or -ENOMEM. */
int windows_new(struct windows **ret, const struct windows_config *config, uint64_t start_ns);
void windows_free(struct windows *w);

/*
 * The window of these times, all of whose records the pipeline has run. 0: the archive has it, as archive_number(). Negative errno:
 * there was no memory for it, and its samples are dropped and counted (SAMPLES_DROPPED_MEMORY).
 */
int windows_cut(struct windows *w, const struct schedule_window *times);

/* Is there so little room that the present window should end now? */
bool windows_are_full(const struct windows *w);

/* Gauges and counts of windows; the rest is left. */
void windows_status(const struct windows *w, struct agent_status *ret);

#endif
