/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one of our processes has used so far. One that is gone, or may not be looked at, has used 0.
 */
#ifndef ROLE_USAGE_H
#define ROLE_USAGE_H

#include <stdint.h>

/* CPU time of all its threads. */
uint64_t usage_cpu_ns(int pid);

/* Its proportional set size: what it shares with n others counts 1/n. */
uint64_t usage_memory_bytes(int pid);

#endif
