// SPDX-License-Identifier: Apache-2.0
/*
 * Frames are equal if their addresses and their stack pointers are: the latter tells two recursions apart.
 */
#include "profiler/dump/stack.h"

#include <errno.h>
#include <string.h>

void stacks_release(struct stacks *s)
{
	array_release(&s->threads);
	array_release(&s->frames);
}

void stacks_clear(struct stacks *s)
{
	s->threads.count = 0;
	s->frames.count = 0;
}

bool stacks_have_room(const struct stacks *s)
{
	return s->threads.count < STACKS_MAX_THREADS &&
	       s->frames.count <= STACKS_MAX_FRAMES - 2 * DUMP_MAX_FRAMES;
}

struct thread_stacks *stacks_add(struct stacks *s)
{
	struct thread_stacks *t = array_push(&s->threads, STACKS_MAX_THREADS);

	if (t)
		memset(t, 0, sizeof(*t));
	return t;
}

int stacks_keep(struct stacks *s, const struct walk *walk, struct stack *ret)
{
	int r = array_reserve((void **)&s->frames.items, &s->frames.capacity,
			      (uint64_t)s->frames.count + walk->count, sizeof(*s->frames.items),
			      STACKS_MAX_FRAMES);

	if (r < 0)
		return r;
	if (walk->count)
		memcpy(&s->frames.items[s->frames.count], walk->frames,
		       walk->count * sizeof(*walk->frames));
	*ret = (struct stack){ s->frames.count, walk->count, walk->end };
	s->frames.count += walk->count;
	return 0;
}

struct comparison stacks_compare(const struct stacks *s, const struct stack *a,
				 const struct stack *b)
{
	const struct stack *shorter = a->count < b->count ? a : b;
	uint32_t longer = a->count < b->count ? b->count : a->count;
	struct comparison c = { .first = UINT32_MAX };

	for (uint32_t i = 0; i < shorter->count; i++) {
		const struct dump_frame *x = &s->frames.items[a->first + i];
		const struct dump_frame *y = &s->frames.items[b->first + i];

		if (x->ip == y->ip && x->sp == y->sp)
			continue;
		if (!c.differ++)
			c.first = i;
	}
	if (longer > shorter->count && shorter->end == DUMP_END_BOTTOM) {
		if (!c.differ)
			c.first = shorter->count;
		c.differ += longer - shorter->count;
	}
	if (c.differ)
		c.agreement = AGREEMENT_DIFFERS;
	else if (a->end != DUMP_END_BOTTOM || b->end != DUMP_END_BOTTOM)
		c.agreement = AGREEMENT_UNFINISHED;
	return c;
}
