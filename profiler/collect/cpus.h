/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of CPUs, as /sys/devices/system/cpu lists them. No thread safety needed: plain values.
 */
#ifndef COLLECT_CPUS_H
#define COLLECT_CPUS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/collect/session.h"

struct cpus {
	uint8_t bits[SESSION_MAX_CPUS / 8];
};

/*
 * Reads a list ("0-3,7", or empty). A file that isn't there lists none: kernels leave out what they
 * don't support. 0, -EINVAL, -ERANGE beyond SESSION_MAX_CPUS, or what reading said.
 */
int cpus_read(struct cpus *ret, const char *path);

/* The same, from a file of such a list that is open: from its beginning, each time. */
int cpus_read_again(struct cpus *ret, int fd);

#define CPUS_ONLINE "/sys/devices/system/cpu/online"

/* The CPUs that run now. */
int cpus_read_online(struct cpus *ret);
/* Those that were taken from the scheduler or its tick: isolcpus=, nohz_full=. */
int cpus_read_isolated(struct cpus *ret);

static inline bool cpus_has(const struct cpus *c, uint32_t cpu)
{
	return cpu < SESSION_MAX_CPUS && c->bits[cpu / 8] >> (cpu % 8) & 1;
}

uint32_t cpus_count(const struct cpus *c);

#endif
