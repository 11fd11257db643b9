/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the machine and we have used so far, and what that comes to between two readings.
 */
#ifndef AGENT_METER_H
#define AGENT_METER_H

#include <stdint.h>

#include "profiler/agent/machine.h"
#include "profiler/base/counter.h"
#include "profiler/collect/session.h"
#include "profiler/model/profile.h"

/* One reading. Only differences mean something. */
struct meter {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	struct machine_usage machine; /* all 0: it could not be read */
	struct session_ticks ticks;
	uint64_t bpf_ns;
};

/* `stat_fd` is /proc/stat. */
void meter_read(struct meter *ret, struct session *s, int stat_fd);

/*
 * Of the time from `start` to `end`: machine_ns, busy_ns and steal_ns, if they are known, and own_bpf_ns, of a window of duration_ns. Ticks
 * that the sampler missed are counted as SAMPLES_MISSED or TICKS_MISSED. Of the facts, duration_ns, period, cpus_profiled and
 * filtered are set before.
 */
void meter_between(const struct meter *start, const struct meter *end, struct profile_facts *f,
		   struct counters *counters);

#endif
