/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the symbolizer says, entered into a profile. A text for which there is no room is "", and counted
 * (NAMES_DROPPED_MEMORY): no reason to have no profile. All return the id, or -ENOMEM / -E2BIG.
 */
#ifndef AGENT_ENTRY_H
#define AGENT_ENTRY_H

#include <stdbool.h>

#include "profiler/model/profile.h"

int entry_string(struct profile *p, const char *s);
int entry_function(struct profile *p, const char *name, const char *system_name, const char *file);
/* Its name and build id are set here. */
int entry_mapping(struct profile *p, const char *name, const char *build_id,
		  struct profile_mapping m);

/* The last eighth of names' share is for what is not a function's: files, labels, stand-ins. */
bool entry_names_are_full(const struct profile *p);

#endif
