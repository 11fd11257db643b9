/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code that processes made at run time: which processes were sampled in such code, and what they say of
 * it themselves (a perf map, a jitdump), read by the symbolizer when names are wanted.
 *
 * A process uses its memory again: an address may be one function's now and was another's before. So
 * samples in such code are told apart by process image, and, as it goes on making code, by moment: each
 * moment is a window space of its own, and says how long the perf map was and what time it was when it
 * ended. It is looked at with each drain, so that a moment is 0.1 s long at the least; a process that
 * never ceases to make code has one a second. Within one, the younger of two functions at an address has
 * the samples of both.
 *
 * What is known of outside comes through a code_source, so that a replay has the same spaces.
 */
#ifndef AGENT_JIT_H
#define AGENT_JIT_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/aggregate/window.h"
#include "profiler/base/counter.h"
#include "profiler/model/runtime.h"
#include "profiler/process/process.h"
#include "symbolizer/protocol.h"

#define JIT_NO_FILE UINT32_MAX

struct code_source {
	void *ctx;
	/*
	 * How long is the perf map of the process `id` by now? `owner` is its number here. 0, or negative
	 * errno: -ENOENT if there is none, -ESRCH if the process is gone, -ENODATA if there is no
	 * news of it.
	 */
	int (*look)(void *ctx, uint32_t owner, const struct process_id *id, uint64_t *ret_bytes);
};

struct jit;

/* Borrows all for its life. 0 or -ENOMEM. */
int jit_new(struct jit **ret, struct process_table *processes, struct file_table *files,
	    struct counters *counters);
void jit_free(struct jit *j);
/* Copied. Without one nobody says anything. */
void jit_set_source(struct jit *j, const struct code_source *source);

/*
 * The window space of code that `id` made and that was seen now: from WINDOW_SPACE_CODE on, or
 * WINDOW_SPACE_ANONYMOUS where there is no room for one (CODE_REFUSED).
 */
uint32_t jit_space(struct jit *j, const struct process_id *id);

/* Around a drain's samples, whose times are up to `until_ns`: looks at the maps of those known, and of those that are new. */
void jit_begin(struct jit *j, uint64_t until_ns);
void jit_end(struct jit *j);

/* Are there nearly as many processes or moments as there may be? */
bool jit_is_full(const struct jit *j);

/* ---- for who names it ---- */

static inline bool jit_is_code(uint32_t space)
{
	return space >= WINDOW_SPACE_CODE;
}

/* Of such a space: the number of its process image, and when it was seen. */
uint32_t jit_owner(const struct jit *j, uint32_t space);
struct symbol_moment jit_moment(const struct jit *j, uint32_t space);

/* Does it say anything of its code? */
bool jit_has_names(const struct jit *j, uint32_t owner);
/* Its jitdump's number in the file table, or JIT_NO_FILE. */
uint32_t jit_dump(const struct jit *j, uint32_t owner);
enum runtime jit_runtime(const struct jit *j, uint32_t owner);
/* Its names could not be had: it has none from now on. */
void jit_give_up(struct jit *j, uint32_t owner);

#endif
