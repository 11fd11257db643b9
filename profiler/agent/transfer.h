/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A window's series, nodes and samples as a profile's, once its locations are. Where windows follow each other, each goes
 * on where the one before ended: what is transferred of series and nodes is what is new.
 */
#ifndef AGENT_TRANSFER_H
#define AGENT_TRANSFER_H

#include "profiler/agent/site.h"
#include "profiler/aggregate/window.h"
#include "profiler/base/array.h"
#include "profiler/model/profile.h"
#include "profiler/process/cgroup.h"
#include "profiler/store/columns.h"

/* Of a window and a profile, which stay the same. Begins as all zero. */
struct transfer {
	ARRAY(uint32_t) series, nodes, samples; /* by the window's number: the profile's */
	ARRAY(struct columns_moment) moments; /* of the samples that were transferred last */
};

void transfer_release(struct transfer *t);

/*
 * All of `sites` that there are nodes of have a location. Values of a profile of time are counts times its period. 0, -ENOMEM
 * or -E2BIG.
 */
int transfer(struct transfer *t, const struct window *w, const struct sites *sites,
	     const struct cgroup_names *cgroups, struct profile *p);

/* A site has another location than before: stacks through it are made anew with the next transfer. */
void transfer_again(struct transfer *t);

/* Cycles have no fixed period: the profile's is their mean. */
uint64_t transfer_mean_period(const struct window *w);

#endif
