/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where functions start, by the search table of .eh_frame_hdr (LSB core specification, 10.6.2): what
 * has unwind information of its own is a function of its own, whether or not it has a symbol.
 */
#ifndef SYMBOLIZER_ELF_FRAMES_H
#define SYMBOLIZER_ELF_FRAMES_H

#include <stdint.h>

#include "symbolizer/elf_file.h"

#define ELF_FRAMES_MAX_READS 33u /* a search's: its header, and a step for each bit of the count */

/*
 * The least start of a function behind `vaddr` and before `limit`; `limit` if there is none, or no
 * table, or one in a form that no linker writes.
 */
uint64_t elf_frames_next(struct elf_file *f, uint64_t vaddr, uint64_t limit);

#endif
