// SPDX-License-Identifier: Apache-2.0
/*
 * Texts first, as numbers; then what has them. Refused: to leave out a function whose name finds no room. Its samples are
 * in the profile, and a frame without a name still says that there was one.
 */
#include "profiler/agent/entry.h"

#include <errno.h>
#include <string.h>

int entry_string(struct profile *p, const char *s)
{
	int r = profile_string(p, s, strlen(s));

	if (r != -E2BIG)
		return r;
	counter_add(&p->counters, COUNTER_NAMES_DROPPED_MEMORY, 1);
	return 0;
}

int entry_function(struct profile *p, const char *name, const char *system_name, const char *file)
{
	struct profile_function f = { 0 };
	int r = entry_string(p, name);

	if (r < 0)
		return r;
	f.name = (uint32_t)r;
	r = entry_string(p, system_name);
	if (r < 0)
		return r;
	f.system_name = (uint32_t)r;
	r = entry_string(p, file);
	if (r < 0)
		return r;
	f.file = (uint32_t)r;
	return profile_function(p, &f);
}

int entry_mapping(struct profile *p, const char *name, const char *build_id,
		  struct profile_mapping m)
{
	int r = entry_string(p, name);

	if (r < 0)
		return r;
	m.name = (uint32_t)r;
	r = entry_string(p, build_id);
	if (r < 0)
		return r;
	m.build_id = (uint32_t)r;
	return profile_mapping(p, &m);
}

bool entry_names_are_full(const struct profile *p)
{
	return p->arena.used_bytes > p->arena.max_bytes / 8 * 7;
}
