/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unwinder in user space: from a frame to its caller over a copy of the stack that came with a sample. It is the
 * kernel side's step, with another way to read memory.
 */
#ifndef TABLES_WALK_H
#define TABLES_WALK_H

#include <stdint.h>

#include "bpf/record.h"
#include "bpf/unwind_step.h"

struct walk {
	struct unwind_frame frame; /* where it is */
	const struct record_rest *rest; /* borrowed, with the stack behind it */
};

/* `rest` is as decode_sample() accepts it. */
void walk_begin(struct walk *w, const struct record_rest *rest);

/*
 * To the frame's caller by this rule: STACK_END_NONE and *ret_word, the frame as a word of a record; or why the stack
 * ends here: STACK_END_BAD_READ, too, where the copy does.
 */
enum record_stack_end walk_step(struct walk *w, const struct unwind_rule *rule, uint64_t *ret_word);

#endif
