/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The perf maps that are held open, by the number of their process (agent/jit.h): from when code of it was
 * first sampled until the capture ends, also when the process has. At most 256. Not thread safe.
 */
#ifndef AGENT_PERFMAPS_H
#define AGENT_PERFMAPS_H

#include <stdint.h>

#include "profiler/agent/jit.h"
#include "profiler/agent/outside.h"

struct perfmaps;

/* Borrows `outside`. 0 or -ENOMEM. */
int perfmaps_new(struct perfmaps **ret, struct outside *outside);
void perfmaps_free(struct perfmaps *p);
/* Closes all: owners have other numbers from now on. */
void perfmaps_turn(struct perfmaps *p);

/* The live one. */
struct code_source perfmaps_source(struct perfmaps *p);

/* Borrowed; or -1 if it isn't held. */
int perfmaps_fd(const struct perfmaps *p, uint32_t owner);

#endif
