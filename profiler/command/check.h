/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What follows for profiling from the condition of a machine: a table of checks, each a name and what it
 * takes. The decisive check, a capture, is doctor.c's.
 */
#ifndef COMMAND_CHECK_H
#define COMMAND_CHECK_H

#include <stdint.h>

#include "profiler/command/condition.h"
#include "profiler/command/finding.h"

#define CHECK_MAX 64

/* Fills `ret`, those of a group together; returns how many. Reads nothing but `c`. */
uint32_t checks_run(const struct condition *c, struct finding ret[CHECK_MAX]);

/* May the timers of this CPU be expected to tick? Isolated CPUs are left alone. */
bool check_cpu_is_sampled(const struct condition *c, int cpu);

#endif
