// SPDX-License-Identifier: Apache-2.0
/*
 * Stand-ins are one a module, not one an address: "[cc1]" with a third of the time says more than a thousand lines of
 * cc1+0x…; the address stays in the location.
 */
#include "profiler/agent/module.h"

#include <stdio.h>
#include <string.h>

static void set(struct module *m, const char *path, const char *stand_in,
		enum profile_mapping_kind kind)
{
	m->path = path;
	m->stand_in = stand_in;
	m->kind = kind;
}

static void of_code(const struct jit *jit, uint32_t owner, struct module *ret)
{
	/* What has names for some of its code has no name for this: that is no runtime's lack. */
	enum runtime runtime = jit_has_names(jit, owner) ? RUNTIME_NONE : jit_runtime(jit, owner);

	set(ret, "[anonymous memory]", runtime_stand_in(runtime), PROFILE_MAPPING_ANONYMOUS);
}

static void of_file(const struct file *f, struct module *ret)
{
	const char *slash = strrchr(f->path, '/');

	snprintf(ret->text, sizeof(ret->text), "[%s]", slash && slash[1] ? slash + 1 : f->path);
	set(ret, f->path, ret->text, PROFILE_MAPPING_USER);
}

void module_of(const struct pipeline *p, const struct run *run, struct module *ret)
{
	if (jit_is_code(run->space)) {
		of_code(p->jit, run->owner, ret);
		return;
	}
	switch (run->space) {
	case WINDOW_SPACE_KERNEL:
		set(ret, "[kernel.kallsyms]", "[kernel]", PROFILE_MAPPING_KERNEL);
		return;
	case WINDOW_SPACE_VDSO:
		set(ret, "[vdso]", "[vdso]", PROFILE_MAPPING_USER);
		return;
	case WINDOW_SPACE_ANONYMOUS:
		set(ret, "[anonymous memory]", "[anonymous memory]", PROFILE_MAPPING_ANONYMOUS);
		return;
	case WINDOW_SPACE_UNKNOWN_PROCESS:
		set(ret, "[unknown process]", "[unknown process]", PROFILE_MAPPING_NONE);
		return;
	case WINDOW_SPACE_TRUNCATED:
		set(ret, "[truncated]", "[truncated]", PROFILE_MAPPING_NONE);
		return;
	case WINDOW_SPACE_UNMAPPED:
		set(ret, "[unknown]", "[unknown]", PROFILE_MAPPING_NONE);
		return;
	}
	of_file(file_table_get(p->files, run->space - WINDOW_SPACE_FILES), ret);
}
