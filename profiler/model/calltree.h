/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The profile's stacks by function rather than by address: the prefix tree that text, collapsed stacks
 * and flame graphs are made from. Inlined functions are nodes of their own. Addresses within one
 * function are one frame; so are equal names in mappings of one base name (a library of which two
 * copies are mapped), but not the `main`s of two programs.
 */
#ifndef MODEL_CALLTREE_H
#define MODEL_CALLTREE_H

#include <stdint.h>

#include "profiler/base/array.h"
#include "profiler/base/index.h"
#include "profiler/model/profile.h"

/* A function of a module. */
struct call_frame {
	uint32_t name; /* string of the profile */
	uint32_t module; /* number in modules; 0: none */
	uint32_t kind; /* enum profile_mapping_kind */
	uint32_t named; /* 0: a stand-in */
};

struct call_node {
	uint32_t parent; /* < its own number; node 0 is the empty stack */
	uint32_t frame;
	uint32_t inlined; /* 1: into its parent */
};

struct call_module {
	const char *text; /* base name, borrowed from the profile; not NUL-terminated by itself */
	uint32_t len;
};

struct calltree {
	const struct profile *profile;
	ARRAY(struct call_frame) frames;
	ARRAY(uint32_t)
	functions; /* by frame: one of the profile's that it stands for, which may say a source file */
	ARRAY(struct call_node) nodes;
	ARRAY(struct call_module) modules;
	struct index frame_index, node_index, module_index;
	uint32_t *node_of; /* the node here of each node of the profile: its leaf-most frame */
};

/* Samples and value of a frame: with it as the leaf (self), and anywhere in the stack (total). */
struct call_sum {
	uint64_t self_count, self_value;
	uint64_t total_count, total_value; /* recursion counts once */
};

/* Borrows the profile until calltree_release(). 0, -ENOMEM, or -E2BIG beyond 16 M nodes. */
int calltree_init(struct calltree *t, const struct profile *p);
void calltree_release(struct calltree *t);

/*
 * Sums of samples whose nodes are the profile's: its own, or some of them. One for each frame, owned by the
 * caller: free(). 0 or -ENOMEM.
 */
int calltree_sums(const struct calltree *t, const struct profile_sample *samples, uint32_t count,
		  struct call_sum **ret_sums);

#endif
