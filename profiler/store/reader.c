// SPDX-License-Identifier: Apache-2.0
/*
 * From the files that nothing stands for down to their children: of each, what of the range it is read for, and what is
 * left to the finer ones. A child's span is never shorter than its parent's window, so that children are there
 * for a window or aren't: no window is read in part.
 *
 * Refused: choosing by time alone. Where a clock went back, two files have the same time, and both count.
 */
#include "profiler/store/reader.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/model/merge.h"
#include "profiler/store/level.h"

#define MAX_SPANS 64 /* of a file: at most two for each of 28 children */

struct span {
	uint64_t from_ns, to_ns;
};

struct visit {
	const struct store_source *source;
	const struct store_range *range;
	const struct store_visitor *visitor;
	struct store_result *result;
	struct err *err;
};

int store_source_open(void *ctx, const char *name, struct err *err)
{
	return catalog_open(*(const int *)ctx, name, err);
}

struct spans {
	struct span items[MAX_SPANS];
	uint32_t count;
};

static void spans_add(struct spans *s, uint64_t from_ns, uint64_t to_ns)
{
	if (from_ns >= to_ns)
		return;
	if (s->count && s->items[s->count - 1].to_ns == from_ns) {
		s->items[s->count - 1].to_ns = to_ns;
		return;
	}
	assert(s->count < MAX_SPANS);
	s->items[s->count++] = (struct span){ from_ns, to_ns };
}

static bool spans_have(const struct spans *s, uint64_t ns)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (ns >= s->items[i].from_ns && ns < s->items[i].to_ns)
			return true;
	return false;
}

/* What can't be read is counted; what can't go on is returned. */
static int failed(struct visit *v, int r, const struct err *why)
{
	if (r == -ENOMEM)
		return err_set(v->err, r, "%s", why->text);
	if (r == -ENOENT || r == -ESTALE) {
		v->result->gone++;
		return 0;
	}
	if (!v->result->bad++)
		v->result->damage = *why;
	return 0;
}

/* 1: there may be more. */
static int read_window(struct visit *v, struct segment *s, const struct spans *spans,
		       bool *ret_failed)
{
	struct layout_frame f;
	struct err why;
	bool wanted = false;
	int r = segment_next(s, &f, &why);

	if (r == 0)
		return 0;
	if (r == 1) {
		wanted = spans_have(spans, f.start_ns);
		r = segment_load(s, wanted ? v->visitor->up_to : LAYOUT_DICTIONARY, &why);
	}
	if (r < 0) {
		*ret_failed = true;
		return failed(v, r, &why);
	}
	if (!wanted)
		return 1;
	v->result->windows++;
	r = v->visitor->window(v->visitor->ctx, s, &f, v->err);
	return r < 0 ? r : 1;
}

static int read_file(struct visit *v, const struct catalog_file *f, const struct spans *spans)
{
	char name[CATALOG_NAME_BYTES];
	struct segment *s = NULL;
	struct err why;
	bool over = false;
	int r;

	catalog_name(f, name);
	r = v->source->open(v->source->ctx, name, &why);
	if (r >= 0)
		r = segment_open(&s, r, name, &v->source->limits, &why);
	if (r < 0)
		return failed(v, r, &why);
	v->result->files++;
	r = v->visitor->file ? v->visitor->file(v->visitor->ctx, s, v->err) : 0;
	if (r == 0)
		do
			r = read_window(v, s, spans, &over);
		while (r == 1 && !over);
	segment_free(s);
	return r < 0 ? r : 0;
}

/* The next child from *at on whose time has `slot_ns`, or NULL. */
static const struct catalog_file *next_child(const struct catalog *c, const struct catalog_file *f,
					     uint64_t slot_ns, uint32_t *at)
{
	while (*at < c->files.count && c->files.items[*at].level < f->level) {
		const struct catalog_file *child = &c->files.items[(*at)++];

		if (child->slot_ns == slot_ns && catalog_is_child(f, child))
			return child;
	}
	return NULL;
}

static int visit_file(struct visit *v, const struct catalog_file *f, uint64_t from_ns,
		      uint64_t to_ns);

static int visit_children(struct visit *v, const struct catalog_file *f, uint64_t slot_ns,
			  uint64_t from_ns, uint64_t to_ns)
{
	uint32_t at = catalog_level(v->source->catalog, f->level - 1);
	const struct catalog_file *child;
	int r = 0;

	if (from_ns >= to_ns)
		return 0;
	while (r == 0 && (child = next_child(v->source->catalog, f, slot_ns, &at)))
		r = visit_file(v, child, from_ns, to_ns);
	return r;
}

/* What of one child's time is read from `f`, and what is not. */
static int divide(struct visit *v, const struct catalog_file *f, uint64_t slot_ns,
		  const struct span *in, struct spans *ret)
{
	uint64_t window_ns = store_levels[f->level].window_ns;
	uint64_t from_ns = (in->from_ns + window_ns - 1) / window_ns * window_ns;
	uint64_t to_ns = in->to_ns / window_ns * window_ns;
	uint32_t at = catalog_level(v->source->catalog, f->level - 1);
	int r;

	if (!next_child(v->source->catalog, f, slot_ns, &at)) {
		spans_add(ret, in->from_ns, in->to_ns);
		return 0;
	}
	if (window_ns > v->range->window_ns || from_ns >= to_ns)
		return visit_children(v, f, slot_ns, in->from_ns, in->to_ns);
	spans_add(ret, from_ns, to_ns);
	r = visit_children(v, f, slot_ns, in->from_ns, from_ns);
	return r < 0 ? r : visit_children(v, f, slot_ns, to_ns, in->to_ns);
}

/* Recursion ends: children are of a finer level, of which there are four. */
static int visit_file(struct visit *v, const struct catalog_file *f, uint64_t from_ns,
		      uint64_t to_ns)
{
	uint64_t end_ns = f->slot_ns + store_levels[f->level].span_ns, step_ns;
	struct spans spans = { .count = 0 };

	if (from_ns < f->slot_ns)
		from_ns = f->slot_ns;
	if (to_ns > end_ns)
		to_ns = end_ns;
	if (from_ns >= to_ns)
		return 0;
	step_ns = f->level ? store_levels[f->level - 1].span_ns : end_ns - f->slot_ns;
	for (uint64_t slot = f->slot_ns; slot < end_ns; slot += step_ns) {
		struct span in = { from_ns > slot ? from_ns : slot,
				   to_ns < slot + step_ns ? to_ns : slot + step_ns };
		int r = 0;

		if (in.from_ns >= in.to_ns)
			continue;
		if (f->level)
			r = divide(v, f, slot, &in, &spans);
		else
			spans_add(&spans, in.from_ns, in.to_ns);
		if (r < 0)
			return r;
	}
	return spans.count ? read_file(v, f, &spans) : 0;
}

int store_visit(const struct store_source *source, const struct store_range *range,
		const struct store_visitor *visitor, struct store_result *ret, struct err *err)
{
	const struct catalog *c = source->catalog;
	struct visit v = { source, range, visitor, ret, err };
	int r = 0;

	*ret = (struct store_result){ 0 };
	for (uint32_t i = 0; r == 0 && i < c->files.count; i++)
		if (!catalog_is_covered(c, &c->files.items[i]))
			r = visit_file(&v, &c->files.items[i], range->from_ns, range->to_ns);
	return r;
}

/* ---- into a profile ---- */

struct reading {
	struct profile *into;
	struct profile_merge *merge; /* of the file that is being read */
	bool (*wants)(void *ctx, const struct profile *p, uint32_t series);
	void *ctx;
	ARRAY(uint8_t) wanted; /* by series: 0 not asked yet, 1 no, 2 yes */
};

static int begin_file(void *ctx, const struct segment *s, struct err *err)
{
	struct reading *x = ctx;
	int r;

	profile_merge_free(x->merge);
	x->merge = NULL;
	x->wanted.count = 0;
	r = profile_merge_new(&x->merge, x->into, segment_profile(s));
	return r < 0 ? err_errno(err, r, "cannot read the store") : 0;
}

/* -ENOMEM, or is it? */
static int wants(struct reading *x, const struct profile *p, uint32_t series)
{
	if (!x->wants)
		return 1;
	if (series >= x->wanted.count) {
		int r = array_reserve((void **)&x->wanted.items, &x->wanted.capacity,
				      p->series.count, sizeof(*x->wanted.items), UINT32_MAX);

		if (r < 0)
			return r;
		memset(x->wanted.items + x->wanted.count, 0, p->series.count - x->wanted.count);
		x->wanted.count = p->series.count;
	}
	if (!x->wanted.items[series])
		x->wanted.items[series] = x->wants(x->ctx, p, series) ? 2 : 1;
	return x->wanted.items[series] == 2;
}

static int add_window(void *ctx, const struct segment *s, const struct layout_frame *f,
		      struct err *err)
{
	struct reading *x = ctx;
	const struct profile *p = segment_profile(s);
	int r = profile_merge_facts(x->into, &p->facts, &p->counters);

	(void)f;
	for (uint32_t i = 0; r >= 0 && i < p->samples.count; i++) {
		const struct profile_sample *m = &p->samples.items[i];

		r = wants(x, p, m->series);
		if (r == 1)
			r = profile_merge_sample(x->merge, m->series, m->node, m->count, m->value);
	}
	if (r == -E2BIG)
		return err_set(err, r, "there is more in this range than fits into one profile");
	return r < 0 ? err_errno(err, r, "cannot read the store") : 0;
}

int store_read(const struct store_source *source, const struct store_range *range,
	       bool (*wants_series)(void *ctx, const struct profile *p, uint32_t series), void *ctx,
	       struct profile *into, struct store_result *ret, struct err *err)
{
	struct reading x = { .into = into, .wants = wants_series, .ctx = ctx };
	const struct store_visitor visitor = { &x, LAYOUT_SAMPLES, begin_file, add_window };
	int r = store_visit(source, range, &visitor, ret, err);

	profile_merge_free(x.merge);
	array_release(&x.wanted);
	return r;
}
