// SPDX-License-Identifier: Apache-2.0
/*
 * A closed list of names in brackets that are not the kernel's; all others are its modules, since a module can be
 * called anything.
 */
#include "profiler/decode/origin.h"

#include <string.h>

static const struct {
	const char *name;
	enum profile_mapping_kind kind;
} known[] = {
	{ "", PROFILE_MAPPING_ANONYMOUS },
	{ "//anon", PROFILE_MAPPING_ANONYMOUS },
	{ "anon_inode:[perf_event]", PROFILE_MAPPING_ANONYMOUS },
	{ "[anon]", PROFILE_MAPPING_ANONYMOUS },
	{ "[anonymous memory]", PROFILE_MAPPING_ANONYMOUS },
	{ "[heap]", PROFILE_MAPPING_ANONYMOUS },
	{ "[stack]", PROFILE_MAPPING_ANONYMOUS },
	{ "[vdso]", PROFILE_MAPPING_USER },
	{ "[vvar]", PROFILE_MAPPING_USER },
	{ "[uprobes]", PROFILE_MAPPING_USER },
	{ "[vsyscall]", PROFILE_MAPPING_USER },
	{ "[truncated]", PROFILE_MAPPING_NONE },
	{ "[unknown]", PROFILE_MAPPING_NONE },
	{ "[unknown process]", PROFILE_MAPPING_NONE },
};

enum profile_mapping_kind origin_of_mapping(const char *name)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(known[i].name, name))
			return known[i].kind;
	return *name == '[' ? PROFILE_MAPPING_KERNEL : PROFILE_MAPPING_USER;
}

bool origin_is_stand_in(const char *name, size_t len)
{
	return !len || (name[0] == '[' && name[len - 1] == ']');
}
