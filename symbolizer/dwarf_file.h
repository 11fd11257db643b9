/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sections of DWARF of an x86-64 ELF file, in memory and decompressed: zlib (SHF_COMPRESSED, and GNU's
 * .zdebug_… before it) and zstd.
 *
 * The file may lie and may change while it is read. Memory is at most what the caller gives.
 */
#ifndef SYMBOLIZER_DWARF_FILE_H
#define SYMBOLIZER_DWARF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/elf_file.h"

enum dwarf_section_kind {
	DWARF_INFO,
	DWARF_ABBREV,
	DWARF_STR,
	DWARF_LINE,
	DWARF_LINE_STR,
	DWARF_RANGES,
	DWARF_RNGLISTS,
	DWARF_ADDR,
	DWARF_STR_OFFSETS,
	DWARF_SECTION_COUNT
};

struct dwarf_section {
	uint8_t *bytes; /* owned; a NUL stands behind the last, so that every string ends */
	size_t len;
};

struct dwarf_file {
	struct elf_file elf; /* where its code is: an alternate file has none */
	struct dwarf_section sections[DWARF_SECTION_COUNT];
	size_t bytes; /* of all sections */
	bool compressed; /* some were */
	bool needs_alternate; /* .gnu_debugaltlink: dwz moved parts to another file */
};

/*
 * `alternate`: of dwz, which holds no code and that nobody loads. Sections that are damaged, or compressed as we
 * can't read, are left out and elf.damaged set.
 *
 * 0; -ENOEXEC: no such ELF file; -ENODATA: no .debug_info; -E2BIG: more than max_bytes; -ENOMEM. In every case
 * dwarf_file_release() may be called, as on a zeroed one.
 */
int dwarf_file_open(struct dwarf_file *f, int fd, bool alternate, size_t max_bytes);
void dwarf_file_release(struct dwarf_file *f);

#endif
