/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked of a profile, whatever it came from: parameters that mean the same on every command and
 * endpoint. docs/QUERY.md describes them.
 */
#ifndef QUERY_QUERY_H
#define QUERY_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/model/profile.h"

/* X(identifier, "name", "for people") */
#define QUERY_PARAMETERS(X)                                                         \
	X(QUERY, "query",                                                           \
	  "only samples with these labels: 'comm=\"postgres\",cgroup=~\"/api.*\"'") \
	X(FOCUS, "focus", "only stacks with a frame that matches REGEX")            \
	X(IGNORE, "ignore", "no stacks with a frame that matches REGEX")            \
	X(HIDE, "hide", "leave out frames that match REGEX")                        \
	X(SHOW, "show", "only frames that match REGEX")                             \
	X(SHOW_FROM, "show-from",                                                   \
	  "only what the outermost frame that matches REGEX called, with it")       \
	X(RECURSION, "collapse-recursion", "a function that calls itself directly is one frame")

enum query_parameter {
#define X(id, name, help) QUERY_##id,
	QUERY_PARAMETERS(X)
#undef X
		QUERY_PARAMETER_COUNT
};

struct query;
struct frames_options;

int query_new(struct query **ret);
void query_free(struct query *q);

/* Sets a parameter, once; RECURSION needs no value. 0, or -EINVAL, -E2BIG, -ENOMEM and a sentence. */
int query_set(struct query *q, enum query_parameter parameter, const char *value, struct err *err);

/* Is nothing asked? Does it leave samples out? */
bool query_is_empty(const struct query *q);
bool query_selects(const struct query *q);

/* Do its matchers hold for a series of `p`? 1, 0, or -ELOOP and a sentence. */
int query_wants(const struct query *q, const struct profile *p, uint32_t series, struct err *err);

/* What is asked of stacks; NULL: nothing. */
const struct frames_options *query_frames(const struct query *q);

/*
 * What is asked for, as a profile of its own: only what its samples use. When it leaves samples out, counters
 * (they are of all) are left out, too, and `selected` and facts.filtered are set. `ret` is made here. 0, or -ELOOP (an
 * expression takes too long), -E2BIG, -ENOMEM and a sentence.
 */
int query_run(const struct query *q, const struct profile *from, struct profile *ret,
	      struct err *err);

#endif
