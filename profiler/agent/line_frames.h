/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frames at an address: what the symbol table and DWARF say of it, as one.
 */
#ifndef AGENT_LINE_FRAMES_H
#define AGENT_LINE_FRAMES_H

#include <stdint.h>

#include "symbolizer/protocol.h"

#define LINE_FRAMES_MAX 128u /* of an address; the symbolizer gives no more */

/* Strings are "" if not known; they are from outside. */
struct line_frame {
	const char *name, *system_name, *file;
	uint32_t line; /* 0: not known */
};

/*
 * Address number `i` of `lines` (NULL: there are none), whose symbol is `name` ("": there is none): the innermost function
 * first, at most `max` (LINE_FRAMES_MAX is all). The outermost is named by the symbol, if there is one, as the unwinder and the
 * linker know it. 0: nothing is known. Borrows of both.
 */
uint32_t line_frames(const struct lines_answers *lines, uint32_t i, const char *name,
		     const char *system_name, struct line_frame *ret, uint32_t max);

#endif
