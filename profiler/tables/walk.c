// SPDX-License-Identifier: Apache-2.0
/*
 * What a rest says is believed as far as the step believes registers and memory: any value may be there.
 *
 * Refused: to look into the process's memory now for what the copy doesn't have. It has run on.
 */
#include "profiler/tables/walk.h"

#include <string.h>

static int read_copy(void *source, __u64 addr, __u64 *ret)
{
	const struct record_rest *rest = source;
	uint64_t off = addr - rest->stack;

	if (addr & 7 || off >= rest->bytes)
		return 1;
	memcpy(ret, (const char *)(rest + 1) + off, sizeof(*ret));
	return 0;
}

/* Of the leaf: other frames aren't UNWIND_EXACT without a context. */
static int read_register(void *source, __u32 number, __u64 *ret)
{
	const struct record_rest *rest = source;

	*ret = rest->general[number];
	return 0;
}

void walk_begin(struct walk *w, const struct record_rest *rest)
{
	*w = (struct walk){
		.frame = { .ip = rest->ip,
			   .sp = rest->sp,
			   .fp = rest->fp,
			   .context = rest->context,
			   .flags = rest->flags },
		.rest = rest,
	};
}

enum record_stack_end walk_step(struct walk *w, const struct unwind_rule *rule, uint64_t *ret_word)
{
	const struct unwind_source from = {
		.read = read_copy,
		.leaf_register = read_register,
		.memory = (void *)w->rest,
		.user_end = w->rest->user_end,
		.first_sp = w->rest->first_sp,
	};
	int end = unwind_step(rule, &w->frame, &from);
	enum record_frame_kind kind = w->frame.flags & UNWIND_GUESSED ? FRAME_POINTER : FRAME_TABLE;

	if (end == UNWIND_END_NONE)
		*ret_word = (uint64_t)kind << FRAME_KIND_SHIFT | (w->frame.ip & FRAME_ADDR_MASK);
	return record_stack_end(end);
}
