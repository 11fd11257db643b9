/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What the kernel side counts. profiler/base/counter.h appends the user side's, so that there is one
 * list for the quality report, /metrics and the tests.
 *
 * X(identifier, "metric_name", "one clause for people")
 *
 * Each counter is bumped on the CPU where it happens, in a per-CPU array, and only ever grows.
 */
#ifndef BPF_COUNTERS_H
#define BPF_COUNTERS_H

#include <linux/types.h>

/* The first ones are what becomes of a tick: exactly one of them counts each. */
#define BPF_COUNTERS(X)                                                                            \
	X(SAMPLES_SENT, "samples_sent", "samples handed to user space")                            \
	X(SAMPLES_IDLE, "samples_idle", "timer ticks that hit the idle task")                      \
	X(SAMPLES_FILTERED, "samples_filtered", "samples refused by -p, --comm and other filters") \
	X(SAMPLES_LOST_RING, "samples_lost_ring_full", "samples lost: ring buffer full")           \
	X(SAMPLES_LOST_CPU, "samples_lost_cpu", "samples lost: CPU without a ring buffer")         \
	X(SAMPLES_LOST_SCRATCH, "samples_lost_scratch", "samples lost: no per-CPU scratch memory") \
	X(KERNEL_STACK_FAILED, "kernel_stacks_failed", "kernel stacks the kernel did not walk")    \
	X(KERNEL_STACKS_CUT, "kernel_stacks_cut", "kernel stacks cut at 127 frames")               \
	X(TARGETS_FULL, "targets_full", "children not followed: too many processes in the filter") \
	X(PROCESSES_FULL, "processes_full",                                                        \
	  "new processes without unwind tables: too many processes")                               \
	X(STACKS_UNCOPIED, "stacks_uncopied",                                                      \
	  "stacks of new processes that were not copied: ring buffer half full")

enum bpf_counter {
#define X(id, name, help) BPF_COUNTER_##id,
	BPF_COUNTERS(X)
#undef X
		BPF_COUNTER_COUNT
};

#define BPF_TICK_COUNTERS BPF_COUNTER_KERNEL_STACK_FAILED

/* What one CPU counted; all CPUs' are added up. */
struct bpf_tally {
	__u64 count[BPF_COUNTER_COUNT];
	__u64 own_ns; /* time within the sampler, by its own clock: two reads of it are not in */
};

#endif
