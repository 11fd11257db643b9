// SPDX-License-Identifier: Apache-2.0
/*
 * A symbol and DWARF may name a function differently ("f.constprop.0", an alias, assembler without DWARF). The symbol
 * wins: it is what else shows this code, a debugger's break point or another profiler, calls it.
 */
#include "profiler/agent/line_frames.h"

uint32_t line_frames(const struct lines_answers *lines, uint32_t i, const char *name,
		     const char *system_name, struct line_frame *ret, uint32_t max)
{
	const struct lines_answer *a = lines ? &lines->answers[i] : NULL;
	uint32_t count = 0;

	for (; a && count < a->count && count < max; count++) {
		const struct lines_place *p = &lines->places[a->first + count];

		ret[count] = (struct line_frame){ .name = lines->strings + p->name,
						  .system_name = lines->strings + p->system_name,
						  .file = lines->strings + p->file,
						  .line = p->line };
	}
	if (!*name || !max)
		return count;
	if (!count)
		ret[count++] = (struct line_frame){ .file = "" };
	ret[count - 1].name = name;
	ret[count - 1].system_name = system_name;
	return count;
}
