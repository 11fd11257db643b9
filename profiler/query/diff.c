// SPDX-License-Identifier: Apache-2.0
/*
 * Both profiles are merged into one without samples, so that equal stacks are one node; the samples of each are
 * kept beside it, by its nodes. Then all is addition, and one test for each item.
 *
 * Items are ranked by p, not by size: a change of 0.1 cores in a function that always had 2 may be noise, one of
 * 0.02 in a function that was never there is none.
 */
#include "profiler/query/diff.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/query/merge.h"
#include "profiler/query/significance.h"

#define MAX_ITEMS (1U << 24)

static_assert(offsetof(struct diff_item, self) == 8, "group and what are the key");

/* ---- the two sides ---- */

static int add_side(struct diff *d, struct diff_side *side, const struct profile *p)
{
	struct merge m;
	int r = merge_init(&m, &d->both, p);

	if (r < 0)
		return r;
	side->facts = p->facts;
	side->lost = counters_lost(&p->counters);
	for (uint32_t i = 0; i < p->samples.count && r >= 0; i++) {
		struct profile_sample s = p->samples.items[i];
		int series = merge_series(&m, s.series), node = merge_node(&m, s.node);
		struct profile_sample *added = array_push(&side->samples, p->samples.count);

		r = series < 0 ? series : node < 0 ? node : added ? 0 : -ENOMEM;
		if (r < 0)
			break;
		s.series = (uint32_t)series;
		s.node = (uint32_t)node;
		*added = s;
		side->count += s.count;
		side->value += s.value;
	}
	merge_release(&m);
	return r;
}

static bool same_unit(const struct diff *d)
{
	const struct profile_facts *a = &d->sides[0].facts, *b = &d->sides[1].facts;

	return !strcmp(a->value_type, b->value_type) && !strcmp(a->value_unit, b->value_unit);
}

/* Samples are few; nanoseconds, cycles and bytes are counted by the thousand million. */
static bool is_plain(const struct profile_facts *f)
{
	return !strcmp(f->value_type, "samples") && !strcmp(f->value_unit, "count");
}

static int choose_mode(struct diff *d, enum diff_mode mode, struct err *err)
{
	bool timed = d->sides[0].facts.duration_ns && d->sides[1].facts.duration_ns;

	d->is_time = same_unit(d) && !strcmp(d->sides[0].facts.value_unit, "nanoseconds");
	d->relative = mode == DIFF_RELATIVE || (mode == DIFF_AUTO && (!timed || !same_unit(d)));
	d->divisor = is_plain(&d->sides[1].facts) ? 1 : DIFF_DIVISOR;
	if (d->relative)
		return 0;
	if (!same_unit(d))
		return err_set(err, -EINVAL,
			       "%s in %s and %s in %s are not compared absolutely: use --relative",
			       d->sides[0].facts.value_type, d->sides[0].facts.value_unit,
			       d->sides[1].facts.value_type, d->sides[1].facts.value_unit);
	if (!timed)
		return err_set(
			err, -EINVAL,
			"one doesn't say how long it took: they are only compared --relative");
	return 0;
}

/* What one unit of value, and one sample, come to. */
static void set_scale(const struct diff *d, struct diff_side *s)
{
	double seconds = (double)s->facts.duration_ns / NS_PER_S;
	double kept = s->count ? (double)s->count / ((double)s->count + (double)s->lost) : 1;
	double per_sample = s->count ? (double)s->value / (double)s->count
				     : (double)s->facts.period;

	if (d->relative)
		s->scale = s->value ? 100.0 / (double)s->value : 0;
	else
		s->scale = 1 / (seconds * kept * d->divisor);
	s->exposure = per_sample > 0 && s->scale > 0 ? 1 / (per_sample * s->scale) : 0;
}

static void set_scales(struct diff *d)
{
	set_scale(d, &d->sides[0]);
	set_scale(d, &d->sides[1]);
	/* Without a sample, and without a period: as the other. */
	for (int i = 0; i < 2; i++)
		if (d->sides[i].exposure <= 0)
			d->sides[i].exposure = d->sides[!i].exposure > 0 ? d->sides[!i].exposure
									 : 1;
}

/* ---- items ---- */

static bool item_equal(const void *owner, uint32_t item, const void *key)
{
	return !memcmp(&((const struct diff_list *)owner)->items.items[item], key,
		       offsetof(struct diff_item, self));
}

/* NULL: no memory. */
static struct diff_item *item_get(struct diff_list *l, uint32_t group, uint32_t what)
{
	const struct diff_item key = { .group = group, .what = what };
	uint64_t hash = hash_bytes(&key, offsetof(struct diff_item, self));
	uint32_t found = index_find(&l->index, hash, item_equal, l, &key);
	struct diff_item *added;

	if (found != UINT32_MAX)
		return &l->items.items[found];
	added = array_push(&l->items, MAX_ITEMS);
	if (!added)
		return NULL;
	*added = key;
	return index_add(&l->index, hash, l->items.count - 1) < 0 ? NULL : added;
}

static void pair_add(struct diff_pair *p, int side, const struct profile_sample *s)
{
	p->count[side] += s->count;
	p->value[side] += s->value;
}

static int add_samples(struct diff *d, int side)
{
	for (uint32_t i = 0; i < d->sides[side].samples.count; i++) {
		const struct profile_sample *s = &d->sides[side].samples.items[i];
		uint32_t group = d->groups.of_series[s->series];
		struct diff_item *stack = item_get(&d->stacks, group, d->tree.node_of[s->node]);
		struct diff_item *whole = item_get(&d->by_group, group, 0);

		if (!stack || !whole)
			return -ENOMEM;
		pair_add(&stack->self, side, s);
		pair_add(&whole->self, side, s);
		pair_add(&d->all.self, side, s);
	}
	return 0;
}

static int add_functions(struct diff *d)
{
	struct call_sum *sums[2] = { NULL, NULL };
	int r = 0;

	for (int side = 0; side < 2 && r == 0; side++)
		r = calltree_sums(&d->tree, d->sides[side].samples.items,
				  d->sides[side].samples.count, &sums[side]);
	for (uint32_t i = 0; i < d->tree.frames.count && r == 0; i++) {
		struct diff_item *item;

		if (!sums[0][i].total_count && !sums[1][i].total_count)
			continue;
		item = array_push(&d->functions.items, MAX_ITEMS);
		if (!item) {
			r = -ENOMEM;
			break;
		}
		*item = (struct diff_item){ .what = i };
		for (int side = 0; side < 2; side++) {
			item->self.count[side] = sums[side][i].self_count;
			item->self.value[side] = sums[side][i].self_value;
			item->total.count[side] = sums[side][i].total_count;
			item->total.value[side] = sums[side][i].total_value;
		}
	}
	free(sums[0]);
	free(sums[1]);
	return r;
}

/* ---- figures ---- */

/* The variance of a side's value, in the unit of the mode: of a count by Poisson, of a share by Agresti and Coull. */
static double variance(const struct diff *d, int side, uint64_t count)
{
	const struct diff_side *s = &d->sides[side];
	double n = (double)s->count + 4, share = ((double)count + 2) / n;

	if (!d->relative)
		return ((double)count + 1) / (s->exposure * s->exposure);
	return s->count && share < 1 ? 1e4 * share * (1 - share) / n : 0;
}

/* Of what hits something that didn't change. */
static double second_part(const struct diff *d)
{
	const struct diff_side *a = &d->sides[0], *b = &d->sides[1];

	if (!d->relative)
		return b->exposure / (a->exposure + b->exposure);
	return a->count && b->count ? (double)b->count / ((double)a->count + (double)b->count) : 0;
}

static void compare(const struct diff *d, struct diff_item *item)
{
	const struct diff_side *a = &d->sides[0], *b = &d->sides[1];
	const struct diff_pair *p = &item->self;

	item->before = (double)p->value[0] * a->scale;
	item->after = (double)p->value[1] * b->scale;
	item->change = item->after - item->before;
	item->total_change =
		(double)item->total.value[1] * b->scale - (double)item->total.value[0] * a->scale;
	item->error = 2 * sqrt(variance(d, 0, p->count[0]) + variance(d, 1, p->count[1]));
	item->q = 1;
	item->is_tested = significance_is_possible(p->count[0] + p->count[1], second_part(d));
	if (!item->is_tested)
		item->ln_p = 0;
	else if (d->relative)
		item->ln_p = significance_of_shares(p->count[0], a->count, p->count[1], b->count);
	else
		item->ln_p =
			significance_of_rates(p->count[0], a->exposure, p->count[1], b->exposure);
}

static int compare_items(const void *a, const void *b)
{
	const struct diff_item *x = a, *y = b;
	double dx = fabs(x->change), dy = fabs(y->change);

	if (x->is_tested != y->is_tested)
		return x->is_tested ? -1 : 1;
	if (x->ln_p != y->ln_p)
		return x->ln_p < y->ln_p ? -1 : 1;
	if (dx != dy)
		return dx > dy ? -1 : 1;
	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return (x->what > y->what) - (x->what < y->what);
}

static int judge(const struct diff *d, struct diff_list *l)
{
	double *ln_p = calloc((size_t)l->items.count + 1, 2 * sizeof(*ln_p)), *q;

	if (!ln_p)
		return -ENOMEM;
	q = ln_p + l->items.count;
	for (uint32_t i = 0; i < l->items.count; i++)
		compare(d, &l->items.items[i]);
	if (l->items.count)
		qsort(l->items.items, l->items.count, sizeof(*l->items.items), compare_items);
	while (l->tested < l->items.count && l->items.items[l->tested].is_tested) {
		ln_p[l->tested] = l->items.items[l->tested].ln_p;
		l->tested++;
	}
	significance_adjust(ln_p, l->tested, q);
	for (uint32_t i = 0; i < l->tested; i++) {
		l->items.items[i].q = q[i];
		l->changed += q[i] <= SIGNIFICANCE_LEVEL;
	}
	free(ln_p);
	return 0;
}

/* ---- the whole ---- */

static int add_all(struct diff *d, const struct diff_options *o)
{
	int r = calltree_init(&d->tree, &d->both);

	if (r == 0)
		r = groups_init(&d->groups, o->by.count ? &o->by : &group_by_comm, &d->both);
	if (r == 0)
		r = add_samples(d, 0);
	if (r == 0)
		r = add_samples(d, 1);
	if (r == 0)
		r = add_functions(d);
	if (r < 0)
		return r;
	set_scales(d);
	compare(d, &d->all);
	r = judge(d, &d->functions);
	if (r == 0)
		r = judge(d, &d->stacks);
	return r < 0 ? r : judge(d, &d->by_group);
}

int diff_new(struct diff **ret, const struct profile *before, const struct profile *after,
	     const struct diff_options *options, struct err *err)
{
	const struct profile *profiles[] = { before, after };
	struct diff *d = calloc(1, sizeof(*d));
	int r = d ? profile_init(&d->both, before->arena.max_bytes + after->arena.max_bytes,
				 MAX_ITEMS)
		  : -ENOMEM;

	for (int side = 0; side < 2 && r == 0; side++)
		r = add_side(d, &d->sides[side], profiles[side]);
	if (r == 0) {
		r = choose_mode(d, options->mode, err);
		if (r < 0)
			goto out;
		d->both.facts = d->sides[1].facts;
		r = add_all(d, options);
	}
	if (r < 0)
		err_errno(err, r, "cannot compare the profiles");
out:
	if (r < 0)
		diff_free(d);
	else
		*ret = d;
	return r;
}

static void list_release(struct diff_list *l)
{
	array_release(&l->items);
	index_release(&l->index);
}

void diff_free(struct diff *d)
{
	if (!d)
		return;
	list_release(&d->functions);
	list_release(&d->stacks);
	list_release(&d->by_group);
	groups_release(&d->groups);
	if (d->tree.profile)
		calltree_release(&d->tree);
	array_release(&d->sides[0].samples);
	array_release(&d->sides[1].samples);
	profile_release(&d->both);
	free(d);
}
