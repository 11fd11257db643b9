/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a file says about where its debug information is, and whether another file is that.
 *
 * Formats: .gnu_debuglink is a file name, NUL, padded to 4 bytes, and the CRC-32 of that file (GDB manual, "Separate
 * Debug Files"); .gnu_debugaltlink is a path, NUL, and a build id (dwz); .gnu_debugdata is an ELF file
 * compressed by xz (GDB manual, "MiniDebugInfo").
 */
#ifndef SYMBOLIZER_ELF_DEBUG_H
#define SYMBOLIZER_ELF_DEBUG_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/protocol.h"

struct elf_debug {
	struct elf_place minidebug; /* .gnu_debugdata; `vaddr` means nothing */
	bool dwarf; /* there is a .debug_info with bytes in it */
	bool linked; /* there is a .gnu_debuglink, sound or not */
	uint32_t link_crc;
	char link[DEBUG_MAX_LINK_BYTES]; /* NUL-terminated; "": none that could be a file's name */
	char alternate[DEBUG_MAX_ALTERNATE_BYTES]; /* .gnu_debugaltlink's path; "": none */
	unsigned char alternate_id[SYMBOLS_MAX_BUILD_ID_BYTES];
	uint32_t alternate_id_bytes;
};

/* Reads an open file's sections; what is unsound is left out, and the file damaged. */
void elf_debug_read(struct elf_file *f, struct elf_debug *ret);

/*
 * Is `candidate` the debug file that goes with `f`? Their build ids agree; where not both have one, the
 * candidate's CRC is the link's. -EFBIG if that would take too long, else 0 or 1.
 */
int elf_debug_belongs(const struct elf_file *f, const struct elf_debug *debug,
		      struct elf_file *candidate);

/* Is it the alternate file (dwz) that `debug` names, by its build id? */
bool elf_debug_is_alternate(const struct elf_debug *debug, const struct elf_file *candidate);

/* Appends the reply to a request of enum debug_question, with `fd_count` descriptors. 0, -EPROTO or -ENOMEM. */
int elf_debug_answer(const struct debug_request *request, const int *fds, uint32_t fd_count,
		     struct buffer *reply);

#endif
