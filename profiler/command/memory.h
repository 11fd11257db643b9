/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option --memory, and the budget that follows from it on this machine.
 */
#ifndef COMMAND_MEMORY_H
#define COMMAND_MEMORY_H

#include <stdint.h>

#include "profiler/agent/budget.h"
#include "profiler/agent/job.h"
#include "profiler/base/err.h"
#include "profiler/command/options.h"

extern const struct argp_option memory_options[];

/* Takes the option if it is --memory. 0; 1 if it isn't; -EINVAL and a sentence. */
int memory_take(uint64_t *ret_bytes, int key, const char *arg, struct err *err);

/*
 * Divides `asked` bytes (0: the default, or what the cgroup's limit allows) for a session of this kind on so
 * many CPUs, and sets the session's own limit. 0, or -EINVAL and a sentence.
 */
int memory_divide(uint64_t asked, uint64_t cgroup_limit, uint32_t cpus,
		  struct session_config *session, struct budget *ret, struct err *err);

/* The same for a job on this machine, whose session must be filled in. */
int memory_share(uint64_t asked, struct job *job, struct err *err);

#endif
