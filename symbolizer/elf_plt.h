/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom the linker's stubs call, which have no symbols: a stub jumps to where a word of data points,
 * and a relocation says whose address the dynamic linker writes there. Of x86-64, in files that
 * have section headers.
 */
#ifndef SYMBOLIZER_ELF_PLT_H
#define SYMBOLIZER_ELF_PLT_H

#include <stddef.h>
#include <stdint.h>

#include "symbolizer/elf_file.h"

/* A word of data and what the dynamic linker writes there. */
struct elf_stub {
	uint64_t start, limit; /* vaddr */
	uint64_t slot; /* the word's vaddr */
	uint64_t resolver; /* of symbol 0: a function without a name that chooses one */
	uint32_t symbol; /* in .dynsym */
	bool known; /* there is a relocation */
};

struct elf_plt {
	struct elf_file *file; /* borrowed */
	ARRAY(struct elf_stub) stubs; /* by start, each once */
	bool too_large; /* relocations were left out */
};

/*
 * Finds the stubs that the `count` ascending addresses lie in. 0 or -ENOMEM; in both cases
 * elf_plt_release() may be called. Costs a look at the section headers; and, if there are such
 * stubs, at the relocations of stubs, and if these don't know all of them, at all others.
 */
int elf_plt_find(struct elf_file *f, const uint64_t *vaddrs, uint32_t count, struct elf_plt *ret);
void elf_plt_release(struct elf_plt *plt);

/*
 * Writes the name of the function that a stub calls, NUL-terminated and cut to size - 1; as objdump
 * has it "*ABS*+0x1234" where there is its resolver only. Returns its length; 0: it can't be read,
 * or nothing is known.
 */
size_t elf_plt_name(const struct elf_plt *plt, const struct elf_stub *stub, char *ret, size_t size);

#endif
