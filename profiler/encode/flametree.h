/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of a flame graph: a call tree's nodes with their sums, below root frames made of labels if that is wanted, of
 * one profile or of two; and which of them are shown.
 */
#ifndef ENCODE_FLAMETREE_H
#define ENCODE_FLAMETREE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/array.h"
#include "profiler/base/index.h"
#include "profiler/encode/root.h"
#include "profiler/model/calltree.h"
#include "profiler/model/profile.h"

#define FLAME_INLINED 1u
#define FLAME_GUESSED 2u
#define FLAME_OTHER 4u

struct flame_node {
	uint32_t parent; /* < its own number; node 0 is all */
	uint32_t frame; /* of the call tree; behind those: root texts */
	uint32_t flags;
	uint32_t first_child, next_sibling; /* of those shown, largest first; 0: none */
	bool shown;
	uint32_t merged; /* nodes below it that are not shown, children's children too */
	uint64_t self[2], total[2];
};

struct flametree {
	const struct calltree *calls; /* borrowed */
	struct root_texts roots;
	ARRAY(struct flame_node) nodes;
	struct index index;
	uint32_t shown;
};

/* Samples of one side: their nodes are of the profile that the call tree is of. */
struct flame_side {
	const struct profile_sample *samples;
	uint32_t count;
};

/* Borrows `calls`, `root` only during the call. 0, -ENOMEM or -E2BIG. */
int flametree_init(struct flametree *t, const struct calltree *calls, const struct root_keys *root,
		   const struct flame_side *sides, uint32_t side_count);
void flametree_release(struct flametree *t);

/*
 * Decides which nodes are shown: the `max` largest, none below `least` of both sides together. A node's parent is never
 * smaller than itself, so that what is shown is a tree. 0 or -ENOMEM.
 */
int flametree_prune(struct flametree *t, uint32_t max, uint64_t least);

static inline uint64_t flame_total(const struct flame_node *n)
{
	return n->total[0] + n->total[1];
}

#endif
