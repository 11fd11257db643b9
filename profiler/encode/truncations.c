// SPDX-License-Identifier: Apache-2.0
/*
 * A truncated stack's outermost node is the stand-in, the one inside of it is the last frame that was found: parents
 * have lower numbers, so one pass finds for each node where its stack ends, and a second adds up the samples.
 *
 * A stand-in is known by its name, in no mapping that has functions: so what was read from a file can say it, too.
 */
#include "profiler/encode/truncations.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/model/runtime.h"

#define NONE TRUNCATION_COUNT

/* Where the stack of a node ends. */
struct end {
	uint32_t why; /* enum truncation, or NONE */
	uint32_t module, kind; /* of the last frame */
	bool python; /* it is CPython's, in memory without a file */
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

static bool is_python(const struct calltree *t, const struct call_frame *f)
{
	const char *prefix = runtime_prefix(RUNTIME_PYTHON);

	return f->kind == PROFILE_MAPPING_ANONYMOUS &&
	       !strncmp(profile_text(t->profile, f->name), prefix, strlen(prefix));
}

static void find_ends(const struct calltree *t, struct end *ends)
{
	ends[0].why = NONE;
	for (uint32_t i = 1; i < t->nodes.count; i++) {
		const struct call_node *n = &t->nodes.items[i];

		ends[i] = ends[n->parent];
		if (!n->parent) {
			ends[i].why = why_of(t, n->frame);
		} else if (!t->nodes.items[n->parent].parent) {
			const struct call_frame *f = &t->frames.items[n->frame];

			ends[i].module = f->module;
			ends[i].kind = f->kind;
			ends[i].python = is_python(t, f);
		}
	}
}

/* Of the stacks with one reason, those that end in one module. */
struct sum {
	uint64_t count, python;
	uint32_t kind;
};

/* `sums` has one for each module, for each reason. */
static void add_samples(const struct calltree *t, const struct end *ends, struct sum *sums)
{
	const struct profile *p = t->profile;

	for (uint32_t i = 0; i < p->samples.count; i++) {
		const struct end *end = &ends[t->node_of[p->samples.items[i].node]];
		struct sum *to;

		if (end->why == NONE)
			continue;
		to = &sums[end->why * t->modules.count + end->module];
		to->count += p->samples.items[i].count;
		to->python += end->python ? p->samples.items[i].count : 0;
		to->kind = end->kind;
	}
}

static bool is_before(const struct call_module *a, const struct call_module *b)
{
	int r = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);

	return r ? r < 0 : a->len < b->len;
}

/* `sums` has one for each module. Of two with as many samples it is the first by name, whatever their order was. */
static struct truncation_place find_place(const struct calltree *t, const struct sum *sums)
{
	struct truncation_place place = { 0 };

	for (uint32_t m = 0; m < t->modules.count; m++) {
		place.count += sums[m].count;
		if (!sums[m].count || sums[m].count < place.module_count ||
		    (sums[m].count == place.module_count &&
		     !is_before(&t->modules.items[m], &t->modules.items[place.module])))
			continue;
		place.module = m;
		place.kind = sums[m].kind;
		place.module_count = sums[m].count;
		place.python_count = sums[m].python;
	}
	return place;
}

int truncations_find(const struct calltree *t, struct truncations *ret)
{
	struct end *ends = calloc(t->nodes.count, sizeof(*ends));
	struct sum *sums = calloc((size_t)TRUNCATION_COUNT * t->modules.count, sizeof(*sums));
	int r = -ENOMEM;

	if (!ends || !sums)
		goto out;
	find_ends(t, ends);
	add_samples(t, ends, sums);
	for (uint32_t why = 0; why < TRUNCATION_COUNT; why++)
		ret->places[why] = find_place(t, &sums[why * t->modules.count]);
	r = 0;
out:
	free(sums);
	free(ends);
	return r;
}
