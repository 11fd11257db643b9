/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a recording back: records for the batch, and the outside facts that were learnt while those
 * were worked on, by what was asked. A recording may be hostile; what it holds between two drains is
 * bounded (256 MiB). A fact that was not recorded is answered with -ENOENT, so that a recording of
 * another version still replays.
 */
#ifndef AGENT_PLAYER_H
#define AGENT_PLAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/facts.h"
#include "profiler/agent/names.h"
#include "profiler/agent/rest.h"
#include "profiler/base/err.h"
#include "profiler/collect/batch.h"
#include "profiler/process/cgroup.h"
#include "profiler/process/source.h"

struct player;

/* Takes no ownership of `fd`. Reads on to the first record: facts and the first /proc texts are there. */
int player_new(struct player **ret, int fd, struct err *err);
void player_free(struct player *p);

/* As far as they are known: the capture's parameters first, its results at the end. */
const struct facts *player_facts(const struct player *p);
const struct process_source *player_source(struct player *p);
struct name_source player_names(struct player *p);
struct code_source player_code(struct player *p);
struct rest_source player_rests(struct player *p);
/* Enters the cgroups that were learnt since the last call. */
int player_cgroups(struct player *p, struct cgroup_names *names);

/*
 * Reads records into the batch up to the end of a drain, and the facts behind it; *ret_now_ns is the
 * drain's time. 1 if more follows; 0 if this was the last; or negative errno and a sentence.
 */
int player_next(struct player *p, struct batch *batch, uint64_t *ret_now_ns, struct err *err);

/* After the last drain: did the recording break off before its end? */
bool player_broke_off(const struct player *p);

#endif
