/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MiniDebugInfo: the symbol table that Fedora and its kin leave in a stripped file, as an ELF file
 * compressed by xz in the section .gnu_debugdata (GDB manual, "MiniDebugInfo").
 */
#ifndef SYMBOLIZER_MINIDEBUG_H
#define SYMBOLIZER_MINIDEBUG_H

#include "profiler/base/buffer.h"
#include "symbolizer/elf_file.h"

/* Systemd's is 70 KiB, unpacked 300. A file of ours has room for names of 200,000 functions. */
#define MINIDEBUG_MAX_PACKED_BYTES (4u << 20)
#define MINIDEBUG_MAX_BYTES (16u << 20)
/* What the decoder may take: xz -6, which rpm calls, needs 9 MiB. */
#define MINIDEBUG_MAX_DECODER_BYTES (12u << 20)

struct minidebug {
	struct buffer bytes;
	struct elf_file file; /* reads `bytes` */
};

/*
 * Unpacks what is at `place` of the file. 0; -ENOENT if there is none; -E2BIG beyond the limits, or without
 * memory; -ENOEXEC if it is no xz stream, or no ELF file in it of the class of `f`. minidebug_release() may be
 * called in every case.
 */
int minidebug_open(struct minidebug *m, struct elf_file *f, const struct elf_place *place);
void minidebug_release(struct minidebug *m);

#endif
