/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file's unwind table: what its .eh_frame and .debug_frame say, as rows.
 *
 * Executable segments are covered from end to end. Where two functions overlap, the one that starts
 * first holds, and .eh_frame before .debug_frame. Between functions there are no rows: not in padding,
 * either, where a hand-made return address can lead (that of makecontext() is the first byte of a
 * function, and looked up one byte before). But
 *
 * - Go's functions have rows by Go's own table (unwind_go.h), and by frame pointer if it can't be read;
 * - and so is code whose functions set up frame pointers one after the other, as can be seen in it:
 *   V8's built-in functions within node, or chromium, which was compiled without tables;
 *
 * if they are of a page and more: in a short one is a function in assembler code.
 */
#ifndef SYMBOLIZER_UNWIND_COMPILE_H
#define SYMBOLIZER_UNWIND_COMPILE_H

#include "symbolizer/elf_file.h"
#include "symbolizer/unwind_table.h"

/* What became of a file, for people and counters. */
struct unwind_outcome {
	uint32_t fdes, fdes_refused, fdes_damaged;
	uint32_t gaps, guessed_gaps; /* without rows, and by frame pointer */
	uint32_t solved_gaps; /* with rows from their instructions */
	bool damaged; /* not all of it could be read */
	bool too_large; /* not all of it was read, or the table ends early: limits above */
	bool compressed; /* .debug_frame was not looked at, as it is compressed */
	/* where it came from: symbolizer/protocol.h has the words */
	bool eh_frame, debug_frame, index, by_index, go;
};

/*
 * The table for [start, limit) of the file's addresses (0, UINT64_MAX: all), and as far as max_rows
 * reach (ret->limit says how far). 0; -ENOEXEC: not of this machine; -ENOMEM. In every case
 * unwind_table_release() may be called.
 */
int unwind_compile(struct elf_file *f, uint64_t start, uint64_t limit, uint32_t max_rows,
		   struct unwind_table *ret, struct unwind_outcome *ret_outcome);

#endif
