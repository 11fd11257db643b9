/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The condition of this machine and of this process, as far as profiling depends on it: plain facts, read
 * once. What follows from them is check.h's.
 */
#ifndef COMMAND_CONDITION_H
#define COMMAND_CONDITION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "profiler/collect/cpus.h"
#include "profiler/collect/probe.h"
#include "profiler/process/cgroup.h"

/* A number that the kernel may not tell. */
struct setting {
	bool known;
	int64_t value;
};

struct condition {
	char release[65], machine[65];
	int probes[PROBE_COUNT]; /* 0 or negative errno, as probe_kernel() */
	int btf; /* 0, or negative errno when the kernel's types can't be read */
	int kallsyms; /* 0; 1 when addresses are hidden; negative errno */
	struct setting perf_event_paranoid, kptr_restrict, perf_event_mlock_kb;
	char lockdown[32]; /* "none", "integrity", "confidentiality"; "" if the kernel has none */

	struct setting capabilities; /* the effective set, a bit each */
	struct setting seccomp; /* SECCOMP_MODE_* */
	char label[128]; /* what the security module calls us; "" without one */
	int filters; /* 0, or negative errno when a process can't give up system calls */
	bool other_user_namespace, other_pid_namespace, shifted_time;
	int nice;

	struct rlimit files, locked_memory, nice_limit;
	uint64_t memory_limit; /* of our cgroup; MEMORY_LIMIT_NONE */
	uint64_t memory_asked; /* --memory; 0: not given */

	struct cpus online, isolated; /* isolated: nohz_full too */
	struct cgroup_hierarchy cgroups;
};

/* What files tell, below `root` ("" but in tests). What can't be read is left unknown. */
void condition_read(struct condition *c, const char *root);

/* What only the kernel can tell, by asking: this process, this machine. */
void condition_probe(struct condition *c);

#endif
