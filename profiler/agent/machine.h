/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the machine's CPUs have used so far. An idle CPU may give no samples at
 * all (virtual machines), so idle time comes from /proc/stat and never from samples.
 */
#ifndef AGENT_MACHINE_H
#define AGENT_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As on the kernel's side only differences mean something: on thousands of CPUs the sums wrap. */
struct machine_usage {
	uint64_t busy_ns; /* user, nice, system, interrupts; guests are part of user */
	uint64_t idle_ns; /* idle and waiting for I/O */
	uint64_t steal_ns;
	uint64_t cpus; /* a hash of the CPUs' numbers; 0: of none */
};

/*
 * Sums the cpuN lines of a /proc/stat text over the CPUs whose bit is set in `cpus` (`ncpus` bits).
 * -EINVAL when there is no such line. `ticks_per_s` is sysconf(_SC_CLK_TCK).
 */
int machine_usage_parse(const char *text, size_t len, const uint8_t *cpus, uint32_t ncpus,
			uint64_t ticks_per_s, struct machine_usage *ret);

/* The same of the live /proc/stat, which `fd` is: from its beginning, each time. */
int machine_usage_read(int fd, const uint8_t *cpus, uint32_t ncpus, struct machine_usage *ret);

/*
 * What was used between two readings. False, and nothing is known, if they are not of the same CPUs: one
 * that came brings along what it did since boot, one that went takes it away.
 */
bool machine_usage_since(const struct machine_usage *start, const struct machine_usage *end,
			 struct machine_usage *ret);

#endif
