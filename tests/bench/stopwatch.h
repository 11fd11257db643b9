/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the stopwatch counts on one CPU. Buckets are sixteen for each power of two: a value of a bucket
 * is at most a sixteenth above its lower end.
 */
#ifndef TESTS_BENCH_STOPWATCH_H
#define TESTS_BENCH_STOPWATCH_H

#include <linux/types.h>

#define STOPWATCH_COMM_BYTES 16
#define STOPWATCH_MAX_FRAMES 127 /* sysctl kernel.perf_event_max_stack by default */
#define STOPWATCH_PART_BITS 4
#define STOPWATCH_PARTS (1u << STOPWATCH_PART_BITS)
#define STOPWATCH_BUCKETS 1024u /* (64 - PART_BITS + 1) << PART_BITS are used */

struct stopwatch_tally {
	__u64 count, sum_ns, max_ns;
	__u64 stacks, frames; /* of peer_walk */
	__u64 buckets[STOPWATCH_BUCKETS];
};

#endif
