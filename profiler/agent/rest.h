/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the rest of a stack comes from, of which the kernel side had no more than the beginning, since the process
 * or the file was new (bpf/record.h: struct record_rest): the unwinder in user space, or a recording of
 * what that said. For each such sample begin(), then next() until it ends, then end().
 */
#ifndef AGENT_REST_H
#define AGENT_REST_H

#include <stdint.h>

#include "bpf/record.h"
#include "profiler/process/process.h"

struct rest_source {
	void *ctx;
	/* `s` stays until the end. */
	void (*begin)(void *ctx, const struct record_sample *s);
	/*
	 * The caller of the frame before, which is in `m`. STACK_END_NONE and *ret_word, as those of a
	 * record; or why there is none.
	 */
	enum record_stack_end (*next)(void *ctx, const struct mapping *m, uint64_t *ret_word);
	/* What the caller made of it. */
	void (*end)(void *ctx, enum record_stack_end end);
};

#endif
