/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stacks of some threads of one process, as they are shown: by libunwind, and by our rows if that was asked for.
 */
#ifndef DUMP_STACK_H
#define DUMP_STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/array.h"
#include "profiler/base/err.h"
#include "profiler/dump/label.h"
#include "profiler/dump/protocol.h"
#include "profiler/dump/target.h"
#include "profiler/dump/walk.h"

#define STACKS_MAX_THREADS 256u /* shown together */
#define STACKS_MAX_FRAMES (2u * DUMP_MAX_FRAMES * 32u)

struct stack {
	uint32_t first, count; /* in the frames */
	enum dump_end end;
};

struct thread_stacks {
	uint32_t tid;
	struct process_status status;
	bool walked; /* else `why` says why not */
	struct err why; /* or what went wrong on the way; "" */
	uint64_t stopped_ns;
	struct stack theirs; /* libunwind's */
	struct stack ours; /* if it was asked for */
};

struct stacks {
	ARRAY(struct thread_stacks) threads;
	ARRAY(struct dump_frame) frames;
};

void stacks_release(struct stacks *s);
void stacks_clear(struct stacks *s);
/* Is there room for one more thread, however deep? */
bool stacks_have_room(const struct stacks *s);

/* One more; NULL without memory. */
struct thread_stacks *stacks_add(struct stacks *s);
/* Copies a walk's frames. 0, -ENOMEM or -E2BIG. */
int stacks_keep(struct stacks *s, const struct walk *walk, struct stack *ret);

/* What two unwinders made of the same registers and memory. */
enum agreement {
	AGREEMENT_SAME, /* frame by frame, up to the outermost */
	AGREEMENT_UNFINISHED, /* as far as both came, but one of them could not go on */
	AGREEMENT_DIFFERS,
};

struct comparison {
	enum agreement agreement;
	uint32_t differ; /* frames that differ, or that only one has though the other says that it is whole */
	uint32_t first; /* of these */
};

struct comparison stacks_compare(const struct stacks *s, const struct stack *a,
				 const struct stack *b);

#endif
