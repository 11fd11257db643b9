/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread of another process while it is stopped: its registers, its stack, and what more of its memory was
 * asked for. Whoever unwinds it reads from here, so that two unwinders see the same. Once it has been let go what was
 * read stays, and no more comes. One at a time; not thread safe.
 */
#ifndef DUMP_THREAD_H
#define DUMP_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/peer.h"
#include "profiler/base/err.h"
#include "profiler/dump/protocol.h"

#define THREAD_MAX_PAGES 512u /* beside the stack, of one stop */

struct thread_page {
	uint64_t addr;
	uint32_t end; /* enum dump_end: DUMP_END_BOTTOM if its bytes are there, else why not */
	unsigned char bytes[DUMP_PAGE_BYTES];
};

struct thread {
	struct peer tracer;
	struct buffer request;
	bool stopped; /* more can be read of it */
	bool to_go; /* it was stopped, and for how long has not been asked */
	uint32_t tid;
	struct dump_registers registers;
	uint64_t stack_addr;
	uint32_t stack_bytes;
	unsigned char stack[DUMP_STACK_BYTES];
	struct thread_page *pages; /* THREAD_MAX_PAGES */
	uint32_t page_count;
};

/* Borrows the starter. 0 or -ENOMEM; in every case thread_release() may be called. */
int thread_init(struct thread *t, const struct starter *starter);
void thread_release(struct thread *t);

/*
 * Stops it and takes its registers and stack. 0; negative errno, and a sentence: as in struct tracer_stopped, or
 * the tracer failed.
 */
int thread_stop(struct thread *t, uint32_t tid, struct err *err);

/* Lets it go. For how long it was stopped, in ns; 0 if that isn't known. */
uint64_t thread_go(struct thread *t);

/* The page at this address: its bytes, or why there are none. NULL if there is no room for it. */
const struct thread_page *thread_page(struct thread *t, uint64_t addr);

/* The 8 bytes at `addr`: DUMP_END_BOTTOM, or why they can't be read. */
enum dump_end thread_read(struct thread *t, uint64_t addr, uint64_t *ret);

#endif
