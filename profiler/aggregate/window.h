/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts stacks in a window. The sample path: one hash look-up a frame and two a sample, no names, no
 * system calls. A stack is a node of a prefix tree as in model/profile.h. Everything dies with
 * window_release(). Not thread safe.
 */
#ifndef AGGREGATE_WINDOW_H
#define AGGREGATE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/array.h"
#include "profiler/base/index.h"

/* Where an address lives; from WINDOW_SPACE_FILES on, file number (≤ 2^24) + WINDOW_SPACE_FILES. */
enum window_space {
	WINDOW_SPACE_KERNEL, /* address: a kernel address */
	WINDOW_SPACE_VDSO, /* address: offset in the vDSO image */
	WINDOW_SPACE_ANONYMOUS, /* address: as in the process */
	WINDOW_SPACE_UNMAPPED, /* address: 0 */
	WINDOW_SPACE_UNKNOWN_PROCESS, /* address: 0 */
	WINDOW_SPACE_TRUNCATED, /* address: enum truncation; the root of a stack that goes on */
	WINDOW_SPACE_BPF_GONE, /* address: a kernel address, of a BPF program that nobody knows */
	WINDOW_SPACE_FILES = 16, /* address: file offset */
	WINDOW_SPACE_BPF =
		1
		<< 27, /* from here on by BPF program (agent/bpf_code.h); address: a kernel address */
	/*
	 * From here on code that a process made at run time, by process and moment (agent/jit.h); address:
	 * as in the process.
	 */
	WINDOW_SPACE_CODE = 1 << 28,
};

#define WINDOW_FRAME_GUESSED 1 /* = PROFILE_NODE_GUESSED */

struct window_frame {
	uint64_t address;
	uint32_t space;
	uint32_t flags;
};

/* Who. Hashed as bytes: zero what is unused. */
struct window_series {
	uint64_t start_ns; /* of the process, so that a reused pid is another one */
	uint64_t cgroup;
	uint32_t pid, tid;
	char comm[16]; /* the thread's */
	char process_comm[16];
};

struct window_location {
	uint64_t address;
	uint32_t space;
	uint32_t reserved;
};

struct window_node {
	uint32_t parent; /* node 0 is the empty stack */
	uint32_t location;
	uint32_t flags;
};

struct window_sample {
	uint32_t series;
	uint32_t node;
	uint64_t count;
	uint64_t value;
};

/* When it was counted, a sample each time: so many WINDOW_SLOT_NS behind the window's start. */
struct window_moment {
	uint32_t sample;
	uint32_t slot;
};

#define WINDOW_SLOT_NS 10000000ULL /* = COLUMNS_SLOT_NS */

/*
 * How much there may be: `bytes`, of which each thing takes so many as long as the window lives, here and in
 * what is made of it. Whoever knows both sets them (agent/budget.h).
 */
struct window_limits {
	uint64_t bytes;
	uint32_t series_bytes, location_bytes, node_bytes, sample_bytes;
	uint32_t moment_bytes; /* 0: nobody wants moments */
};

struct window {
	ARRAY(struct window_series) series;
	ARRAY(struct window_location) locations;
	ARRAY(struct window_node) nodes;
	ARRAY(struct window_sample) samples;
	ARRAY(struct window_moment)
	moments; /* as many as there were window_add()s; none if nobody wants them */
	uint64_t start_ns; /* of what moments are counted from; the caller's to set */
	struct index series_index, location_index, node_index, sample_index;
	struct window_limits limits;
	uint64_t used_bytes;
};

/* 0 or -ENOMEM. */
int window_init(struct window *w, const struct window_limits *limits);
void window_release(struct window *w);

/*
 * One sample. `frames` are leaf first; one from before the window's start counts as of its start. 0, or -ENOMEM / -E2BIG: then the sample isn't counted, and the
 * caller counts the loss.
 */
int window_add(struct window *w, const struct window_series *series,
	       const struct window_frame *frames, uint32_t frame_count, uint64_t time_ns,
	       uint64_t value);

/*
 * Forgets samples and moments, and nothing else: series and stacks keep their numbers, and what comes next is another
 * window, from `start_ns` on.
 */
void window_clear_samples(struct window *w, uint64_t start_ns);

/* Is there a location of this address? */
bool window_knows(const struct window *w, uint64_t address, uint32_t space);

#endif
