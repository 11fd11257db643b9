/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What may follow what in a chain of frame pointers:
 *
 *	fp ──► ┌────────────────┐  higher addresses are the callers' frames
 *	       │ caller's fp    │ ──► …
 *	fp+8   │ return address │
 *	       └────────────────┘
 *
 * Code compiled without frame pointers keeps anything in that register. A wrong frame is worse than
 * a missing one, so a step is believed only if it leads up the stack, aligned, and not too far. Pure
 * arithmetic: the kernel side and the tests on the host use the same lines.
 */
#ifndef BPF_FRAME_POINTER_H
#define BPF_FRAME_POINTER_H

#include <linux/types.h>

/* More than any frame of sane code; less than the way to another thread's stack or to the heap. */
#define FRAME_POINTER_MAX_STEP (16ULL << 20)

/* Nothing is mapped below (vm.mmap_min_addr); small integers are no addresses. */
#define FRAME_POINTER_MIN_CODE 4096

struct frame_pair {
	__u64 fp;
	__u64 return_address;
};

/* `low` is the least that `fp` may be: sp for the leaf, else the end of the pair below it. */
static inline int frame_pointer_is_sane(__u64 fp, __u64 low, __u64 user_end)
{
	if (fp & 7)
		return 0;
	if (fp < low || fp - low > FRAME_POINTER_MAX_STEP)
		return 0;
	return fp < user_end && user_end - fp >= sizeof(struct frame_pair);
}

static inline int frame_pointer_is_code(__u64 addr, __u64 user_end)
{
	return addr >= FRAME_POINTER_MIN_CODE && addr < user_end;
}

#endif
