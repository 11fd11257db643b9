// SPDX-License-Identifier: Apache-2.0
/*
 * Each line of a location gets its frame first, one look-up a line, so that the tree then costs one
 * look-up for each inlined function of a node. Totals are one walk through the tree in which a frame
 * that is already above itself isn't counted again.
 *
 * Refused: adding up stack by stack. The tree has each common caller once, a stack each time.
 */
#include "profiler/model/calltree.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NODES (1U << 24)

static_assert(sizeof(struct call_frame) == 16, "hashed as bytes: no padding");
static_assert(sizeof(struct call_node) == 12, "hashed as bytes: no padding");

static bool frame_equal(const void *owner, uint32_t item, const void *key)
{
	const struct calltree *t = owner;

	return !memcmp(&t->frames.items[item], key, sizeof(struct call_frame));
}

static bool node_equal(const void *owner, uint32_t item, const void *key)
{
	const struct calltree *t = owner;

	return !memcmp(&t->nodes.items[item], key, sizeof(struct call_node));
}

static bool module_equal(const void *owner, uint32_t item, const void *key)
{
	const struct call_module *m = &((const struct calltree *)owner)->modules.items[item];
	const struct call_module *k = key;

	return m->len == k->len && !memcmp(m->text, k->text, k->len);
}

static int add_frame(struct calltree *t, const struct call_frame *f, uint32_t function)
{
	uint64_t hash = hash_bytes(f, sizeof(*f));
	uint32_t found = index_find(&t->frame_index, hash, frame_equal, t, f);
	struct call_frame *added;
	uint32_t *added_function;

	if (found != UINT32_MAX)
		return (int)found;
	added = array_push(&t->frames, MAX_NODES);
	added_function = added ? array_push(&t->functions, MAX_NODES) : NULL;
	if (!added_function)
		return -ENOMEM;
	*added = *f;
	*added_function = function;
	return index_add(&t->frame_index, hash, t->frames.count - 1) < 0 ? -ENOMEM
									 : (int)t->frames.count - 1;
}

static int add_node(struct calltree *t, uint32_t parent, uint32_t frame, bool inlined)
{
	const struct call_node n = { parent, frame, inlined };
	uint64_t hash = hash_bytes(&n, sizeof(n));
	uint32_t found = index_find(&t->node_index, hash, node_equal, t, &n);
	int r;

	if (found != UINT32_MAX)
		return (int)found;
	r = array_reserve((void **)&t->nodes.items, &t->nodes.capacity, t->nodes.count + 1,
			  sizeof(n), MAX_NODES);
	if (r < 0)
		return r;
	r = index_add(&t->node_index, hash, t->nodes.count);
	if (r < 0)
		return r;
	t->nodes.items[t->nodes.count] = n;
	return (int)t->nodes.count++;
}

/* "/usr/lib/x86_64-linux-gnu/libc.so.6" → "libc.so.6"; what stands in brackets is left alone. */
static struct call_module base_name(const char *text, uint32_t len)
{
	const char *slash = *text == '[' ? NULL : memrchr(text, '/', len);

	if (!slash || slash == text + len - 1)
		return (struct call_module){ text, len };
	return (struct call_module){ slash + 1, (uint32_t)(text + len - slash - 1) };
}

static int add_module(struct calltree *t, const struct call_module *m)
{
	uint64_t hash = hash_bytes(m->text, m->len);
	uint32_t found = index_find(&t->module_index, hash, module_equal, t, m);
	struct call_module *added;

	if (found != UINT32_MAX)
		return (int)found;
	added = array_push(&t->modules, MAX_NODES);
	if (!added)
		return -ENOMEM;
	*added = *m;
	return index_add(&t->module_index, hash, t->modules.count - 1) < 0
		       ? -ENOMEM
		       : (int)t->modules.count - 1;
}

/* The module of each mapping; module 0 is "". */
static int add_modules(struct calltree *t, uint32_t *module_of)
{
	const struct profile *p = t->profile;
	const struct call_module none = { "", 0 };
	int r = add_module(t, &none);

	for (uint32_t i = 0; i < p->mappings.count && r >= 0; i++) {
		const struct profile_string *name = &p->strings.items[p->mappings.items[i].name];
		const struct call_module m = base_name(name->text, name->len);

		r = add_module(t, &m);
		if (r >= 0)
			module_of[i] = (uint32_t)r;
	}
	return r < 0 ? r : 0;
}

/* The frame of each line of each location. */
static int add_frames(struct calltree *t, const uint32_t *module_of, uint32_t *frame_of)
{
	const struct profile *p = t->profile;

	for (uint32_t i = 0; i < p->locations.count; i++) {
		const struct profile_location *l = &p->locations.items[i];
		struct call_frame f = { .kind = PROFILE_MAPPING_NONE, .named = l->named };

		if (l->mapping != PROFILE_NONE) {
			f.module = module_of[l->mapping];
			f.kind = p->mappings.items[l->mapping].kind;
		}
		for (uint32_t j = l->first_line; j < l->first_line + l->line_count; j++) {
			int r;

			f.name = p->functions.items[p->lines.items[j].function].name;
			r = add_frame(t, &f, p->lines.items[j].function);
			if (r < 0)
				return r;
			frame_of[j] = (uint32_t)r;
		}
	}
	return 0;
}

static int add_nodes(struct calltree *t, const uint32_t *frame_of)
{
	const struct profile *p = t->profile;
	struct call_node *empty = array_push(&t->nodes, MAX_NODES);

	if (!empty)
		return -ENOMEM;
	/* Not indexed: nobody's child, and so never found as one. */
	*empty = (struct call_node){ 0 };
	for (uint32_t i = 1; i < p->nodes.count; i++) {
		const struct profile_location *l = &p->locations.items[p->nodes.items[i].location];
		uint32_t node = t->node_of[p->nodes.items[i].parent];

		for (uint32_t j = l->line_count; j-- > 0;) {
			int r = add_node(t, node, frame_of[l->first_line + j],
					 j + 1 < l->line_count);

			if (r < 0)
				return r;
			node = (uint32_t)r;
		}
		t->node_of[i] = node;
	}
	return 0;
}

int calltree_init(struct calltree *t, const struct profile *p)
{
	uint32_t *module_of, *frame_of;
	int r = -ENOMEM;

	*t = (struct calltree){ .profile = p };
	t->node_of = calloc(p->nodes.count, sizeof(*t->node_of));
	module_of = calloc((size_t)p->mappings.count + 1, sizeof(*module_of));
	frame_of = calloc((size_t)p->lines.count + 1, sizeof(*frame_of));
	if (!t->node_of || !module_of || !frame_of)
		goto out;
	r = add_modules(t, module_of);
	if (r < 0)
		goto out;
	r = add_frames(t, module_of, frame_of);
	if (r < 0)
		goto out;
	r = add_nodes(t, frame_of);
out:
	free(module_of);
	free(frame_of);
	if (r < 0)
		calltree_release(t);
	return r;
}

void calltree_release(struct calltree *t)
{
	array_release(&t->frames);
	array_release(&t->functions);
	array_release(&t->nodes);
	array_release(&t->modules);
	index_release(&t->frame_index);
	index_release(&t->node_index);
	index_release(&t->module_index);
	free(t->node_of);
	t->node_of = NULL;
}

/* A node during the walk: samples of its subtree, and its place among its siblings (0: none). */
struct walk_node {
	uint64_t count, value;
	uint32_t first_child, next_sibling;
};

/* Parents have lower numbers than their children: one pass from the end adds up every subtree. */
static void sum_subtrees(const struct calltree *t, const struct profile_sample *samples,
			 uint32_t count, struct walk_node *walk, struct call_sum *sums)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct profile_sample *s = &samples[i];
		uint32_t node = t->node_of[s->node];

		walk[node].count += s->count;
		walk[node].value += s->value;
	}
	for (uint32_t i = t->nodes.count; i-- > 1;) {
		const struct call_node *n = &t->nodes.items[i];

		walk[n->parent].count += walk[i].count;
		walk[n->parent].value += walk[i].value;
		walk[i].next_sibling = walk[n->parent].first_child;
		walk[n->parent].first_child = i;
	}
	for (uint32_t i = 0; i < count; i++) {
		const struct profile_sample *s = &samples[i];
		uint32_t node = t->node_of[s->node];

		if (!node)
			continue;
		sums[t->nodes.items[node].frame].self_count += s->count;
		sums[t->nodes.items[node].frame].self_value += s->value;
	}
}

/* Depth first; `above[frame]` says how often a frame is on the way from the root to here. */
static void sum_totals(const struct calltree *t, const struct walk_node *walk, uint32_t *above,
		       struct call_sum *sums)
{
	uint32_t i = walk[0].first_child;

	while (i) {
		uint32_t frame = t->nodes.items[i].frame;

		if (!above[frame]++) {
			sums[frame].total_count += walk[i].count;
			sums[frame].total_value += walk[i].value;
		}
		if (walk[i].first_child) {
			i = walk[i].first_child;
			continue;
		}
		above[frame]--;
		while (i && !walk[i].next_sibling) {
			i = t->nodes.items[i].parent;
			if (i)
				above[t->nodes.items[i].frame]--;
		}
		i = i ? walk[i].next_sibling : 0;
	}
}

int calltree_sums(const struct calltree *t, const struct profile_sample *samples, uint32_t count,
		  struct call_sum **ret_sums)
{
	struct walk_node *walk = calloc(t->nodes.count, sizeof(*walk));
	uint32_t *above = calloc((size_t)t->frames.count + 1, sizeof(*above));
	struct call_sum *sums = calloc((size_t)t->frames.count + 1, sizeof(*sums));
	int r = walk && above && sums ? 0 : -ENOMEM;

	if (r == 0) {
		sum_subtrees(t, samples, count, walk, sums);
		sum_totals(t, walk, above, sums);
		*ret_sums = sums;
		sums = NULL;
	}
	free(walk);
	free(above);
	free(sums);
	return r;
}
