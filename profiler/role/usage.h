/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one of our processes has used so far. One that is gone, or may not be looked at, has used 0.
 */
#ifndef ROLE_USAGE_H
#define ROLE_USAGE_H

#include <stdint.h>
#include <sys/resource.h>

/* CPU time of all its threads. */
uint64_t usage_cpu_ns(int pid);

/* Of those that have ended. */
uint64_t usage_ended_ns(const struct rusage *u);

/* Its proportional set size: what it shares with n others counts 1/n. */
uint64_t usage_memory_bytes(int pid);

#endif
