/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Every map, and why it has its size.
 */
#ifndef BPF_MAPS_BPF_H
#define BPF_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/arch_x86.bpf.h"
#include "bpf/counters.h"
#include "bpf/record.h"
#include "bpf/tables.h"
#include "bpf/unwind_step.h"

/*
 * Samples on their way to user space. One ring for RECORD_CPUS_PER_RING CPUs: few enough that they
 * don't wait for each other, many enough that a machine of 256 CPUs isn't full of empty rings. User
 * space sets the number of slots and the rings' size, and fills each slot once: a slot that holds a
 * map is never replaced (CVE-2023-52447).
 */
struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct ring);
} rings SEC(".maps");

/* One each: what a CPU counted. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bpf_tally);
} tallies SEC(".maps");

/*
 * One each: the sample in the making, too large for a stack of 512 bytes. Only the sampler uses it,
 * and it doesn't interrupt itself (perf runs one program at a time on a CPU).
 */
#define SCRATCH_WINDOW_BYTES 4096

struct scratch {
	struct registers user; /* where user space was interrupted, if it was */
	struct unwind_frame frame; /* whose caller comes next */
	struct unwind_process process; /* if it has mappings */
	struct unwind_mapping mapping; /* the last that was found */
	__u64 user_end; /* user addresses are below */
	__u64 first_sp; /* of the main thread: its frames are below */
	__u64 thread_end; /* of a thread's stack, where C libraries made it */
	__u32 rest_bytes; /* of what follows the sample's frames */
	__u32 reserved;
	__u64 window_addr; /* what of user memory the window holds; 1: nothing */
	union {
		struct record_sample sample;
		__u8 bytes[RECORD_MAX_WHOLE_BYTES];
		struct {
			__u8 frames[RECORD_MAX_BYTES];
			__u64 window[SCRATCH_WINDOW_BYTES /
				     sizeof(__u64)]; /* until a rest is written */
		};
	};
};
/* The kernel's PCPU_MIN_UNIT_SIZE. */
_Static_assert(sizeof(struct scratch) <= 32768, "a value of a per-CPU map");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

/*
 * The processes of the filter, tgid → start of its leader (CLOCK_BOOTTIME; 0: not known), by which
 * a reused tgid is told from the one that we meant. Preallocated: perf_event programs may look up
 * nothing else before 6.1. User space sets the size; 1 when there is no such filter.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} targets SEC(".maps");

/* The threads of the filter; the value means nothing. As many as there are, or 1. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} threads SEC(".maps");

/* Without its rest. */
static inline __u32 sample_bytes(const struct record_sample *sample)
{
	__u32 frames = (__u32)sample->kernel_frames + sample->user_frames;

	return sizeof(*sample) + frames * sizeof(__u64);
}

static inline struct bpf_tally *tally_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&tallies, &zero);
}

static inline void *ring_get(__u32 cpu)
{
	__u32 slot = cpu / RECORD_CPUS_PER_RING;

	return bpf_map_lookup_elem(&rings, &slot);
}

static inline struct scratch *scratch_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratches, &zero);
}

#endif
