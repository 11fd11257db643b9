/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A unit's line number program (DWARF 2 to 5, 6.2): the files it names, and its rows, which go to the builder.
 */
#ifndef SYMBOLIZER_DWARF_LINE_H
#define SYMBOLIZER_DWARF_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/array.h"
#include "symbolizer/dwarf_unit.h"
#include "symbolizer/lines_builder.h"

struct dwarf_line_file {
	const char *name; /* or NULL; as long as its section at most */
	uint64_t directory;
	uint32_t place; /* in the builder's strings; LINES_NONE: not made yet */
};

/* The files of one program, by the numbers that it uses. */
struct dwarf_line_files {
	uint32_t version; /* 0: there are none */
	const char *directory; /* the unit's; or NULL */
	ARRAY(const char *) directories;
	ARRAY(struct dwarf_line_file) items;
};

/*
 * Reads the program of a prepared unit, if it has one, and hands its rows to `b`. *files, which may have another unit's,
 * then has this one's. False: not all of it could be read. A partial unit has none: it has what others have in common,
 * never code, and names the program of one of them.
 */
bool dwarf_line_read(struct dwarf *d, const struct dwarf_unit *u, struct dwarf_line_files *files,
		     struct lines_builder *b);
void dwarf_line_files_release(struct dwarf_line_files *files);

/* The path of a file by its number, as a string of the builder's: absolute where that is known; 0: none. */
uint32_t dwarf_line_path(struct dwarf *d, struct dwarf_line_files *files, struct lines_builder *b,
			 uint64_t number);

#endif
