// SPDX-License-Identifier: Apache-2.0
/*
 * A truncated stack's outermost node is the stand-in, the one inside of it is the last frame that was found: parents
 * have lower numbers, so one pass finds for each node where its stack ends, and a second adds up the samples.
 *
 * A stand-in is known by its name, in no mapping that has functions: so what was read from a file can say it, too.
 */
#include "profiler/encode/truncations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE TRUNCATION_COUNT

/* Where the stack of a node ends. */
struct end {
	uint32_t why; /* enum truncation, or NONE */
	uint32_t module;
};

static uint32_t why_of(const struct calltree *t, uint32_t frame)
{
	const struct call_frame *f = &t->frames.items[frame];
	uint32_t why = 0;

	if (f->kind != PROFILE_MAPPING_NONE || f->named)
		return NONE;
	while (why < NONE && strcmp(profile_text(t->profile, f->name),
				    truncation_frame((enum truncation)why)) != 0)
		why++;
	return why;
}

static void find_ends(const struct calltree *t, struct end *ends)
{
	ends[0].why = NONE;
	for (uint32_t i = 1; i < t->nodes.count; i++) {
		const struct call_node *n = &t->nodes.items[i];

		ends[i] = ends[n->parent];
		if (!n->parent)
			ends[i].why = why_of(t, n->frame);
		else if (!t->nodes.items[n->parent].parent)
			ends[i].module = t->frames.items[n->frame].module;
	}
}

/* `counts` has one for each module, for each reason. */
static void add_samples(const struct calltree *t, const struct end *ends, uint64_t *counts,
			struct truncations *to)
{
	const struct profile *p = t->profile;

	for (uint32_t i = 0; i < p->samples.count; i++) {
		const struct end *end = &ends[t->node_of[p->samples.items[i].node]];

		if (end->why == NONE)
			continue;
		to->places[end->why].count += p->samples.items[i].count;
		counts[end->why * t->modules.count + end->module] += p->samples.items[i].count;
	}
}

int truncations_find(const struct calltree *t, struct truncations *ret)
{
	struct end *ends = calloc(t->nodes.count, sizeof(*ends));
	uint64_t *counts = calloc((size_t)TRUNCATION_COUNT * t->modules.count, sizeof(*counts));
	int r = -ENOMEM;

	if (!ends || !counts)
		goto out;
	*ret = (struct truncations){ 0 };
	find_ends(t, ends);
	add_samples(t, ends, counts, ret);
	for (uint32_t why = 0; why < TRUNCATION_COUNT; why++)
		for (uint32_t m = 0; m < t->modules.count; m++) {
			uint64_t count = counts[why * t->modules.count + m];

			if (count <= ret->places[why].module_count)
				continue;
			ret->places[why].module = m;
			ret->places[why].module_count = count;
		}
	r = 0;
out:
	free(counts);
	free(ends);
	return r;
}
