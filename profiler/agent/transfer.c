// SPDX-License-Identifier: Apache-2.0
/*
 * Numbers of the one become numbers of the other, an array at a time. Refused: a profile that is filled while samples
 * come. Its stacks would be of locations whose names nobody knows yet.
 */
#include "profiler/agent/transfer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/agent/entry.h"

_Static_assert(WINDOW_SLOT_NS == COLUMNS_SLOT_NS && UINT16_MAX < COLUMNS_MAX_SLOTS,
	       "a moment is the same in both");

static int label_text(struct profile *p, struct profile_label *l, const char *key, const char *text)
{
	int k = entry_string(p, key);
	int t = k < 0 ? k : entry_string(p, text);

	if (t < 0)
		return t;
	*l = (struct profile_label){ .key = (uint32_t)k, .text = (uint32_t)t };
	return 0;
}

static int label_number(struct profile *p, struct profile_label *l, const char *key, int64_t number)
{
	int k = entry_string(p, key);

	if (k < 0)
		return k;
	*l = (struct profile_label){ .key = (uint32_t)k, .text = PROFILE_NONE, .number = number };
	return 0;
}

static int series_add(struct profile *p, const struct window_series *s,
		      const struct cgroup_names *cgroups)
{
	struct profile_label labels[5];
	const char *cgroup = cgroup_names_path(cgroups, s->cgroup);
	char id[48];
	int e;

	if (!cgroup) {
		snprintf(id, sizeof(id), "[cgroup %" PRIu64 "]", s->cgroup);
		cgroup = id;
	}
	e = label_text(p, &labels[0], "comm", s->process_comm);
	if (e >= 0)
		e = label_text(p, &labels[1], "thread", s->comm);
	if (e >= 0)
		e = label_number(p, &labels[2], "pid", s->pid);
	if (e >= 0)
		e = label_number(p, &labels[3], "tid", s->tid);
	if (e >= 0)
		e = label_text(p, &labels[4], "cgroup", cgroup);
	return e < 0 ? e : profile_series(p, labels, 5);
}

/* Room for a number of each of the window's `count` items. 0 or -ENOMEM. */
#define NUMBERS_RESERVE(numbers, count_)                                                 \
	array_reserve((void **)&(numbers)->items, &(numbers)->capacity, (count_) + 1ULL, \
		      sizeof(*(numbers)->items), UINT32_MAX)

/* A window node's parent has a lower number, so one pass in order maps them all. */
static int nodes_add(struct transfer *t, const struct window *w, const struct sites *sites,
		     struct profile *p)
{
	int r = NUMBERS_RESERVE(&t->nodes, w->nodes.count);

	if (r < 0)
		return r;
	if (!t->nodes.count)
		t->nodes.items[t->nodes.count++] = 0;
	while (t->nodes.count < w->nodes.count) {
		const struct window_node *n = &w->nodes.items[t->nodes.count];
		int id = profile_node(p, t->nodes.items[n->parent],
				      sites->items.items[n->location].id, n->flags);
		if (id < 0)
			return id;
		t->nodes.items[t->nodes.count++] = (uint32_t)id;
	}
	return 0;
}

static int all_series_add(struct transfer *t, const struct window *w,
			  const struct cgroup_names *cgroups, struct profile *p)
{
	int r = NUMBERS_RESERVE(&t->series, w->series.count);

	while (r >= 0 && t->series.count < w->series.count) {
		r = series_add(p, &w->series.items[t->series.count], cgroups);
		if (r >= 0)
			t->series.items[t->series.count++] = (uint32_t)r;
	}
	return r < 0 ? r : 0;
}

static int samples_add(struct transfer *t, const struct window *w, struct profile *p)
{
	bool time = strcmp(p->facts.value_unit, "nanoseconds") == 0;
	int r = NUMBERS_RESERVE(&t->samples, w->samples.count);

	t->samples.count = 0;
	for (uint32_t i = 0; i < w->samples.count && r >= 0; i++) {
		const struct window_sample *s = &w->samples.items[i];
		/* The clock's events have unequal periods; a sample stands for their common rate. */
		uint64_t value = s->value;

		if (time && __builtin_mul_overflow(s->count, p->facts.period, &value))
			value = UINT64_MAX;
		r = profile_add(p, t->series.items[s->series], t->nodes.items[s->node], s->count,
				value);
		if (r >= 0)
			t->samples.items[t->samples.count++] = (uint32_t)r;
	}
	return r < 0 ? r : 0;
}

static int moments_add(struct transfer *t, const struct window *w)
{
	int r = NUMBERS_RESERVE(&t->moments, w->moments.count);

	t->moments.count = 0;
	for (uint32_t i = 0; i < w->moments.count && r >= 0; i++)
		t->moments.items[t->moments.count++] = (struct columns_moment){
			.sample = t->samples.items[w->moments.items[i].sample],
			.slot = w->moments.items[i].slot,
		};
	return r;
}

uint64_t transfer_mean_period(const struct window *w)
{
	uint64_t count = 0, value = 0;

	for (uint32_t i = 0; i < w->samples.count; i++) {
		count += w->samples.items[i].count;
		value += w->samples.items[i].value;
	}
	return count ? value / count : 0;
}

int transfer(struct transfer *t, const struct window *w, const struct sites *sites,
	     const struct cgroup_names *cgroups, struct profile *p)
{
	int r = nodes_add(t, w, sites, p);

	if (r >= 0)
		r = all_series_add(t, w, cgroups, p);
	if (r >= 0)
		r = samples_add(t, w, p);
	if (r >= 0)
		r = moments_add(t, w);
	return r;
}

void transfer_again(struct transfer *t)
{
	t->nodes.count = 0;
}

void transfer_release(struct transfer *t)
{
	array_release(&t->series);
	array_release(&t->nodes);
	array_release(&t->samples);
	array_release(&t->moments);
}
