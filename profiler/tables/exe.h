/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files with unwind tables, and how the kernel has them: an index of pages, and their rows in pieces.
 *
 *	exes[number] ──► index ┌──────┬──────┬──────┬──────┐   count 0: not there (yet)
 *	                       └──┬───┴──┬───┴──┬───┴──────┘
 *	                          ▼      ▼      ▼
 *	                pieces ┌─────────────┐┌──────────┐     rows; a page's are in one piece
 *	                       └─────────────┘└──────────┘
 *
 * A file that is too large is not stored whole, but in regions of EXE_REGION_BYTES, when they are
 * asked for. When there is no room, those that no sample went through for longest have to go. They come
 * back when one does; their room is somebody else's UNWIND_GRACE_NS later at the earliest. Not thread safe.
 */
#ifndef TABLES_EXE_H
#define TABLES_EXE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/array.h"
#include "profiler/base/counter.h"
#include "profiler/tables/chunk.h"
#include "profiler/tables/rule.h"
#include "symbolizer/protocol.h"

#define EXE_NONE UINT32_MAX
#define EXE_REGION_BYTES 65536u
/* One that was used more recently is not evicted: a working set beyond the budget would only be moved. */
#define EXE_KEEP_NS (5000000000ULL)
/* Of all files together, 1.5 MiB: nearly every file has one, and a hostile one 1,024. */
#define EXE_MAX_SEGMENTS 65536u

enum exe_state {
	EXE_UNKNOWN, /* nothing of it is here; it may be asked for */
	EXE_WHOLE,
	EXE_REGIONS, /* what was touched is here */
	EXE_BAD, /* it has no tables and never will: no code that was compiled ahead of time */
	EXE_REFUSED, /* it may have, but we never will: it broke the symbolizer, or is on a slow file system */
};

struct exe_piece {
	uint32_t addr, words;
};

struct exe {
	uint32_t file; /* whose; EXE_NONE: its number is another's, and this one goes when room is wanted */
	uint32_t users; /* exes_hold() */
	uint32_t state; /* enum exe_state */
	uint32_t pages, index; /* address of the index; 0: none */
	uint64_t start; /* ELF address of the first page */
	struct unwind_segment *segments; /* known from its first reply on */
	uint32_t segment_count;
	bool huge; /* too large for one reply, for the symbolizer, or for the room that there is */
	ARRAY(struct exe_piece) pieces;
	ARRAY(uint16_t) rules; /* to be given up */
	uint64_t used_ns, left_ns; /* by a sample; by the last mapping */
	uint64_t next_ask_ns, backoff_ns;
	uint32_t timeouts;
};

struct exes {
	struct tables *tables; /* all four borrowed */
	struct chunks *chunks;
	struct rules *rules;
	struct counters *counters;
	struct exe *all;
	uint32_t count, max;
	ARRAY(uint32_t) by_file;
	uint32_t segments; /* of all */
	uint32_t known; /* how often segments became known, or it became known that there are none */
};

/* `max` <= UNWIND_MAX_EXES. Borrows all. 0 or -ENOMEM; then release is fine. */
int exes_init(struct exes *x, struct tables *t, struct chunks *chunks, struct rules *rules,
	      struct counters *counters, uint32_t max);
void exes_release(struct exes *x);

/* The number of a file's, EXE_NONE if it has none; made if need be, EXE_NONE if there are too many. */
uint32_t exes_find(const struct exes *x, uint32_t file);
uint32_t exes_intern(struct exes *x, uint32_t file, uint64_t now_ns);

/* The file's number will be another's. False: mappings refer to it. */
bool exes_forget(struct exes *x, uint32_t file);

/* Mappings refer to it, or no longer do. */
void exes_hold(struct exes *x, uint32_t number);
void exes_drop(struct exes *x, uint32_t number, uint64_t now_ns);

/* A sample went through it. */
static inline void exes_use(struct exes *x, uint32_t number, uint64_t now_ns)
{
	x->all[number].used_ns = now_ns;
}

/* The ELF address at this file offset, or of what is mapped there. False: not known, or not code. */
bool exes_vaddr(const struct exes *x, uint32_t number, uint64_t offset, uint64_t *ret_vaddr);

/*
 * The rule for an address, `into` bytes behind what is mapped of this file offset; as the kernel finds it. 0; -EAGAIN:
 * it isn't here (yet); -ENOEXEC: there are none, for the file or for what is mapped there.
 */
int exes_rule(const struct exes *x, uint32_t number, uint64_t offset, uint64_t into,
	      struct unwind_rule *ret);

/*
 * A sample was at this file offset: what is to be asked of the symbolizer for it. False: nothing, or not
 * now.
 */
bool exes_missing(const struct exes *x, uint32_t number, uint64_t offset, uint64_t now_ns,
		  struct unwind_request *ret);

/*
 * The answer to that. 0; 1: ask again (exes_missing()), for a part of it; -EAGAIN: there will be room, later; -ENOSPC;
 * -ENFILE: EXE_MAX_SEGMENTS; -EINVAL: nothing of what was asked for; -ENOMEM. After an error it is asked for again after
 * a while, which doubles each time.
 */
int exes_store(struct exes *x, uint32_t number, const struct unwind_answer *a,
	       const struct unwind_request *request, uint64_t now_ns);
/*
 * There was no answer in time. On a busy machine that is nobody's fault: it may be asked for again 10 s later, and
 * another time 40 s after that, since a file that is made to hang costs the same patience each time. Then it is
 * EXE_REFUSED: true.
 */
bool exes_time_out(struct exes *x, uint32_t number, uint64_t now_ns);
/* There was no answer: it is `state` for good (EXE_BAD, EXE_REFUSED), or may be asked for again (EXE_UNKNOWN). */
void exes_refuse(struct exes *x, uint32_t number, enum exe_state state, uint64_t now_ns);

/* For good. */
static inline bool exe_has_none(const struct exe *e)
{
	return e->state == EXE_BAD || e->state == EXE_REFUSED;
}

#endif
