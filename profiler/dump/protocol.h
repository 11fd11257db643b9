/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the processes of `slowburn dump` and `slowburn debug` say to each other. Frames as in role/socket.h,
 * native integers: all are the same program.
 *
 *	supervisor ── dumper, who asks and prints ──┬── tracer: stops a thread, reads registers and memory
 *	                                            ├── unwinder: libunwind, over what it is sent
 *	                                            ├── opener, fetcher: /proc and files
 *	                                            └── symbolizer: names and unwind rows
 *
 * The tracer has the right to look into everybody and interprets nothing; the unwinder interprets what
 * strangers' files and stacks hold, and has no right at all.
 */
#ifndef DUMP_PROTOCOL_H
#define DUMP_PROTOCOL_H

#include <stdint.h>

#define DUMPER_ROLE "dumper" /* argv[1] of the processes */
#define TRACER_ROLE "tracer"
#define UNWINDER_ROLE "unwinder"
#define DUMP_SUPERVISOR_ROLE "dump supervisor" /* the line in the table of who starts them */

/* No thread of another's is stopped for longer, whatever happens. */
#define DUMP_MAX_STOP_NS (100000000ULL)

#define DUMP_MAX_FRAMES 4096u /* of a stack; the rest is cut, and that is said */
#define DUMP_PAGE_BYTES 4096u
#define DUMP_STACK_BYTES (256u << 10) /* read at once, from sp on */
#define DUMP_MAX_READ_BYTES (64u << 10)
#define DUMP_MAX_MAPPINGS 8192u
#define DUMP_USER_END (1ULL << 56) /* no user address is above: with 5-level paging */

/* ---- registers, frames ---- */

#define DUMP_REGISTERS 17 /* by their DWARF numbers: rax … r15, rip (System V ABI, figure 3.36) */
#define DUMP_RBP 6
#define DUMP_RSP 7
#define DUMP_RIP 16

struct dump_registers {
	uint64_t values[DUMP_REGISTERS];
	uint64_t thread_pointer; /* fs base */
};

#define DUMP_FRAME_EXACT 1u /* ip is where it stood, not a return address: leaf, or interrupted */
#define DUMP_FRAME_GUESSED 2u /* found by frame pointer */
#define DUMP_FRAME_ROWS 4u /* found by our rows, where libunwind has nothing to go by: Go's code */

struct dump_frame {
	uint64_t ip, sp;
	uint32_t flags; /* DUMP_FRAME_… */
	uint32_t reserved;
};

/* Why a stack ended. dump_end_text() has the words. */
enum dump_end {
	DUMP_END_BOTTOM, /* it is whole */
	DUMP_END_NO_INFO, /* the file says nothing about this code */
	DUMP_END_NO_INDEX, /* libunwind alone: its file has no unwind table that it can use */
	DUMP_END_NO_MAPPING, /* no executable mapping was known there */
	DUMP_END_NO_FILE, /* the file could not be read */
	DUMP_END_UNSUPPORTED, /* what the file says can't be followed */
	DUMP_END_LOST, /* by a register whose value isn't known */
	DUMP_END_BAD_READ, /* memory that could not be read */
	DUMP_END_BAD_FRAME, /* a frame that can't be one */
	DUMP_END_TOO_DEEP, /* DUMP_MAX_FRAMES */
	DUMP_END_TOO_LATE, /* the thread had been let go when its memory was needed */
	DUMP_END_FAILED, /* the unwinder failed over it */
	DUMP_END_COUNT
};

const char *dump_end_text(enum dump_end end);

/* ---- the tracer ---- */

/*
 * One thread at a time: STOP, then READs while it is stopped, then RELEASE; a STOP lets the one before go.
 * It is let go DUMP_MAX_STOP_NS after it was stopped by the tracer itself, and if the tracer ends, by the kernel.
 */
enum tracer_message {
	TRACER_STOP = 1, /* struct tracer_stop; reply: struct tracer_stopped and stack_bytes */
	TRACER_READ, /* struct tracer_read; reply: struct tracer_bytes and what could be read */
	TRACER_RELEASE, /* nothing; reply: struct tracer_released */
	TRACER_REPLY = 100,
};

struct tracer_stop {
	uint32_t tid;
	uint32_t reserved;
};

struct tracer_stopped {
	/*
	 * 0; -ESRCH: gone; -EPERM: not allowed, or somebody else traces it; -ETIMEDOUT: it didn't stop in time (the
	 * tracer ends then, and the next request finds another); -ENOEXEC: no 64-bit code.
	 */
	int32_t status;
	uint32_t stack_bytes;
	uint64_t stack_addr; /* where they begin: sp, or a little below */
	struct dump_registers registers;
};

struct tracer_read {
	uint64_t addr;
	uint32_t len; /* <= DUMP_MAX_READ_BYTES */
	uint32_t reserved;
};

struct tracer_bytes {
	int32_t status; /* 0; -ESRCH: no thread is stopped any more; -EFAULT */
	uint32_t len;
};

struct tracer_released {
	int32_t status; /* 0; -ESRCH: it was not stopped any more */
	uint32_t reserved;
	uint64_t stopped_ns; /* for how long, whoever let it go; 0: no thread was */
};

#define TRACER_MAX_REQUEST_BYTES 64u
#define TRACER_MAX_REPLY_BYTES (DUMP_STACK_BYTES + DUMP_PAGE_BYTES + (4u << 10))

int tracer_serve(int socket);

/* ---- the unwinder ---- */

#define UNWINDER_NO_FILE UINT32_MAX

/* An executable mapping of the process, by address, without overlaps. */
struct unwinder_mapping {
	uint64_t start, end, offset;
	uint32_t file; /* a number that is the file's for as long as the unwinder lives, or UNWINDER_NO_FILE */
	uint32_t by_frame_pointer; /* 1: its code keeps frame pointers, and nothing else is said of it */
};

struct unwinder_walk {
	struct dump_registers registers;
	uint64_t stack_addr;
	uint32_t stack_bytes;
	uint32_t reserved;
};

enum unwinder_message {
	UNWINDER_SPACE = 1, /* struct unwinder_mapping[n]: of the walks that follow; no reply */
	UNWINDER_WALK, /* struct unwinder_walk and the stack's bytes; reply: what it needs, then DONE */
	UNWINDER_MEMORY, /* to NEED_MEMORY: struct unwinder_memory and its bytes, if it could be read */
	UNWINDER_FILE, /* to NEED_FILE: u32; and the descriptor, if it could be opened */
	UNWINDER_NEED_MEMORY = 100, /* u64: address of a page */
	UNWINDER_NEED_FILE, /* u32 */
	UNWINDER_DONE, /* struct unwinder_done and its frames */
};

struct unwinder_memory {
	uint64_t addr;
	uint32_t len; /* 0 or DUMP_PAGE_BYTES */
	uint32_t end; /* enum dump_end: why it could not be read */
};

struct unwinder_done {
	uint32_t end; /* enum dump_end */
	uint32_t count;
};

#define UNWINDER_MAX_REQUEST_BYTES (DUMP_STACK_BYTES + (64u << 10))
_Static_assert(DUMP_MAX_MAPPINGS * sizeof(struct unwinder_mapping) <= UNWINDER_MAX_REQUEST_BYTES,
	       "all mappings of a process in a frame");
#define UNWINDER_MAX_REPLY_BYTES (DUMP_MAX_FRAMES * sizeof(struct dump_frame) + 64u)
/* Of one walk: pages and files. */
#define UNWINDER_MAX_NEEDS 8192u

/* Of `count`, as they are above, the one that has the address, or NULL. */
const struct unwinder_mapping *unwinder_mapping_find(const struct unwinder_mapping *all,
						     uint32_t count, uint64_t addr);

int unwinder_serve(int socket);

#endif
