// SPDX-License-Identifier: Apache-2.0
/*
 * Labels first, since they are judged once for each series; then stacks. A profile is never changed: what is
 * selected is merged into an empty one.
 */
#include "profiler/query/query.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/model/merge.h"
#include "profiler/query/frames.h"
#include "profiler/query/matchers.h"

static const char *const names[] = {
#define X(id, name, help) [QUERY_##id] = name,
	QUERY_PARAMETERS(X)
#undef X
};

_Static_assert(QUERY_FOCUS + FRAMES_SHOW_FROM == (int)QUERY_SHOW_FROM, "in one order");

struct query {
	struct matchers *matchers;
	struct frames_options frames;
};

int query_new(struct query **ret)
{
	struct query *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	*ret = q;
	return 0;
}

void query_free(struct query *q)
{
	if (!q)
		return;
	matchers_free(q->matchers);
	for (int k = 0; k < FRAMES_PATTERN_COUNT; k++)
		pattern_free(q->frames.patterns[k]);
	free(q);
}

static int twice(enum query_parameter parameter, struct err *err)
{
	return err_set(err, -EINVAL, "%s is given twice", names[parameter]);
}

int query_set(struct query *q, enum query_parameter parameter, const char *value, struct err *err)
{
	struct pattern **pattern;
	struct err why;
	int r;

	if (parameter == QUERY_RECURSION) {
		q->frames.collapse_recursion = true;
		return 0;
	}
	if (parameter == QUERY_QUERY)
		return q->matchers ? twice(parameter, err) : matchers_new(&q->matchers, value, err);
	pattern = &q->frames.patterns[parameter - QUERY_FOCUS];
	if (*pattern)
		return twice(parameter, err);
	r = pattern_new(pattern, value, false, &why);
	return r < 0 ? err_set(err, r, "%s: %s", names[parameter], why.text) : 0;
}

static bool has_pattern(const struct query *q)
{
	for (int k = 0; k < FRAMES_PATTERN_COUNT; k++)
		if (q->frames.patterns[k])
			return true;
	return false;
}

bool query_selects(const struct query *q)
{
	return q->matchers || has_pattern(q);
}

bool query_is_empty(const struct query *q)
{
	return !query_selects(q) && !q->frames.collapse_recursion;
}

const struct frames_options *query_frames(const struct query *q)
{
	return has_pattern(q) || q->frames.collapse_recursion ? &q->frames : NULL;
}

int query_wants(const struct query *q, const struct profile *p, uint32_t series, struct err *err)
{
	int r = q->matchers ? matchers_hold(q->matchers, p, series) : 1;

	return r < 0 ? err_set(err, r, "a regular expression takes too long: make it simpler") : r;
}

/* Which series are asked for: a byte each. */
static int select_series(const struct query *q, const struct profile *p, uint8_t *selected,
			 struct err *err)
{
	for (uint32_t i = 0; i < p->series.count; i++) {
		int r = query_wants(q, p, i, err);

		if (r < 0)
			return r;
		selected[i] = r > 0;
	}
	return 0;
}

/* What is read, what is made of it, and the way there. */
struct run {
	const struct profile *from;
	struct profile *into;
	struct profile_merge *merge;
};

static int add_samples(const struct run *x, struct frames *f, const uint8_t *selected)
{
	for (uint32_t i = 0; i < x->from->samples.count; i++) {
		const struct profile_sample *s = &x->from->samples.items[i];
		int series, node, r;

		if (!selected[s->series] || !frames_keep(f, s->node))
			continue;
		series = profile_merge_series(x->merge, s->series);
		node = series < 0 ? series : frames_node(f, s->node);
		r = node < 0 ? node
			     : profile_add(x->into, (uint32_t)series, (uint32_t)node, s->count,
					   s->value);
		if (r < 0)
			return r;
	}
	return 0;
}

static int run(const struct query *q, const struct run *x, struct err *err)
{
	uint8_t *selected = calloc((size_t)x->from->series.count + 1, 1);
	struct frames *f = NULL;
	int r;

	if (!selected)
		return err_errno(err, -ENOMEM, "cannot select samples");
	r = select_series(q, x->from, selected, err);
	if (r == 0)
		r = frames_new(&f, &q->frames, x->from, x->into, x->merge, err);
	if (r == 0) {
		r = add_samples(x, f, selected);
		if (r < 0)
			err_errno(err, r, "cannot select samples");
	}
	frames_free(f);
	free(selected);
	return r;
}

int query_run(const struct query *q, const struct profile *from, struct profile *ret,
	      struct err *err)
{
	struct run x = { .from = from, .into = ret };
	int r = profile_init(ret, from->arena.max_bytes, from->max_items);

	if (r < 0)
		return err_errno(err, r, "cannot select samples");
	r = profile_merge_facts(ret, &from->facts, &from->counters);
	if (r == 0)
		r = profile_merge_new(&x.merge, ret, from);
	if (r < 0)
		err_errno(err, r, "cannot select samples");
	else
		r = run(q, &x, err);
	if (r == 0) {
		ret->selected = from->selected || query_selects(q);
		ret->facts.filtered |= ret->selected;
		if (ret->selected)
			ret->counters = (struct counters){ 0 };
	}
	profile_merge_free(x.merge);
	if (r < 0)
		profile_release(ret);
	return r;
}
