/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What compiling unwind tables needs to know of an x86-64 ELF file beside elf_file.h: where its
 * call frame information is, and who compiled it.
 */
#ifndef SYMBOLIZER_UNWIND_SECTIONS_H
#define SYMBOLIZER_UNWIND_SECTIONS_H

#include <stdbool.h>

#include "symbolizer/elf_file.h"

struct unwind_sections {
	/*
	 * bytes 0: there is none. Without section headers .eh_frame ends with its segment at the
	 * latest, and at its first terminator.
	 */
	struct elf_place eh_frame, debug_frame;
	bool terminated; /* .eh_frame ends at its first terminator */
	bool go; /* compiled by Go: its functions keep frame pointers */
	struct elf_place go_table; /* go_pclntab.h; bytes 0: in no section of its own */
	bool compressed; /* there is a .debug_frame, but compressed */
};

/* 0, or -ENOEXEC: not of x86-64. What is damaged is left out, and f->damaged set. */
int unwind_sections_find(struct elf_file *f, struct unwind_sections *ret);

#endif
