// SPDX-License-Identifier: Apache-2.0
/*
 * What is known of a stack is known of its prefix, so one walk down the nodes finds it for all. A process that names its
 * functions has stacks without any, too, from before it got there: so it is looked at by series.
 */
#include "profiler/encode/interpreter.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define RUNS 1u /* the interpreter is in it */
#define SAYS 2u /* a function of the program's, too */

struct walk {
	const struct profile *profile;
	enum runtime runtime;
	const char *prefix; /* of the names it gives */
	uint8_t *nodes, *series; /* RUNS, SAYS */
	bool *mappings; /* the runtime's */
};

static bool is_named_by_it(const struct walk *w, const struct profile_location *l)
{
	const struct profile *p = w->profile;

	for (uint32_t i = l->first_line; i < l->first_line + l->line_count; i++) {
		const struct profile_function *f = &p->functions.items[p->lines.items[i].function];

		if (!strncmp(profile_text(p, f->name), w->prefix, strlen(w->prefix)))
			return true;
	}
	return false;
}

/* Node 0 is the empty stack; a parent comes before its children. */
static void nodes_look(struct walk *w)
{
	const struct profile *p = w->profile;

	for (uint32_t i = 0; i < p->mappings.count; i++)
		w->mappings[i] = runtime_of_file(profile_text(p, p->mappings.items[i].name)) ==
				 w->runtime;
	for (uint32_t i = 1; i < p->nodes.count; i++) {
		const struct profile_node *n = &p->nodes.items[i];
		const struct profile_location *l = &p->locations.items[n->location];

		w->nodes[i] = w->nodes[n->parent];
		if (l->mapping != PROFILE_NONE && w->mappings[l->mapping])
			w->nodes[i] |= RUNS;
		if (is_named_by_it(w, l))
			w->nodes[i] |= SAYS;
	}
}

static uint64_t samples_sum(struct walk *w)
{
	const struct profile *p = w->profile;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < p->samples.count; i++)
		w->series[p->samples.items[i].series] |= w->nodes[p->samples.items[i].node];
	for (uint32_t i = 0; i < p->samples.count; i++) {
		const struct profile_sample *s = &p->samples.items[i];

		if (w->nodes[s->node] & RUNS && !(w->series[s->series] & SAYS))
			sum += s->value;
	}
	return sum;
}

int interpreter_silent_value(const struct profile *p, enum runtime runtime, uint64_t *ret)
{
	struct walk w = { .profile = p, .runtime = runtime, .prefix = runtime_prefix(runtime) };
	int r = 0;

	if (!w.prefix) {
		*ret = 0;
		return 0;
	}
	w.nodes = calloc(p->nodes.count + 1ul, sizeof(*w.nodes));
	w.series = calloc(p->series.count + 1ul, sizeof(*w.series));
	w.mappings = calloc(p->mappings.count + 1ul, sizeof(*w.mappings));
	if (w.nodes && w.series && w.mappings) {
		nodes_look(&w);
		*ret = samples_sum(&w);
	} else {
		r = -ENOMEM;
	}
	free(w.nodes);
	free(w.series);
	free(w.mappings);
	return r;
}
