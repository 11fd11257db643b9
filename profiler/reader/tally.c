// SPDX-License-Identifier: Apache-2.0
/*
 * Counted by group as windows come, from the coarsest level: nothing of a stack is merged, and a week is seven windows.
 */
#include "profiler/reader/tally.h"

#include <errno.h>

static int begin_file(void *ctx, const struct profile *p, struct err *err)
{
	struct tally *t = ctx;

	(void)err;
	grouping_begin(&t->grouping, p);
	return 0;
}

static int add_sample(struct tally *t, const struct profile_sample *s)
{
	int group = grouping_of(&t->grouping, s->series);
	struct group_rank *rank;

	if (group < 0)
		return group;
	while (t->ranks.count <= (uint32_t)group) {
		rank = array_push(&t->ranks, GROUPING_MAX);
		if (!rank)
			return -ENOMEM;
		*rank = (struct group_rank){ .group = t->ranks.count - 1 };
	}
	rank = &t->ranks.items[group];
	rank->samples += s->count;
	rank->value += s->value;
	t->samples += s->count;
	t->value += s->value;
	return 0;
}

static int add_window(void *ctx, const struct inquiry_window *w, struct err *err)
{
	struct tally *t = ctx;

	for (uint32_t i = 0; i < w->profile->samples.count; i++) {
		const struct profile_sample *s = &w->profile->samples.items[i];
		int r = sieve_keeps(w->sieve, s->series, s->node) ? add_sample(t, s) : 0;

		if (r < 0)
			return err_errno(err, r, "cannot count labels");
	}
	return 0;
}

int tally_read(struct tally *ret, struct inquiry *q, const struct group_keys *keys, struct err *err)
{
	struct tally t = { .samples = 0 };
	const struct inquiry_visitor visitor = {
		.ctx = &t,
		.up_to = LAYOUT_SAMPLES,
		.file = begin_file,
		.window = add_window,
	};
	int r = grouping_init(&t.grouping, keys);

	if (r < 0)
		return err_errno(err, r, "cannot count labels");
	r = inquiry_visit(q, inquiry_range(q, 0), UINT64_MAX, &visitor, err);
	if (r < 0) {
		tally_release(&t);
		return r;
	}
	group_ranks_sort(t.ranks.items, t.ranks.count);
	while (t.ranks.count && !t.ranks.items[t.ranks.count - 1].samples)
		t.ranks.count--;
	*ret = t;
	return 0;
}

void tally_release(struct tally *t)
{
	grouping_release(&t->grouping);
	array_release(&t->ranks);
}

struct group_rank tally_rest(const struct tally *t, uint32_t shown)
{
	struct group_rank rest = { 0 };

	for (uint32_t i = shown; i < t->ranks.count; i++) {
		rest.group++;
		rest.samples += t->ranks.items[i].samples;
		rest.value += t->ranks.items[i].value;
	}
	return rest;
}
