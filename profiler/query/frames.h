/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a stack is kept, by regular expressions on its frames, with the meaning that they have for `go tool
 * pprof`: an expression is looked for in a function's name, its source file and its binary's path.
 *
 *	focus		only stacks with a frame that matches
 *	ignore		no stacks with a frame that matches
 *	hide		without frames that match
 *	show		only frames that match
 *	show-from	only what the outermost matching frame called, itself included; no stacks without one
 *
 * Inlined functions are frames: hide, show and show-from see each, focus and ignore the whole location.
 */
#ifndef QUERY_FRAMES_H
#define QUERY_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/model/merge.h"
#include "profiler/model/profile.h"
#include "profiler/query/pattern.h"

enum frames_pattern {
	FRAMES_FOCUS,
	FRAMES_IGNORE,
	FRAMES_HIDE,
	FRAMES_SHOW,
	FRAMES_SHOW_FROM,
	FRAMES_PATTERN_COUNT
};

struct frames_options {
	struct pattern *patterns[FRAMES_PATTERN_COUNT]; /* owned by whoever made it; NULL: none */
	bool collapse_recursion; /* a function that calls itself directly is one frame */
};

struct frames;

/* `m` takes from `p` to `into`; both NULL: for frames_keep() alone. Borrows all until frames_free(). 0, -ENOMEM; -ELOOP and a sentence if an expression takes too long. */
int frames_new(struct frames **ret, const struct frames_options *options, const struct profile *p,
	       struct profile *into, struct profile_merge *m, struct err *err);
/* Looks at what was added to `p` since: it may be a profile that grows. Errors are those of frames_new(). */
int frames_update(struct frames *f, struct err *err);

void frames_free(struct frames *f);

/* Is a sample with this stack kept? */
bool frames_keep(const struct frames *f, uint32_t node);

/* The node that is left of a kept one, in the profile that is merged into; or -ENOMEM / -E2BIG. */
int frames_node(struct frames *f, uint32_t node);

#endif
