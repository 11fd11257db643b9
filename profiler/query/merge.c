// SPDX-License-Identifier: Apache-2.0
/*
 * An array for each kind of item has the number there. A stack is taken over from the outside in, as a node
 * needs its parent's number.
 *
 * Refused: copying arrays whole and removing what isn't used. What is selected is mostly a small part.
 */
#include "profiler/query/merge.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LABELS 64 /* profile_series() */
#define MAX_LINES 1000 /* profile_location() */

static uint32_t *numbers(uint32_t count)
{
	return calloc((size_t)count + 1, sizeof(uint32_t));
}

int merge_init(struct merge *m, struct profile *to, const struct profile *from)
{
	*m = (struct merge){ .from = from, .to = to };
	m->strings = numbers(from->strings.count);
	m->mappings = numbers(from->mappings.count);
	m->functions = numbers(from->functions.count);
	m->locations = numbers(from->locations.count);
	m->nodes = numbers(from->nodes.count);
	m->series = numbers(from->series.count);
	if (m->strings && m->mappings && m->functions && m->locations && m->nodes && m->series) {
		m->nodes[0] = 1;
		return 0;
	}
	merge_release(m);
	return -ENOMEM;
}

void merge_release(struct merge *m)
{
	free(m->strings);
	free(m->mappings);
	free(m->functions);
	free(m->locations);
	free(m->nodes);
	free(m->series);
	array_release(&m->path);
	*m = (struct merge){ 0 };
}

/* Notes what an adder of profile.h returned. */
static int note(uint32_t *number, int r)
{
	if (r >= 0)
		*number = (uint32_t)r + 1;
	return r;
}

int merge_string(struct merge *m, uint32_t string)
{
	const struct profile_string *s = &m->from->strings.items[string];

	if (m->strings[string])
		return (int)m->strings[string] - 1;
	return note(&m->strings[string], profile_string(m->to, s->text, s->len));
}

int merge_mapping(struct merge *m, uint32_t mapping)
{
	struct profile_mapping to = m->from->mappings.items[mapping];
	int r;

	if (m->mappings[mapping])
		return (int)m->mappings[mapping] - 1;
	r = merge_string(m, to.name);
	if (r < 0)
		return r;
	to.name = (uint32_t)r;
	r = merge_string(m, to.build_id);
	if (r < 0)
		return r;
	to.build_id = (uint32_t)r;
	return note(&m->mappings[mapping], profile_mapping(m->to, &to));
}

int merge_function(struct merge *m, uint32_t function)
{
	struct profile_function to = m->from->functions.items[function];
	int r;

	if (m->functions[function])
		return (int)m->functions[function] - 1;
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
	return note(&m->functions[function], profile_function(m->to, &to));
}

int merge_lines(struct merge *m, const struct profile_location *l, const struct profile_line *lines,
		uint32_t count)
{
	struct profile_line to[MAX_LINES];
	int mapping = -1;

	assert(count && count <= MAX_LINES);
	if (l->mapping != PROFILE_NONE) {
		mapping = merge_mapping(m, l->mapping);
		if (mapping < 0)
			return mapping;
	}
	for (uint32_t i = 0; i < count; i++) {
		int r = merge_function(m, lines[i].function);

		if (r < 0)
			return r;
		to[i] = (struct profile_line){ (uint32_t)r, lines[i].line };
	}
	return profile_location(m->to, mapping < 0 ? PROFILE_NONE : (uint32_t)mapping, l->address,
				l->named, to, count);
}

int merge_location(struct merge *m, uint32_t location)
{
	const struct profile_location *l = &m->from->locations.items[location];

	if (m->locations[location])
		return (int)m->locations[location] - 1;
	return note(&m->locations[location],
		    merge_lines(m, l, &m->from->lines.items[l->first_line], l->line_count));
}

int merge_node(struct merge *m, uint32_t node)
{
	m->path.count = 0;
	for (; !m->nodes[node]; node = m->from->nodes.items[node].parent) {
		uint32_t *pushed = array_push(&m->path, m->from->nodes.count);

		if (!pushed)
			return -ENOMEM;
		*pushed = node;
	}
	for (uint32_t i = m->path.count; i-- > 0;) {
		const struct profile_node *n = &m->from->nodes.items[m->path.items[i]];
		int r = merge_location(m, n->location);

		if (r >= 0)
			r = note(&m->nodes[m->path.items[i]],
				 profile_node(m->to, m->nodes[n->parent] - 1, (uint32_t)r,
					      n->flags));
		if (r < 0)
			return r;
		node = m->path.items[i];
	}
	return (int)m->nodes[node] - 1;
}

int merge_series(struct merge *m, uint32_t series)
{
	const struct profile_series *s = &m->from->series.items[series];
	struct profile_label labels[MAX_LABELS];

	if (m->series[series])
		return (int)m->series[series] - 1;
	for (uint32_t i = 0; i < s->label_count; i++) {
		const struct profile_label *l = &m->from->labels.items[s->first_label + i];
		int key = merge_string(m, l->key), text = (int)PROFILE_NONE;

		if (key >= 0 && l->text != PROFILE_NONE)
			text = merge_string(m, l->text);
		if (key < 0 || (text < 0 && l->text != PROFILE_NONE))
			return key < 0 ? key : text;
		labels[i] = (struct profile_label){ (uint32_t)key, (uint32_t)text, l->number };
	}
	return note(&m->series[series], profile_series(m->to, labels, s->label_count));
}

static int copy_text(struct profile *to, const char **text)
{
	*text = arena_copy(&to->arena, *text, strlen(*text));
	return *text ? 0 : -ENOMEM;
}

int merge_facts(struct profile *to, const struct profile_facts *from)
{
	struct profile_facts f = *from;

	if (copy_text(to, &f.event) < 0 || copy_text(to, &f.value_type) < 0 ||
	    copy_text(to, &f.value_unit) < 0)
		return -ENOMEM;
	to->facts = f;
	return 0;
}

static void add_times(struct profile_facts *to, const struct profile_facts *from)
{
	if (from->time_ns < to->time_ns)
		to->time_ns = from->time_ns;
	to->duration_ns += from->duration_ns;
	to->machine_ns += from->machine_ns;
	to->busy_ns += from->busy_ns;
	to->steal_ns += from->steal_ns;
	to->own_cpu_ns += from->own_cpu_ns;
	to->own_bpf_ns += from->own_bpf_ns;
	to->filtered |= from->filtered;
	if (from->own_memory_bytes > to->own_memory_bytes)
		to->own_memory_bytes = from->own_memory_bytes;
	if (from->own_kernel_bytes > to->own_kernel_bytes)
		to->own_kernel_bytes = from->own_kernel_bytes;
}

static int add_facts(struct profile *to, const struct profile *from)
{
	if (!to->samples.count && !to->facts.duration_ns)
		return merge_facts(to, &from->facts);
	if (strcmp(to->facts.value_type, from->facts.value_type) != 0 ||
	    strcmp(to->facts.value_unit, from->facts.value_unit) != 0)
		return -EINVAL;
	add_times(&to->facts, &from->facts);
	return 0;
}

int merge_profile(struct profile *to, const struct profile *from)
{
	struct merge m;
	int r = add_facts(to, from);

	if (r < 0)
		return r;
	r = merge_init(&m, to, from);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < from->samples.count && r >= 0; i++) {
		const struct profile_sample *s = &from->samples.items[i];
		int series = merge_series(&m, s->series), node = merge_node(&m, s->node);

		r = series < 0 ? series : node;
		if (r >= 0)
			r = profile_add(to, (uint32_t)series, (uint32_t)node, s->count, s->value);
	}
	for (enum counter id = 0; id < COUNTER_COUNT && r >= 0; id++)
		counter_add(&to->counters, id, counter_get(&from->counters, id));
	merge_release(&m);
	return r < 0 ? r : 0;
}
