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

/* A window node's parent has a lower number, so one pass in order maps them all. */
static int nodes_add(const struct window *w, const struct sites *sites, struct profile *p,
		     uint32_t *node_of)
{
	node_of[0] = 0;
	for (uint32_t i = 1; i < w->nodes.count; i++) {
		const struct window_node *n = &w->nodes.items[i];
		int id = profile_node(p, node_of[n->parent], sites->items.items[n->location].id,
				      n->flags);
		if (id < 0)
			return id;
		node_of[i] = (uint32_t)id;
	}
	return 0;
}

static int all_series_add(const struct window *w, const struct cgroup_names *cgroups,
			  struct profile *p, uint32_t *series_of)
{
	for (uint32_t i = 0; i < w->series.count; i++) {
		int id = series_add(p, &w->series.items[i], cgroups);

		if (id < 0)
			return id;
		series_of[i] = (uint32_t)id;
	}
	return 0;
}

static int samples_add(const struct window *w, struct profile *p, const uint32_t *series_of,
		       const uint32_t *node_of)
{
	bool time = strcmp(p->facts.value_unit, "nanoseconds") == 0;

	for (uint32_t i = 0; i < w->samples.count; i++) {
		const struct window_sample *s = &w->samples.items[i];
		/* The clock's events have unequal periods; a sample stands for their common rate. */
		uint64_t value = s->value;
		int e;

		if (time && __builtin_mul_overflow(s->count, p->facts.period, &value))
			value = UINT64_MAX;
		e = profile_add(p, series_of[s->series], node_of[s->node], s->count, value);
		if (e < 0)
			return e;
	}
	return 0;
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

int transfer(const struct window *w, const struct sites *sites, const struct cgroup_names *cgroups,
	     struct profile *p)
{
	uint32_t *node_of = calloc(w->nodes.count + 1UL, sizeof(*node_of));
	uint32_t *series_of = calloc(w->series.count + 1UL, sizeof(*series_of));
	int r = node_of && series_of ? nodes_add(w, sites, p, node_of) : -ENOMEM;

	if (r >= 0)
		r = all_series_add(w, cgroups, p, series_of);
	if (r >= 0)
		r = samples_add(w, p, series_of, node_of);
	free(node_of);
	free(series_of);
	return r;
}
