// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * How long a profiler's tick takes, each time: two tracepoints around the timer of a cpu-clock event, told apart by
 * who opened the event. So one stopwatch measures every profiler, with nothing in it for that. And two
 * programs to compare with: an empty one, and the kernel's own walk along frame pointers.
 *
 * The clock's reads and what the kernel does around a program are in each figure: the empty program's is what
 * they cost. fentry and fexit would be narrower, but not every kernel lets them be loaded.
 */
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "tests/bench/stopwatch.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct task_struct {
	int tgid;
};

struct hrtimer {
	void *function;
};

struct hw_perf_event {
	struct hrtimer hrtimer;
};

struct perf_event {
	struct hw_perf_event hw;
	struct task_struct *owner;
};

#pragma clang attribute pop

char LICENSE[] SEC("license") = "GPL";

const volatile int stopwatch_owner; /* events that this process opened */
const volatile __u64 stopwatch_function; /* address of the kernel's perf_swevent_hrtimer() */
const volatile char stopwatch_comm[STOPWATCH_COMM_BYTES]; /* only while this thread runs; "": any */

struct state {
	__u64 start_ns;
	__u64 frames[STOPWATCH_MAX_FRAMES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct state);
} states SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct stopwatch_tally);
} tallies SEC(".maps");

static inline struct state *state_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&states, &zero);
}

static inline struct stopwatch_tally *tally_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&tallies, &zero);
}

static inline int is_wanted(void)
{
	char comm[STOPWATCH_COMM_BYTES] = { 0 };

	if (!stopwatch_comm[0])
		return 1;
	if (bpf_get_current_comm(comm, sizeof(comm)))
		return 0;
	for (int i = 0; i < STOPWATCH_COMM_BYTES; i++) {
		if (comm[i] != stopwatch_comm[i])
			return 0;
		if (!comm[i])
			break;
	}
	return 1;
}

/* The number of the highest bit that is set; value is not 0. No loop: the verifier would follow it. */
static inline __u32 highest_bit(__u64 value)
{
	__u32 bit = 0;

	for (int width = 32; width; width >>= 1) {
		if (value >> width) {
			value >>= width;
			bit += width;
		}
	}
	return bit;
}

static inline __u32 bucket_of(__u64 ns)
{
	__u32 bit;

	if (ns < STOPWATCH_PARTS)
		return ns;
	bit = highest_bit(ns);
	return (bit - STOPWATCH_PART_BITS + 1) << STOPWATCH_PART_BITS |
	       (ns >> (bit - STOPWATCH_PART_BITS) & (STOPWATCH_PARTS - 1));
}

/* Is it the timer of an event that the owner opened? */
static inline int is_owners(const struct hrtimer *timer)
{
	const struct perf_event *event;

	if ((__u64)BPF_CORE_READ(timer, function) != stopwatch_function)
		return 0;
	event = (const void *)timer - bpf_core_field_offset(struct perf_event, hw.hrtimer);
	return BPF_CORE_READ(event, owner, tgid) == stopwatch_owner;
}

SEC("tp_btf/hrtimer_expire_entry")
int BPF_PROG(stopwatch_start, struct hrtimer *timer)
{
	struct state *s = state_get();

	if (s)
		s->start_ns = is_owners(timer) ? bpf_ktime_get_ns() : 0;
	return 0;
}

SEC("tp_btf/hrtimer_expire_exit")
int BPF_PROG(stopwatch_stop, struct hrtimer *timer)
{
	__u64 now_ns = bpf_ktime_get_ns(), spent_ns;
	struct state *s = state_get();
	struct stopwatch_tally *tally = tally_get();

	if (!s || !tally || !s->start_ns || !is_wanted())
		return 0;
	spent_ns = now_ns - s->start_ns;
	s->start_ns = 0;
	tally->count++;
	tally->sum_ns += spent_ns;
	if (spent_ns > tally->max_ns)
		tally->max_ns = spent_ns;
	tally->buckets[bucket_of(spent_ns) & (STOPWATCH_BUCKETS - 1)]++;
	return 0;
}

SEC("perf_event")
int peer_empty(struct bpf_perf_event_data *ctx)
{
	return 0;
}

SEC("perf_event")
int peer_walk(struct bpf_perf_event_data *ctx)
{
	struct state *s = state_get();
	struct stopwatch_tally *tally = tally_get();
	long bytes;

	if (!s)
		return 0;
	bytes = bpf_get_stack(ctx, s->frames, sizeof(s->frames), BPF_F_USER_STACK);
	if (tally && bytes > 0 && is_wanted()) {
		tally->stacks++;
		tally->frames += bytes / sizeof(__u64);
	}
	return 0;
}
