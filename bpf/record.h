/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The records that the kernel side hands to user space, and the tables that both sides read.
 *
 * A sample in a ring buffer:
 *
 *	+----------------------+-----------------------------+-----------------------------+
 *	| struct record_sample | kernel_frames × u64, leaf   | user_frames × u64, leaf     |
 *	|                      | first: kernel addresses     | first: kind << 56 | address |
 *	+----------------------+-----------------------------+-----------------------------+
 *
 * and, with RECORD_FLAG_REST, what it takes to find the rest of its user frames:
 *
 *	+----------------------+-----------------------------+
 *	| struct record_rest   | `bytes` of the stack        |
 *	+----------------------+-----------------------------+
 *
 * All integers are host-endian, all padding is explicit and zero. `tgid` is the kernel's name for what
 * user space calls a pid. Frames after the leaf hold the return address minus one, so that an
 * address always lies inside the call that made the frame.
 */
#ifndef BPF_RECORD_H
#define BPF_RECORD_H

#include <linux/types.h>

#include "bpf/unwind_step.h"

#define RECORD_COMM_BYTES 16 /* TASK_COMM_LEN */
#define RECORD_MAX_KERNEL_FRAMES 127 /* sysctl kernel.perf_event_max_stack by default */
#define RECORD_MAX_USER_FRAMES 1023
#define RECORD_CPUS_PER_RING 8
#define RECORD_REGISTERS 16

/* Why a user stack ended where it did. */
enum record_stack_end {
	STACK_END_NONE, /* no user stack: a kernel thread; in exec between two images; exiting, and gone */
	STACK_END_BOTTOM, /* the outermost frame: its file, frame pointer or return address says so */
	STACK_END_BAD_READ, /* stack memory not resident or not readable, or not in its copy */
	STACK_END_BAD_FRAME, /* a frame pointer or return address that can't be one */
	STACK_END_TOO_DEEP, /* RECORD_MAX_USER_FRAMES reached; the leaf end is kept */
	STACK_END_COMPAT, /* a 32-bit process: the leaf only */
	STACK_END_NO_MAPPING, /* no code is known at the last frame's address */
	STACK_END_NOT_COMPILED, /* its file has no rows yet, there at least */
	STACK_END_NO_ROW, /* its file has no unwind information for this code */
	STACK_END_UNSUPPORTED, /* it has, but such that we can't follow it */
	STACK_END_LOST, /* by a register whose value isn't known in this frame */
	STACK_END_COUNT
};

static inline enum record_stack_end record_stack_end(int unwind_end)
{
	switch (unwind_end) {
	case UNWIND_END_NONE:
		return STACK_END_NONE;
	case UNWIND_END_BOTTOM:
		return STACK_END_BOTTOM;
	case UNWIND_END_NO_ROW:
		return STACK_END_NO_ROW;
	case UNWIND_END_LOST:
		return STACK_END_LOST;
	case UNWIND_END_BAD_READ:
		return STACK_END_BAD_READ;
	case UNWIND_END_BAD_FRAME:
		return STACK_END_BAD_FRAME;
	default:
		return STACK_END_UNSUPPORTED;
	}
}

/* How a user frame was found; bits 63–56 of its word. */
enum record_frame_kind {
	FRAME_REGISTER, /* the leaf: the instruction pointer, within a system call the call's */
	FRAME_POINTER, /* by frame pointer: a guess */
	FRAME_TABLE, /* by its file's unwind information */
	FRAME_KIND_COUNT
};
#define FRAME_KIND_SHIFT 56
#define FRAME_ADDR_MASK ((1ULL << FRAME_KIND_SHIFT) - 1)

#define RECORD_FLAG_KERNEL 1 /* the sample hit kernel mode */
#define RECORD_FLAG_KTHREAD 2 /* a kernel thread */
#define RECORD_FLAG_NO_TABLES 4 /* nothing is known of this process image: the leaf only */
#define RECORD_FLAG_REST 8 /* user space hadn't brought what the next frame takes: a rest follows */
#define RECORD_FLAG_REST_GONE 16 /* a rest followed, and was taken out: in recordings, for one */

struct record_sample {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 value; /* the event's period: ns for cpu-clock, cycles for cycles */
	__u64 start_ns; /* the thread group leader's start, CLOCK_BOOTTIME */
	__u64 cgroup; /* cgroup id in the hierarchy that the session chose */
	__u32 tgid;
	__u32 tid;
	__u32 exec_id; /* self_exec_id of the leader: start_ns and this name a process image */
	__u32 cpu;
	__u16 kernel_frames; /* of a sample that hit kernel mode at least its leaf, else 0 */
	__u16 user_frames;
	__u8 stack_end; /* enum record_stack_end */
	__u8 flags; /* RECORD_FLAG_* */
	__u16 stamp; /* the low bits of struct unwind_process's; 0 with RECORD_FLAG_NO_TABLES */
	char comm[RECORD_COMM_BYTES]; /* the thread's */
	char leader_comm[RECORD_COMM_BYTES]; /* the process's */
	__u64 frames[];
};
_Static_assert(sizeof(struct record_sample) == 88, "record layout");

/*
 * The last of the sample's frames, as the step has it (unwind_step.h), and its stack, as far as it could be read.
 * Memory of a process: it is for the step only, and no recording has it.
 */
struct record_rest {
	__u64 ip, sp, fp;
	__u64 context;
	__u64 user_end, first_sp;
	__u64 stack; /* the address of its first byte: a multiple of 8 */
	__u32 flags; /* UNWIND_EXACT … */
	__u32 bytes; /* a multiple of 8 */
	__u64 general[RECORD_REGISTERS]; /* of the leaf, by their DWARF numbers; of others 0 */
};
_Static_assert(sizeof(struct record_rest) == 192, "rest layout");

/* What has been popped is still said to be there by the file's rows, until the return. */
#define RECORD_RED_ZONE 128

#define RECORD_MAX_FRAMES (RECORD_MAX_KERNEL_FRAMES + RECORD_MAX_USER_FRAMES)
#define RECORD_MAX_BYTES (sizeof(struct record_sample) + RECORD_MAX_FRAMES * 8)

/*
 * With its rest. A stack has what the frames leave it: most, 12.8 KiB, in a new process, of which the leaf is all. For
 * more there would have to be more memory for each CPU than the default budget has on the largest machines.
 */
#define RECORD_MAX_STACK_BYTES 13096
#define RECORD_MAX_WHOLE_BYTES (RECORD_MAX_BYTES + 4096)
_Static_assert(sizeof(struct record_sample) + sizeof(__u64) + sizeof(struct record_rest) +
			       RECORD_MAX_STACK_BYTES ==
		       RECORD_MAX_WHOLE_BYTES,
	       "what the leaf leaves to a stack");

/* A loaded BPF program, or a function of one, as program_list writes them one after the other. */
#define RECORD_PROGRAM_NAME_BYTES 128

struct record_program {
	__u64 start; /* of its code: a kernel address; 0 as `bytes`: it has none */
	__u32 bytes;
	__u32 reserved;
	char name[RECORD_PROGRAM_NAME_BYTES]; /* as /proc/kallsyms has it, NUL-terminated; longer ones are cut */
};
_Static_assert(sizeof(struct record_program) == 144, "program layout");

#endif
