/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a location is part of, as people see it: a file, the kernel, memory.
 */
#ifndef AGENT_MODULE_H
#define AGENT_MODULE_H

#include "profiler/agent/pipeline.h"
#include "profiler/agent/run.h"
#include "profiler/model/profile.h"

#define MODULE_TEXT_BYTES 512

struct module {
	const char *path; /* mapping name */
	const char *stand_in; /* function name for what has no other */
	enum profile_mapping_kind kind;
	char text[MODULE_TEXT_BYTES];
};

/* Of the run's space; *ret must not move. */
void module_of(const struct pipeline *p, const struct run *run, struct module *ret);

#endif
