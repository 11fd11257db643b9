// SPDX-License-Identifier: Apache-2.0
/*
 * One pass over the windows, the longest that are no longer than a step. A window's samples are added up by group first,
 * then divided among its steps: by parts of whole numbers that add up to the whole again.
 *
 * Refused: a row only for the largest groups. Which those are is known at the end.
 */
#include "profiler/reader/timeline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/store/level.h"

#define MAX_CELLS (8u << 20) /* groups × steps: 64 MiB */

struct filling {
	struct timeline *t;
	ARRAY(uint64_t) sums; /* by group, of the window */
	ARRAY(uint32_t) touched; /* groups with a sum */
	bool by_moments;
};

/* ---- steps ---- */

static uint64_t choose_step(uint64_t length_ns, uint32_t most_steps)
{
	static const uint32_t nice_s[] = { 10,   15,   20,   30,   60,    120,   300,   600,  900,
					   1200, 1800, 3600, 7200, 14400, 21600, 43200, 86400 };

	for (size_t i = 0; i < sizeof(nice_s) / sizeof(nice_s[0]); i++)
		if (length_ns / (nice_s[i] * NS_PER_S) < most_steps)
			return nice_s[i] * NS_PER_S;
	return (length_ns / most_steps / (86400 * NS_PER_S) + 1) * 86400 * NS_PER_S;
}

static int choose_steps(struct timeline *t, const struct inquiry *q, uint32_t most_steps,
			struct err *err)
{
	struct moment_range range = inquiry_bounds(q, inquiry_range(q, 0));
	uint64_t count;

	t->step_ns = parameter_number(&q->parameters, PARAMETER_STEP,
				      choose_step(range.to_ns - range.from_ns, most_steps));
	t->from_ns = range.from_ns - range.from_ns % t->step_ns;
	count = (range.to_ns - 1 - t->from_ns) / t->step_ns + 1;
	if (count > TIMELINE_MAX_STEPS)
		return err_set(err, -EINVAL,
			       "this range has %" PRIu64
			       " steps, at most %u are answered: make the step longer",
			       count, TIMELINE_MAX_STEPS);
	t->step_count = (uint32_t)count;
	t->steps = calloc(count, sizeof(*t->steps));
	return t->steps ? 0 : err_errno(err, -ENOMEM, "cannot make a timeline");
}

/* ---- dividing ---- */

/* A window's time, and the steps in which it is. */
struct extent {
	uint64_t start_ns, length_ns; /* at least 1 */
	uint32_t first, end; /* steps of ours */
};

static struct extent extent_of(const struct timeline *t, const struct layout_frame *f)
{
	uint64_t end_ns = f->end_ns > f->start_ns ? f->end_ns : f->start_ns + 1;
	uint64_t from_ns = f->start_ns > t->from_ns ? f->start_ns - t->from_ns : 0;
	uint64_t to_ns = end_ns > t->from_ns ? end_ns - t->from_ns : 0;
	struct extent x = { f->start_ns, end_ns - f->start_ns, 0, 0 };

	if (from_ns / t->step_ns >= t->step_count || !to_ns)
		return x;
	x.first = (uint32_t)(from_ns / t->step_ns);
	to_ns = (to_ns - 1) / t->step_ns + 1;
	x.end = to_ns < t->step_count ? (uint32_t)to_ns : t->step_count;
	return x;
}

/* What of an amount is in the window's first `ns`. */
static uint64_t part(const struct extent *x, uint64_t ns, uint64_t amount)
{
	if (ns >= x->length_ns)
		return amount;
	return (uint64_t)((unsigned __int128)amount * ns / x->length_ns);
}

/* What of an amount that is spread over the window falls into a step. */
static uint64_t share(const struct timeline *t, const struct extent *x, uint32_t step,
		      uint64_t amount)
{
	uint64_t begin_ns = t->from_ns + step * t->step_ns, end_ns = begin_ns + t->step_ns;
	uint64_t before = begin_ns > x->start_ns ? begin_ns - x->start_ns : 0;

	return part(x, end_ns - x->start_ns, amount) - part(x, before, amount);
}

/* ---- values ---- */

/* The row of a group; group 0's for one that finds no room. */
static uint64_t *row_of(struct timeline *t, uint32_t *group)
{
	if ((uint64_t)(*group + 1) * t->step_count > MAX_CELLS && *group)
		*group = 0;
	while (t->values.count <= *group) {
		uint64_t **row = array_push(&t->values, GROUPING_MAX);

		if (!row)
			return NULL;
		*row = calloc(t->step_count, sizeof(**row));
		if (!*row) {
			t->values.count--;
			return NULL;
		}
	}
	return t->values.items[*group];
}

static int add_sum(struct filling *x, uint32_t group, uint64_t value)
{
	uint32_t *touched;

	while (x->sums.count <= group) {
		uint64_t *sum = array_push(&x->sums, GROUPING_MAX);

		if (!sum)
			return -ENOMEM;
		*sum = 0;
	}
	if (!x->sums.items[group]) {
		touched = array_push(&x->touched, UINT32_MAX);
		if (!touched)
			return -ENOMEM;
		*touched = group;
	}
	x->sums.items[group] += value;
	return 0;
}

static int divide_sums(struct filling *x, const struct extent *extent)
{
	while (x->touched.count) {
		uint32_t group = x->touched.items[--x->touched.count];
		uint64_t sum = x->sums.items[group];
		uint64_t *row = row_of(x->t, &group);

		if (!row)
			return -ENOMEM;
		for (uint32_t step = extent->first; step < extent->end; step++)
			row[step] += share(x->t, extent, step, sum);
		x->sums.items[x->touched.items[x->touched.count]] = 0;
	}
	return 0;
}

/* A sample's value by its moments: `slots` are as many as its count. */
static void add_moments(const struct timeline *t, const struct inquiry_window *w,
			const struct profile_sample *s, const uint16_t *slots, uint64_t *row)
{
	for (uint64_t i = 0; i < s->count; i++) {
		uint64_t at_ns = w->frame->start_ns + slots[i] * COLUMNS_SLOT_NS;
		/* Parts of the value that add up to it. */
		uint64_t value = s->value / s->count + (i < s->value % s->count);

		if (at_ns >= t->from_ns && (at_ns - t->from_ns) / t->step_ns < t->step_count)
			row[(at_ns - t->from_ns) / t->step_ns] += value;
	}
}

static int add_samples(struct filling *x, const struct inquiry_window *w)
{
	const struct profile *p = w->profile;
	const struct columns_slots *slots = segment_slots(w->segment);
	bool by_moments = x->by_moments && slots->slots.count;
	const uint16_t *slot = slots->slots.items;
	uint64_t used = 0;

	for (uint32_t i = 0; i < p->samples.count; i++) {
		const struct profile_sample *s = &p->samples.items[i];
		uint64_t first = used;
		uint32_t group;
		int r;

		used += s->count;
		if (!sieve_keeps(w->sieve, s->series, s->node))
			continue;
		r = grouping_of(&x->t->grouping, s->series);
		if (r < 0)
			return r;
		group = (uint32_t)r;
		if (by_moments) {
			uint64_t *row = row_of(x->t, &group);

			if (!row)
				return -ENOMEM;
			add_moments(x->t, w, s, slot + first, row);
		} else {
			r = add_sum(x, group, s->value);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* ---- windows ---- */

static void add_facts(struct timeline *t, const struct inquiry_window *w, const struct extent *x)
{
	const struct profile_facts *f = &w->profile->facts;
	uint64_t lost = counters_lost(&w->profile->counters);

	for (uint32_t i = x->first; i < x->end; i++) {
		struct timeline_step *s = &t->steps[i];

		s->covered_ns += share(t, x, i, x->length_ns);
		s->lost += share(t, x, i, lost);
		s->machine_ns += share(t, x, i, f->machine_ns);
		s->busy_ns += share(t, x, i, f->busy_ns);
	}
}

static int begin_file(void *ctx, const struct profile *p, struct err *err)
{
	struct filling *x = ctx;

	(void)err;
	grouping_begin(&x->t->grouping, p);
	return 0;
}

static int add_window(void *ctx, const struct inquiry_window *w, struct err *err)
{
	struct filling *x = ctx;
	struct extent extent = extent_of(x->t, w->frame);
	bool has_moments = x->by_moments && segment_slots(w->segment)->slots.count;
	int r;

	if (extent.first == extent.end)
		return 0;
	add_facts(x->t, w, &extent);
	r = add_samples(x, w);
	if (r == 0)
		r = divide_sums(x, &extent);
	if (r == 0 && !has_moments && extent.length_ns > x->t->step_ns)
		r = stretches_add(&x->t->coarse, w->frame->start_ns, w->frame->end_ns);
	return r < 0 ? err_errno(err, r, "cannot make a timeline") : 0;
}

/* A window that began before the range may reach into it. */
static int fill(struct filling *x, struct inquiry *q, struct err *err)
{
	struct timeline *t = x->t;
	uint64_t shortest_ns = store_levels[0].window_ns;
	uint64_t before_ns = t->from_ns < shortest_ns ? t->from_ns : shortest_ns;
	const struct moment_range range = { t->from_ns - before_ns,
					    t->from_ns + t->step_count * t->step_ns };
	const struct inquiry_visitor visitor = {
		.ctx = x,
		.up_to = x->by_moments ? LAYOUT_MOMENTS : LAYOUT_SAMPLES,
		.file = begin_file,
		.window = add_window,
	};

	return inquiry_visit(q, &range, t->step_ns > shortest_ns ? t->step_ns : shortest_ns,
			     &visitor, err);
}

/* ---- the largest ---- */

static int rank(struct timeline *t, uint32_t groups)
{
	t->ranks = calloc((size_t)t->values.count + 1, sizeof(*t->ranks));
	t->other = calloc(t->step_count, sizeof(*t->other));
	if (!t->ranks || !t->other)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->values.count; i++) {
		t->ranks[i].group = i;
		for (uint32_t step = 0; step < t->step_count; step++)
			t->ranks[i].value += t->values.items[i][step];
		t->value += t->ranks[i].value;
		/* Of groups that have labels, what found no room is among the others. */
		if (!i && t->grouping.keys->count) {
			memcpy(t->other, t->values.items[0], t->step_count * sizeof(*t->other));
			t->other_value = t->ranks[0].value;
			t->ranks[0].value = 0;
		}
	}
	group_ranks_sort(t->ranks, t->values.count);
	for (uint32_t i = 0; i < t->values.count && t->ranks[i].value; i++) {
		const uint64_t *row = t->values.items[t->ranks[i].group];

		if (t->shown < groups) {
			t->shown++;
			continue;
		}
		t->other_value += t->ranks[i].value;
		for (uint32_t step = 0; step < t->step_count; step++)
			t->other[step] += row[step];
	}
	return 0;
}

int timeline_read(struct timeline *ret, struct inquiry *q, uint32_t most_steps, uint32_t groups,
		  struct err *err)
{
	struct timeline t = { .shown = 0 };
	struct filling x = { .t = &t };
	int r = grouping_init(&t.grouping, &q->parameters.by);

	if (r < 0)
		return err_errno(err, r, "cannot make a timeline");
	r = choose_steps(&t, q, most_steps, err);
	if (r == 0) {
		x.by_moments = t.step_ns < store_levels[0].window_ns;
		r = fill(&x, q, err);
	}
	if (r == 0) {
		r = rank(&t, groups);
		if (r < 0)
			err_errno(err, r, "cannot make a timeline");
	}
	array_release(&x.sums);
	array_release(&x.touched);
	if (r < 0)
		timeline_release(&t);
	else
		*ret = t;
	return r;
}

void timeline_release(struct timeline *t)
{
	for (uint32_t i = 0; i < t->values.count; i++)
		free(t->values.items[i]);
	array_release(&t->values);
	stretches_release(&t->coarse);
	grouping_release(&t->grouping);
	free(t->steps);
	free(t->ranks);
	free(t->other);
}
