/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small ELF files made by hand, so that a test says every byte that matters. 32 or 64 bits, of this
 * shape:
 *
 *	0      file header
 *	0x100  program headers: PT_LOAD of the code, PT_LOAD of data, PT_NOTE
 *	0x200  a note with the build id 0123…cdef
 *	0x1000 code, all of it nop: sections of 0x800 bytes at vaddr 0x401000, of 0x400 bytes; 0x400 in none
 *	0x2000 data, at vaddr 0x403000
 *	0x2100 .symtab, its strings, .dynsym, its strings, section headers
 */
#ifndef TESTS_UNIT_SYMBOLIZER_IMAGE_H
#define TESTS_UNIT_SYMBOLIZER_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "profiler/base/buffer.h"

#define IMAGE_CODE_OFFSET 0x1000u
#define IMAGE_CODE 0x401000u
#define IMAGE_DATA_OFFSET 0x2000u
#define IMAGE_DATA 0x403000u
#define IMAGE_TABLES 0x2100u
#define IMAGE_SECTIONS 8u
#define IMAGE_SEGMENTS 3u

struct image_symbol {
	const char *name; /* NULL ends a list */
	uint64_t value, size;
	unsigned char type, bind;
	uint16_t section; /* 0: that of the code */
	bool undefined;
};

struct image {
	struct buffer bytes;
	bool narrow;
	uint64_t section_headers; /* offset */
};

static inline void image_put_section(struct image *im, uint32_t type, uint64_t flags, uint64_t addr,
				     uint64_t offset, uint64_t size, uint32_t link,
				     uint64_t entsize)
{
	Elf64_Shdr wide = { .sh_type = type,
			    .sh_flags = flags,
			    .sh_addr = addr,
			    .sh_offset = offset,
			    .sh_size = size,
			    .sh_link = link,
			    .sh_addralign = 4,
			    .sh_entsize = entsize };
	Elf32_Shdr narrow = { .sh_type = type,
			      .sh_flags = (uint32_t)flags,
			      .sh_addr = (uint32_t)addr,
			      .sh_offset = (uint32_t)offset,
			      .sh_size = (uint32_t)size,
			      .sh_link = link,
			      .sh_addralign = 4,
			      .sh_entsize = (uint32_t)entsize };

	if (im->narrow)
		buffer_append(&im->bytes, &narrow, sizeof(narrow));
	else
		buffer_append(&im->bytes, &wide, sizeof(wide));
}

static inline void image_put_segment(struct image *im, uint32_t number, uint32_t type,
				     uint32_t flags, uint64_t offset, uint64_t vaddr, uint64_t size)
{
	Elf64_Phdr wide = { .p_type = type,
			    .p_flags = flags,
			    .p_offset = offset,
			    .p_vaddr = vaddr,
			    .p_filesz = size,
			    .p_memsz = size,
			    .p_align = 4 };
	Elf32_Phdr narrow = { .p_type = type,
			      .p_flags = flags,
			      .p_offset = (uint32_t)offset,
			      .p_vaddr = (uint32_t)vaddr,
			      .p_filesz = (uint32_t)size,
			      .p_memsz = (uint32_t)size,
			      .p_align = 4 };
	char *at = im->bytes.data + 0x100;

	if (im->narrow)
		memcpy(at + number * sizeof(narrow), &narrow, sizeof(narrow));
	else
		memcpy(at + number * sizeof(wide), &wide, sizeof(wide));
}

/* Appends a table and its strings; both are 8-byte aligned. */
static inline void image_put_symbols(struct image *im, const struct image_symbol *symbols,
				     uint64_t *ret_offset, uint64_t *ret_size, uint64_t *ret_names,
				     uint64_t *ret_names_size)
{
	struct buffer names = BUFFER_INIT(64 << 20);

	*ret_offset = im->bytes.len;
	buffer_append(&names, "", 1);
	for (const struct image_symbol *s = symbols; s && s->name; s++) {
		uint16_t section = s->undefined ? SHN_UNDEF : s->section ? s->section : 1;
		Elf64_Sym wide = { .st_name = *s->name ? (uint32_t)names.len : 0,
				   .st_info = ELF64_ST_INFO(s->bind, s->type),
				   .st_shndx = section,
				   .st_value = s->value,
				   .st_size = s->size };
		Elf32_Sym narrow = { .st_name = wide.st_name,
				     .st_info = wide.st_info,
				     .st_shndx = section,
				     .st_value = (uint32_t)s->value,
				     .st_size = (uint32_t)s->size };

		buffer_append(&names, s->name, strlen(s->name) + 1);
		if (im->narrow)
			buffer_append(&im->bytes, &narrow, sizeof(narrow));
		else
			buffer_append(&im->bytes, &wide, sizeof(wide));
	}
	*ret_size = im->bytes.len - *ret_offset;
	*ret_names = im->bytes.len;
	*ret_names_size = names.len;
	buffer_append(&im->bytes, names.data, names.len);
	while (im->bytes.len % 8)
		buffer_append(&im->bytes, "", 1);
	buffer_release(&names);
}

static inline void image_put_header(struct image *im)
{
	Elf64_Ehdr wide = { .e_type = ET_DYN,
			    .e_machine = EM_X86_64,
			    .e_version = EV_CURRENT,
			    .e_phoff = 0x100,
			    .e_shoff = im->section_headers,
			    .e_ehsize = sizeof(Elf64_Ehdr),
			    .e_phentsize = sizeof(Elf64_Phdr),
			    .e_phnum = IMAGE_SEGMENTS,
			    .e_shentsize = sizeof(Elf64_Shdr),
			    .e_shnum = IMAGE_SECTIONS };
	Elf32_Ehdr narrow = { .e_type = ET_DYN,
			      .e_machine = EM_386,
			      .e_version = EV_CURRENT,
			      .e_phoff = 0x100,
			      .e_shoff = (uint32_t)im->section_headers,
			      .e_ehsize = sizeof(Elf32_Ehdr),
			      .e_phentsize = sizeof(Elf32_Phdr),
			      .e_phnum = IMAGE_SEGMENTS,
			      .e_shentsize = sizeof(Elf32_Shdr),
			      .e_shnum = IMAGE_SECTIONS };
	unsigned char ident[EI_NIDENT] = { 0x7f, 'E', 'L', 'F', 0, ELFDATA2LSB, EV_CURRENT };

	ident[EI_CLASS] = im->narrow ? ELFCLASS32 : ELFCLASS64;
	memcpy(wide.e_ident, ident, sizeof(ident));
	memcpy(narrow.e_ident, ident, sizeof(ident));
	if (im->narrow)
		memcpy(im->bytes.data, &narrow, sizeof(narrow));
	else
		memcpy(im->bytes.data, &wide, sizeof(wide));
}

/* Either list may be NULL. The caller releases im->bytes. */
static inline void image_make(struct image *im, bool narrow, const struct image_symbol *symtab,
			      const struct image_symbol *dynsym)
{
	static const unsigned char note[] = { 4,    0,    0,    0,    8,    0,    0,    0,
					      3,    0,    0,    0,    'G',  'N',  'U',  0,
					      0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };
	uint64_t at[2], size[2], names[2], names_size[2];
	uint64_t entsize = narrow ? sizeof(Elf32_Sym) : sizeof(Elf64_Sym);

	*im = (struct image){ .bytes = BUFFER_INIT(64 << 20), .narrow = narrow };
	memset(buffer_extend(&im->bytes, IMAGE_TABLES), 0, IMAGE_TABLES);
	memset(im->bytes.data + IMAGE_CODE_OFFSET, 0x90, IMAGE_DATA_OFFSET - IMAGE_CODE_OFFSET);
	memcpy(im->bytes.data + 0x200, note, sizeof(note));
	image_put_symbols(im, symtab, &at[0], &size[0], &names[0], &names_size[0]);
	image_put_symbols(im, dynsym, &at[1], &size[1], &names[1], &names_size[1]);
	im->section_headers = im->bytes.len;
	image_put_section(im, SHT_NULL, 0, 0, 0, 0, 0, 0);
	image_put_section(im, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, IMAGE_CODE,
			  IMAGE_CODE_OFFSET, 0x800, 0, 0);
	image_put_section(im, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, IMAGE_CODE + 0x800,
			  IMAGE_CODE_OFFSET + 0x800, 0x400, 0, 0);
	image_put_section(im, SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, IMAGE_DATA, IMAGE_DATA_OFFSET,
			  0x100, 0, 0);
	image_put_section(im, symtab ? SHT_SYMTAB : SHT_PROGBITS, 0, 0, at[0], size[0], 5, entsize);
	image_put_section(im, SHT_STRTAB, 0, 0, names[0], names_size[0], 0, 0);
	image_put_section(im, dynsym ? SHT_DYNSYM : SHT_PROGBITS, 0, 0, at[1], size[1], 7, entsize);
	image_put_section(im, SHT_STRTAB, 0, 0, names[1], names_size[1], 0, 0);
	image_put_segment(im, 0, PT_LOAD, PF_R | PF_X, IMAGE_CODE_OFFSET, IMAGE_CODE, 0x1000);
	image_put_segment(im, 1, PT_LOAD, PF_R | PF_W, IMAGE_DATA_OFFSET, IMAGE_DATA, 0x100);
	image_put_segment(im, 2, PT_NOTE, PF_R, 0x200, 0x400200, sizeof(note));
	image_put_header(im);
}

#endif
