/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stacks of a profile that end before their outermost frame: why, and in which module most of them do.
 */
#ifndef ENCODE_TRUNCATIONS_H
#define ENCODE_TRUNCATIONS_H

#include <stdint.h>

#include "profiler/base/truncation.h"
#include "profiler/model/calltree.h"

struct truncation_place {
	uint64_t count; /* samples */
	uint32_t module; /* of the tree: the one that most of them end in; 0 if there are none */
	uint32_t kind; /* of code there: enum profile_mapping_kind */
	uint64_t module_count; /* of them */
	uint64_t python_count; /* of these: in code that CPython made to be seen by (-X perf) */
};

struct truncations {
	struct truncation_place places[TRUNCATION_COUNT]; /* by enum truncation */
};

/* By the frames that stand for the missing ones. 0 or -ENOMEM. */
int truncations_find(const struct calltree *t, struct truncations *ret);

#endif
