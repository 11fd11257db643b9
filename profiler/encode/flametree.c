// SPDX-License-Identifier: Apache-2.0
/*
 * Without root frames a node of the call tree is a node here, and nothing is looked up. With them, each stack is
 * hung below its own, and looked up by (node above, frame), from the leaf to the nearest one that is there.
 *
 * Refused: pruning by share alone. A compile has 50,000 stacks of one sample each, of which none is small.
 */
#include "profiler/encode/flametree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"

#define MAX_NODES (1u << 24)
#define MAX_TEXT_BYTES (64u << 10)

/* ---- nodes ---- */

/* A stack's node below a root: which call node, below which root. */
struct place {
	uint32_t root, call;
};

struct builder {
	struct flametree *tree;
	const struct root_keys *keys;
	ARRAY(struct place) places; /* by node */
	ARRAY(uint32_t) path;
	uint32_t *root_of; /* by series, + 1 */
};

static bool place_equal(const void *owner, uint32_t item, const void *key)
{
	return !memcmp(&((const struct builder *)owner)->places.items[item], key,
		       sizeof(struct place));
}

static int add_node(struct builder *b, const struct place *at, uint32_t parent, uint32_t frame,
		    uint32_t flags)
{
	struct flame_node *node = array_push(&b->tree->nodes, MAX_NODES);
	struct place *place = node ? array_push(&b->places, MAX_NODES) : NULL;

	if (!place)
		return b->tree->nodes.count < MAX_NODES ? -ENOMEM : -E2BIG;
	*node = (struct flame_node){ .parent = parent, .frame = frame, .flags = flags };
	*place = *at;
	if (index_add(&b->tree->index, hash_bytes(at, sizeof(*at)), b->tree->nodes.count - 1) < 0)
		return -ENOMEM;
	return (int)b->tree->nodes.count - 1;
}

static int find_node(const struct builder *b, const struct place *at)
{
	uint32_t found =
		index_find(&b->tree->index, hash_bytes(at, sizeof(*at)), place_equal, b, at);

	return found == UINT32_MAX ? -ENOENT : (int)found;
}

/* The root frames of a series, one below the other: the last one's node. */
static int add_roots(struct builder *b, uint32_t series)
{
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(MAX_TEXT_BYTES);
	const struct profile *p = b->tree->calls->profile;
	uint32_t node = 0;

	for (uint32_t k = 0; k < b->keys->count; k++) {
		struct place at = { .root = UINT32_MAX - node };
		int r, id;

		buffer_clear(&text);
		r = root_frame_text(p, series, b->keys->keys[k], &text);
		if (r < 0)
			return r;
		id = root_texts_add(&b->tree->roots, text.data, text.len);
		if (id < 0)
			return id;
		at.call = (uint32_t)id;
		r = find_node(b, &at);
		if (r == -ENOENT)
			r = add_node(b, &at, node, b->tree->calls->frames.count + (uint32_t)id, 0);
		if (r < 0)
			return r;
		node = (uint32_t)r;
	}
	return (int)node;
}

static int root_of(struct builder *b, uint32_t series)
{
	int r;

	if (b->root_of[series])
		return (int)b->root_of[series] - 1;
	r = add_roots(b, series);
	if (r >= 0)
		b->root_of[series] = (uint32_t)r + 1;
	return r;
}

/* The node of a call node below a root. */
static int hang(struct builder *b, uint32_t root, uint32_t call)
{
	const struct calltree *t = b->tree->calls;
	uint32_t node = root;

	b->path.count = 0;
	for (; call; call = t->nodes.items[call].parent) {
		const struct place at = { root, call };
		int r = find_node(b, &at);
		uint32_t *step;

		if (r >= 0) {
			node = (uint32_t)r;
			break;
		}
		step = array_push(&b->path, MAX_NODES);
		if (!step)
			return -ENOMEM;
		*step = call;
	}
	while (b->path.count) {
		const struct place at = { root, b->path.items[--b->path.count] };
		const struct call_node *n = &t->nodes.items[at.call];
		int r = add_node(b, &at, node, n->frame, n->inlined ? FLAME_INLINED : 0);

		if (r < 0)
			return r;
		node = (uint32_t)r;
	}
	return (int)node;
}

/* ---- sums ---- */

static int copy_calls(struct flametree *t)
{
	const struct calltree *calls = t->calls;
	int r = array_reserve((void **)&t->nodes.items, &t->nodes.capacity, calls->nodes.count,
			      sizeof(*t->nodes.items), MAX_NODES);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < calls->nodes.count; i++) {
		const struct call_node *n = &calls->nodes.items[i];

		t->nodes.items[i] = (struct flame_node){ .parent = n->parent,
							 .frame = n->frame,
							 .flags = n->inlined ? FLAME_INLINED : 0 };
	}
	t->nodes.count = calls->nodes.count;
	return 0;
}

/* What the profile has a guess at. */
static void mark_guesses(struct flametree *t, uint8_t *guessed)
{
	const struct profile *p = t->calls->profile;

	for (uint32_t i = 1; i < p->nodes.count; i++)
		if (p->nodes.items[i].flags & PROFILE_NODE_GUESSED)
			guessed[t->calls->node_of[i]] = 1;
}

static int add_samples(struct builder *b, const struct flame_side *s, uint32_t side)
{
	struct flametree *t = b->tree;

	for (uint32_t i = 0; i < s->count; i++) {
		uint32_t call = t->calls->node_of[s->samples[i].node];
		int node = (int)call;

		if (b->keys) {
			node = root_of(b, s->samples[i].series);
			if (node >= 0)
				node = hang(b, (uint32_t)node, call);
		}
		if (node < 0)
			return node;
		t->nodes.items[node].self[side] += s->samples[i].value;
	}
	return 0;
}

static void add_up(struct flametree *t)
{
	for (uint32_t i = t->nodes.count; i-- > 0;) {
		struct flame_node *n = &t->nodes.items[i];

		for (int side = 0; side < 2; side++) {
			n->total[side] += n->self[side];
			if (i)
				t->nodes.items[n->parent].total[side] += n->total[side];
		}
	}
}

static int set_guesses(struct builder *b)
{
	struct flametree *t = b->tree;
	uint8_t *guessed = calloc(t->calls->nodes.count, 1);

	if (!guessed)
		return -ENOMEM;
	mark_guesses(t, guessed);
	for (uint32_t i = 1; i < t->nodes.count; i++) {
		uint32_t call = i;

		if (b->keys) {
			if (t->nodes.items[i].frame >= t->calls->frames.count)
				continue;
			call = b->places.items[i].call;
		}
		if (guessed[call])
			t->nodes.items[i].flags |= FLAME_GUESSED;
	}
	free(guessed);
	return 0;
}

static int build(struct builder *b, const struct flame_side *sides, uint32_t side_count)
{
	static const struct place nowhere = { UINT32_MAX, UINT32_MAX };
	int r = b->keys ? add_node(b, &nowhere, 0, 0, 0) : copy_calls(b->tree);

	for (uint32_t i = 0; i < side_count && r >= 0; i++)
		r = add_samples(b, &sides[i], i);
	if (r >= 0)
		r = set_guesses(b);
	if (r < 0)
		return r;
	add_up(b->tree);
	return 0;
}

int flametree_init(struct flametree *t, const struct calltree *calls, const struct root_keys *root,
		   const struct flame_side *sides, uint32_t side_count)
{
	struct builder b = { .tree = t, .keys = root };
	int r;

	*t = (struct flametree){ .calls = calls };
	root_texts_init(&t->roots);
	b.root_of = calloc((size_t)calls->profile->series.count + 1, sizeof(*b.root_of));
	r = b.root_of ? build(&b, sides, side_count) : -ENOMEM;
	free(b.root_of);
	array_release(&b.places);
	array_release(&b.path);
	index_release(&t->index);
	if (r < 0)
		flametree_release(t);
	return r;
}

void flametree_release(struct flametree *t)
{
	root_texts_release(&t->roots);
	array_release(&t->nodes);
	index_release(&t->index);
}

/* ---- what is shown ---- */

struct ranked {
	uint64_t total;
	uint32_t node;
};

/* Smallest first; of equal ones the later: a parent is behind its children. */
static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->total != y->total)
		return x->total < y->total ? -1 : 1;
	return (x->node < y->node) - (x->node > y->node);
}

int flametree_prune(struct flametree *t, uint32_t max, uint64_t least)
{
	struct ranked *order = calloc(t->nodes.count, sizeof(*order));
	uint32_t first;

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->nodes.count; i++)
		order[i] = (struct ranked){ flame_total(&t->nodes.items[i]), i };
	qsort(order, t->nodes.count, sizeof(*order), compare_ranked);
	first = t->nodes.count > max ? t->nodes.count - max : 0;
	while (first + 1 < t->nodes.count && (!order[first].total || order[first].total < least))
		first++;
	t->shown = t->nodes.count - first;
	for (uint32_t i = first; i < t->nodes.count; i++) {
		struct flame_node *n = &t->nodes.items[order[i].node];

		n->shown = true;
		if (!order[i].node)
			continue;
		n->next_sibling = t->nodes.items[n->parent].first_child;
		t->nodes.items[n->parent].first_child = order[i].node;
	}
	for (uint32_t i = t->nodes.count; i-- > 1;) {
		const struct flame_node *n = &t->nodes.items[i];

		if (!n->shown && flame_total(n))
			t->nodes.items[n->parent].merged += 1 + n->merged;
	}
	free(order);
	return 0;
}
