/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A window's series, nodes and samples as a profile's, once its locations are.
 */
#ifndef AGENT_TRANSFER_H
#define AGENT_TRANSFER_H

#include "profiler/agent/site.h"
#include "profiler/aggregate/window.h"
#include "profiler/model/profile.h"
#include "profiler/process/cgroup.h"

/* All of `sites` have a location. Values of a profile of time are counts times its period. 0, -ENOMEM or -E2BIG. */
int transfer(const struct window *w, const struct sites *sites, const struct cgroup_names *cgroups,
	     struct profile *p);

/* Cycles have no fixed period: the profile's is their mean. */
uint64_t transfer_mean_period(const struct window *w);

#endif
