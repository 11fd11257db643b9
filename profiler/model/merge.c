// SPDX-License-Identifier: Apache-2.0
/*
 * One table of translated ids for each array, made as long as the array when an id beyond its end is asked for. A stack
 * is translated from the nearest parent that was translated before: as the nodes of a profile share their
 * parents, most stacks cost one look-up.
 *
 * Refused: translating whole arrays ahead. A profile of an hour has ten times what one range of it uses.
 */
#include "profiler/model/merge.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LABELS 64

/* Ids of `into` by id of `from`; PROFILE_NONE: not yet. */
struct ids {
	uint32_t *items;
	uint32_t count;
};

/*
 * Which sample of `into` one of `from` was added to. Windows have much the same samples, one after the other: most are found
 * here, in a table that is looked at once, and three times as fast as by interning.
 */
struct recent {
	uint32_t series, node, sample;
};

/* 1.5 MiB, of which only what is used is touched: of 25,000 stacks of an hour one in ten takes another one's place. */
#define RECENT_BITS 17

struct profile_merge {
	struct profile *into;
	const struct profile *from;
	struct ids strings, mappings, functions, locations, nodes, series;
	uint32_t amended; /* of from->amended: those that were seen to */
	ARRAY(uint32_t) path; /* nodes to be translated, leaf first */
	ARRAY(struct profile_line) lines;
	struct recent recent[1 << RECENT_BITS];
};

/* Room for `id` of an array that has `count` items. */
static int ids_reserve(struct ids *ids, uint32_t id, uint32_t count)
{
	uint32_t *items;

	assert(id < count);
	if (id < ids->count)
		return 0;
	items = reallocarray(ids->items, count, sizeof(*items));
	if (!items)
		return -ENOMEM;
	memset(items + ids->count, 0xff, (count - ids->count) * sizeof(*items));
	ids->items = items;
	ids->count = count;
	return 0;
}

/* The id if it was translated; -ENOENT if not, and -ENOMEM. */
static int ids_find(struct ids *ids, uint32_t id, uint32_t count)
{
	int r = ids_reserve(ids, id, count);

	if (r < 0)
		return r;
	return ids->items[id] == PROFILE_NONE ? -ENOENT : (int)ids->items[id];
}

static int ids_set(struct ids *ids, uint32_t id, int to)
{
	if (to >= 0)
		ids->items[id] = (uint32_t)to;
	return to;
}

int profile_merge_new(struct profile_merge **ret, struct profile *into, const struct profile *from)
{
	struct profile_merge *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->into = into;
	m->from = from;
	m->amended = from->amended.count;
	*ret = m;
	return 0;
}

void profile_merge_free(struct profile_merge *m)
{
	if (!m)
		return;
	free(m->strings.items);
	free(m->mappings.items);
	free(m->functions.items);
	free(m->locations.items);
	free(m->nodes.items);
	free(m->series.items);
	array_release(&m->path);
	array_release(&m->lines);
	free(m);
}

static int merge_string(struct profile_merge *m, uint32_t id)
{
	const struct profile_string *s = &m->from->strings.items[id];
	int r = ids_find(&m->strings, id, m->from->strings.count);

	if (r != -ENOENT)
		return r;
	return ids_set(&m->strings, id, profile_string(m->into, s->text, s->len));
}

static int merge_mapping(struct profile_merge *m, uint32_t id)
{
	int r = ids_find(&m->mappings, id, m->from->mappings.count);
	struct profile_mapping to;

	if (r != -ENOENT)
		return r;
	to = m->from->mappings.items[id];
	r = merge_string(m, to.name);
	if (r < 0)
		return r;
	to.name = (uint32_t)r;
	r = merge_string(m, to.build_id);
	if (r < 0)
		return r;
	to.build_id = (uint32_t)r;
	return ids_set(&m->mappings, id, profile_mapping(m->into, &to));
}

static int merge_function(struct profile_merge *m, uint32_t id)
{
	int r = ids_find(&m->functions, id, m->from->functions.count);
	struct profile_function to;

	if (r != -ENOENT)
		return r;
	to = m->from->functions.items[id];
	r = merge_string(m, to.name);
	if (r < 0)
		return r;
	to.name = (uint32_t)r;
	r = merge_string(m, to.system_name);
	if (r < 0)
		return r;
	to.system_name = (uint32_t)r;
	r = merge_string(m, to.file);
	if (r < 0)
		return r;
	to.file = (uint32_t)r;
	return ids_set(&m->functions, id, profile_function(m->into, &to));
}

/* Into m->lines. */
static int merge_lines(struct profile_merge *m, const struct profile_line *lines, uint32_t count)
{
	int r = array_reserve((void **)&m->lines.items, &m->lines.capacity, count,
			      sizeof(*m->lines.items), UINT32_MAX);

	for (uint32_t i = 0; i < count && r >= 0; i++) {
		r = merge_function(m, lines[i].function);
		m->lines.items[i] = (struct profile_line){ (uint32_t)r, lines[i].line };
	}
	return r < 0 ? r : 0;
}

int profile_merge_lines(struct profile_merge *m, uint32_t location,
			const struct profile_line *lines, uint32_t count)
{
	const struct profile_location *l = &m->from->locations.items[location];
	uint32_t mapping = PROFILE_NONE;
	int r = 0;

	if (l->mapping != PROFILE_NONE) {
		r = merge_mapping(m, l->mapping);
		mapping = (uint32_t)r;
	}
	if (r >= 0)
		r = merge_lines(m, lines, count);
	if (r < 0)
		return r;
	return profile_location(m->into, mapping, l->address, l->named, m->lines.items, count);
}

/* Those that were translated before; the others come as they are now. */
static int merge_amended(struct profile_merge *m)
{
	int r = 0;

	for (; m->amended < m->from->amended.count && r >= 0; m->amended++) {
		uint32_t id = m->from->amended.items[m->amended].location;
		const struct profile_location *l = &m->from->locations.items[id];

		if (id >= m->locations.count || m->locations.items[id] == PROFILE_NONE)
			continue;
		r = merge_lines(m, &m->from->lines.items[l->first_line], l->line_count);
		if (r == 0)
			r = profile_location_amend(m->into, m->locations.items[id], l->named,
						   m->lines.items, l->line_count);
		if (r < 0)
			return r;
	}
	return r;
}

static int merge_location(struct profile_merge *m, uint32_t id)
{
	const struct profile_location *l = &m->from->locations.items[id];
	int r = ids_find(&m->locations, id, m->from->locations.count);

	if (r != -ENOENT)
		return r;
	return ids_set(&m->locations, id,
		       profile_merge_lines(m, id, &m->from->lines.items[l->first_line],
					   l->line_count));
}

/* Leaf first, those that are to be translated; returns what the last one's parent is in `into`. */
static int path_find(struct profile_merge *m, uint32_t node)
{
	uint32_t *next;
	int r;

	m->path.count = 0;
	while (node) {
		r = ids_find(&m->nodes, node, m->from->nodes.count);
		if (r != -ENOENT)
			return r;
		next = array_push(&m->path, UINT32_MAX);
		if (!next)
			return -ENOMEM;
		*next = node;
		node = m->from->nodes.items[node].parent;
	}
	return 0;
}

int profile_merge_node(struct profile_merge *m, uint32_t node)
{
	int parent = path_find(m, node);

	while (parent >= 0 && m->path.count) {
		uint32_t id = m->path.items[--m->path.count];
		const struct profile_node *n = &m->from->nodes.items[id];
		int location = merge_location(m, n->location);

		if (location < 0)
			return location;
		parent = ids_set(&m->nodes, id,
				 profile_node(m->into, (uint32_t)parent, (uint32_t)location,
					      n->flags));
	}
	return parent;
}

int profile_merge_series(struct profile_merge *m, uint32_t series)
{
	const struct profile_series *s = &m->from->series.items[series];
	struct profile_label labels[MAX_LABELS];
	int r = ids_find(&m->series, series, m->from->series.count);

	if (r != -ENOENT)
		return r;
	assert(s->label_count <= MAX_LABELS);
	for (uint32_t i = 0; i < s->label_count; i++) {
		labels[i] = m->from->labels.items[s->first_label + i];
		r = merge_string(m, labels[i].key);
		if (r < 0)
			return r;
		labels[i].key = (uint32_t)r;
		if (labels[i].text == PROFILE_NONE)
			continue;
		r = merge_string(m, labels[i].text);
		if (r < 0)
			return r;
		labels[i].text = (uint32_t)r;
	}
	return ids_set(&m->series, series, profile_series(m->into, labels, s->label_count));
}

static struct recent *recent_at(struct profile_merge *m, uint32_t series, uint32_t node)
{
	uint64_t key = ((uint64_t)series << 32 | node) * 0x9e3779b97f4a7c15ULL;

	return &m->recent[key >> (64 - RECENT_BITS)];
}

/* Is it still that sample's? They may have been cleared. */
static bool recent_is(const struct profile_merge *m, const struct recent *x, uint32_t series,
		      uint32_t node)
{
	const struct profile_sample *s;

	if (x->series != series || x->node != node || x->sample >= m->into->samples.count ||
	    series >= m->series.count || (node && node >= m->nodes.count))
		return false;
	s = &m->into->samples.items[x->sample];
	return s->series == m->series.items[series] && s->node == (node ? m->nodes.items[node] : 0);
}

int profile_merge_sample(struct profile_merge *m, uint32_t series, uint32_t node, uint64_t count,
			 uint64_t value)
{
	struct recent *x = recent_at(m, series, node);
	int s = merge_amended(m), n;

	if (s < 0)
		return s;
	if (recent_is(m, x, series, node)) {
		profile_add_to(m->into, x->sample, count, value);
		return (int)x->sample;
	}
	s = profile_merge_series(m, series);
	if (s < 0)
		return s;
	n = profile_merge_node(m, node);
	if (n < 0)
		return n;
	s = profile_add(m->into, (uint32_t)s, (uint32_t)n, count, value);
	if (s >= 0)
		*x = (struct recent){ series, node, (uint32_t)s };
	return s;
}

static int facts_texts(struct profile *into, const struct profile_facts *facts)
{
	const struct {
		const char **to, *from;
	} texts[] = {
		{ &into->facts.event, facts->event },
		{ &into->facts.value_type, facts->value_type },
		{ &into->facts.value_unit, facts->value_unit },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		int r = profile_string(into, texts[i].from, strlen(texts[i].from));

		if (r < 0)
			return r;
		*texts[i].to = profile_text(into, (uint32_t)r);
	}
	return 0;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

bool profile_merge_fits(const struct profile *into, const struct profile_facts *facts)
{
	return !strcmp(into->facts.value_type, facts->value_type) &&
	       !strcmp(into->facts.value_unit, facts->value_unit);
}

int profile_merge_facts(struct profile *into, const struct profile_facts *facts,
			const struct counters *counters)
{
	struct profile_facts *to = &into->facts;
	/* One that doesn't say how long it took is a capture, too. */
	bool first = !to->duration_ns && !into->samples.count;
	int r = first ? facts_texts(into, facts) : 0;

	if (r < 0)
		return r;
	if (!first && !profile_merge_fits(into, facts))
		return -EINVAL;
	for (size_t i = 0; i < COUNTER_COUNT; i++)
		counter_add(&into->counters, (enum counter)i, counters->value[i]);
	if (first) {
		struct profile_facts all = *facts;

		all.event = to->event;
		all.value_type = to->value_type;
		all.value_unit = to->value_unit;
		*to = all;
		return 0;
	}
	if (facts->time_ns < to->time_ns)
		to->time_ns = facts->time_ns;
	to->duration_ns += facts->duration_ns;
	to->filtered |= facts->filtered;
	to->cpus_profiled = (uint32_t)most(to->cpus_profiled, facts->cpus_profiled);
	to->cpus_online = (uint32_t)most(to->cpus_online, facts->cpus_online);
	to->machine_ns += facts->machine_ns;
	to->busy_ns += facts->busy_ns;
	to->steal_ns += facts->steal_ns;
	to->own_cpu_ns += facts->own_cpu_ns;
	to->own_bpf_ns += facts->own_bpf_ns;
	to->own_memory_bytes = most(to->own_memory_bytes, facts->own_memory_bytes);
	to->own_kernel_bytes = most(to->own_kernel_bytes, facts->own_kernel_bytes);
	to->memory_kernel_bytes = most(to->memory_kernel_bytes, facts->memory_kernel_bytes);
	to->memory_budget_bytes = most(to->memory_budget_bytes, facts->memory_budget_bytes);
	return 0;
}

int profile_merge(struct profile *into, const struct profile *from)
{
	struct profile_merge *m;
	int r = profile_merge_facts(into, &from->facts, &from->counters);

	if (r < 0)
		return r;
	r = profile_merge_new(&m, into, from);
	if (r < 0)
		return r;
	for (uint32_t i = 0; r >= 0 && i < from->samples.count; i++) {
		const struct profile_sample *s = &from->samples.items[i];

		r = profile_merge_sample(m, s->series, s->node, s->count, s->value);
	}
	profile_merge_free(m);
	return r < 0 ? r : 0;
}
