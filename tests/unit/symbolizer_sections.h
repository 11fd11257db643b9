/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small ELF files, 64 bits, whose sections have names:
 *
 *	0      file header
 *	0x100  a program header: PT_LOAD of the code
 *	0x1000 code, at vaddr 0x401000, 0x1000 bytes; its section is .text
 *	0x2000 the other sections, their names, section headers
 */
#ifndef TESTS_UNIT_SYMBOLIZER_SECTIONS_H
#define TESTS_UNIT_SYMBOLIZER_SECTIONS_H

#include <elf.h>
#include <stdint.h>
#include <string.h>

#include "profiler/base/buffer.h"

#define SECTIONS_CODE_OFFSET 0x1000u
#define SECTIONS_CODE 0x401000u
#define SECTIONS_CODE_BYTES 0x1000u
#define SECTIONS_MAX 8u

struct section {
	const char *name; /* NULL ends a list */
	uint32_t type;
	const void *bytes;
	uint64_t len; /* what the header says; `held` bytes are there, or all if that is 0 */
	uint64_t held;
};

static inline void sections_align(struct buffer *b)
{
	while (b->len % 8)
		buffer_append(b, "", 1);
}

/* The caller releases it. `list` is in no section of code, and not loaded. */
static inline struct buffer sections_make(const struct section *list)
{
	struct buffer b = BUFFER_INIT(64 << 20), names = BUFFER_INIT(4096);
	Elf64_Shdr headers[SECTIONS_MAX + 3] = { { 0 } };
	Elf64_Ehdr e = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				      EV_CURRENT },
			 .e_type = ET_DYN,
			 .e_machine = EM_X86_64,
			 .e_phoff = 0x100,
			 .e_phnum = 1,
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_shentsize = sizeof(Elf64_Shdr) };
	const Elf64_Phdr code = { .p_type = PT_LOAD,
				  .p_flags = PF_R | PF_X,
				  .p_offset = SECTIONS_CODE_OFFSET,
				  .p_vaddr = SECTIONS_CODE,
				  .p_filesz = SECTIONS_CODE_BYTES,
				  .p_memsz = SECTIONS_CODE_BYTES };
	uint16_t count = 1;

	memset(buffer_extend(&b, 0x2000), 0, 0x2000);
	memcpy(b.data + 0x100, &code, sizeof(code));
	buffer_append(&names, "", 1);
	headers[count++] = (Elf64_Shdr){ .sh_name = (uint32_t)names.len,
					 .sh_type = SHT_PROGBITS,
					 .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
					 .sh_addr = SECTIONS_CODE,
					 .sh_offset = SECTIONS_CODE_OFFSET,
					 .sh_size = SECTIONS_CODE_BYTES };
	buffer_append(&names, ".text", sizeof(".text"));
	for (const struct section *s = list; s && s->name; s++) {
		headers[count++] = (Elf64_Shdr){ .sh_name = (uint32_t)names.len,
						 .sh_type = s->type,
						 .sh_offset = b.len,
						 .sh_size = s->len,
						 .sh_addralign = 4 };
		buffer_append(&names, s->name, strlen(s->name) + 1);
		buffer_append(&b, s->bytes, s->held ? s->held : s->len);
		sections_align(&b);
	}
	e.e_shstrndx = count;
	headers[count] = (Elf64_Shdr){ .sh_name = (uint32_t)names.len,
				       .sh_type = SHT_STRTAB,
				       .sh_offset = b.len };
	buffer_append(&names, ".shstrtab", sizeof(".shstrtab"));
	headers[count++].sh_size = names.len;
	buffer_append(&b, names.data, names.len);
	sections_align(&b);
	e.e_shoff = b.len;
	e.e_shnum = count;
	buffer_append(&b, headers, count * sizeof(*headers));
	memcpy(b.data, &e, sizeof(e));
	buffer_release(&names);
	return b;
}

/* A section with a build id of 8 bytes, or of fewer. */
#define SECTIONS_BUILD_ID(bytes_of_note)                                                  \
	{                                                                                 \
		".note.gnu.build-id", SHT_NOTE, (bytes_of_note), sizeof(bytes_of_note), 0 \
	}

#endif
