// SPDX-License-Identifier: Apache-2.0
/*
 * The roles by name and number. What each may do is told by files of their own, a file for roles that are judged together:
 * supervisor_roles.c, agent_role.c, file_roles.c, dump_roles.c, store_roles.c; table.h has what they share.
 */
#include "profiler/role/role.h"

#include <string.h>

#include "profiler/role/table.h"

static const struct role *const roles[] = {
	&role_supervisor,
	&role_agent,
	&role_opener,
	&role_fetcher,
	&role_symbolizer,
	&role_background_symbolizer,
	&role_dump_supervisor,
	&role_dumper,
	&role_tracer,
	&role_unwinder,
	&role_reader_supervisor,
	&role_reader,
	&role_serve_supervisor,
	&role_storekeeper,
	&role_web,
};

const struct role *role_find(const char *name)
{
	for (size_t i = 0; i < COUNT(roles); i++)
		if (strcmp(roles[i]->name, name) == 0)
			return roles[i];
	return NULL;
}

size_t role_count(void)
{
	return COUNT(roles);
}

const struct role *role_at(size_t i)
{
	return roles[i];
}

uint64_t role_setup_capabilities(const struct role *role)
{
	const struct role_setup_capability *setup = role->setup;

	return setup && setup->is_needed() ? 1ULL << setup->capability.number : 0;
}

static uint64_t own_capabilities(const struct role *role)
{
	uint64_t mask = role_setup_capabilities(role);

	for (size_t i = 0; i < role->capability_count; i++)
		mask |= 1ULL << role->capabilities[i].number;
	return mask;
}

uint64_t role_capabilities(const struct role *role)
{
	uint64_t mask = own_capabilities(role);

	for (const char *const *name = role->crew; name && *name; name++)
		mask |= own_capabilities(role_find(*name));
	return mask;
}
