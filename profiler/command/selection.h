/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to be sampled, as the command line says it: options → struct session_config, checked.
 */
#ifndef COMMAND_SELECTION_H
#define COMMAND_SELECTION_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/job.h"
#include "profiler/base/array.h"
#include "profiler/base/err.h"

#define SELECTION_DEFAULT_HZ 99
#define SELECTION_MAX_PID 4194304 /* PID_MAX_LIMIT of a 64-bit kernel */

struct selection {
	ARRAY(uint32_t) pids;
	ARRAY(uint32_t) tids;
	uint8_t cpus[SESSION_MAX_CPUS / 8];
	const char *comms[SESSION_MAX_COMMS];
	uint32_t comm_count;
	const char *cgroup; /* a path, or NULL */
	uint32_t frequency_hz;
	enum session_event event;
	bool cpus_given, user_only, kernel_only, whole_machine;
};

/* Tables for a command. */
extern const struct argp_option selection_options[];

void selection_init(struct selection *s);
void selection_release(struct selection *s);

/* 1 if `key` is none of ours; 0; or -EINVAL and a sentence. `arg` is borrowed. */
int selection_take(struct selection *s, int key, const char *arg, struct err *err);

/*
 * What no single option can tell: contradictions. `command`: one is started, and is what is sampled.
 * 0, or -EINVAL and a sentence.
 */
int selection_check(const struct selection *s, bool command, struct err *err);

/* One more process. 0 or negative errno. */
int selection_add_pid(struct selection *s, uint32_t pid);

/* Fills session and cgroups of *j; borrows from `s` and from *j itself. 0, or negative and a sentence. */
int selection_apply(const struct selection *s, struct job *j, struct err *err);

#endif
