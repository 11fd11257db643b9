/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ELF file as far as names need it: its loadable segments, where its code is, its symbol tables,
 * its build id, and where its sections are.
 *
 * Executables and shared objects of this machine's byte order, 32 or 64 bits; with or without
 * section headers. The file may be truncated, may lie, and may change while it is read: nothing in
 * it is believed, only what it says is left out and `damaged` or `too_large` set. Memory is bounded
 * by the constants below, whatever the file says.
 */
#ifndef SYMBOLIZER_ELF_FILE_H
#define SYMBOLIZER_ELF_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/array.h"
#include "symbolizer/protocol.h"

#define ELF_MAX_SEGMENTS 1024u /* chromium has 12 */
#define ELF_MAX_SECTIONS (1u << 18)
#define ELF_MAX_CODE_RANGES 65536u
#define ELF_MAX_SYMBOLS (32u << 20) /* chromium, not stripped: about 3 M */

/* A loadable segment; only what has bytes in the file. vaddr + size doesn't wrap. */
struct elf_segment {
	uint64_t offset, size, vaddr;
	bool executable;
};

struct elf_range {
	uint64_t start, limit; /* vaddr */
};

/* A symbol table and its strings, both within the file. count 0: there is none. */
struct elf_table {
	uint64_t offset, count;
	uint64_t names_offset, names_bytes;
};

/* Bytes of the file, and where they are loaded. bytes 0: there are none. */
struct elf_place {
	uint64_t offset, bytes, vaddr;
};

/* Where the section headers are. count 0: there are none. */
struct elf_headers {
	uint64_t offset, count;
	uint64_t names; /* number of the section that has their names */
};

struct elf_file {
	int fd; /* borrowed; -1 if it is `bytes` */
	const char *bytes; /* borrowed; NULL if it is a file */
	uint64_t size;
	bool wide; /* ELFCLASS64 */
	uint16_t machine; /* e_machine */
	struct elf_headers headers;
	bool damaged, too_large;
	ARRAY(struct elf_segment) segments;
	ARRAY(struct elf_range) code; /* sections of code, or else executable segments; by start */
	struct elf_table symtab, dynsym;
	struct elf_place frames_index; /* .eh_frame_hdr */
	unsigned char build_id[SYMBOLS_MAX_BUILD_ID_BYTES];
	uint32_t build_id_bytes;
};

/*
 * 0; -ENOEXEC: no ELF file of this machine that can be loaded; -ENOMEM. In every case
 * elf_file_release() may be called, as on a zeroed one.
 */
int elf_file_open(struct elf_file *f, int fd);
/* The same of one that nobody loads and that holds no code, too: dwz's alternate files are of type ET_REL. */
int elf_file_open_alternate(struct elf_file *f, int fd);
/* The same of an image in memory, which must outlive it. */
int elf_file_open_bytes(struct elf_file *f, const char *bytes, size_t len);
void elf_file_release(struct elf_file *f);

/*
 * The segment that has the byte at this file offset, an executable one if there are several, or
 * NULL.
 */
const struct elf_segment *elf_file_segment(const struct elf_file *f, uint64_t offset);

/* The range of code that has this address, or NULL. */
const struct elf_range *elf_file_code(const struct elf_file *f, uint64_t vaddr);

/* Reads exactly `len` bytes, or sets `damaged` and returns false. */
bool elf_file_read(struct elf_file *f, uint64_t offset, void *ret_bytes, size_t len);

/* The same, by address in an executable segment. */
bool elf_file_read_code(struct elf_file *f, uint64_t vaddr, void *ret_bytes, size_t len);

/* A table of `count` equal entries, read in pieces: memory doesn't grow with the table. */
struct elf_cursor {
	struct elf_file *file;
	uint64_t offset, left; /* of what isn't in `bytes` yet */
	uint32_t entry_bytes, position, filled;
	_Alignas(8) char bytes[48u << 10];
};

/* What of the table lies beyond the end of the file is left out, and the file damaged. */
void elf_cursor_init(struct elf_cursor *c, struct elf_file *f, uint64_t offset, uint64_t count,
		     uint32_t entry_bytes);
bool elf_cursor_fill(struct elf_cursor *c);

/* The next entry, valid until the next call; NULL at the end. */
static inline const void *elf_cursor_next(struct elf_cursor *c)
{
	const void *entry;

	if (c->position == c->filled && !elf_cursor_fill(c))
		return NULL;
	entry = c->bytes + c->position;
	c->position += c->entry_bytes;
	return entry;
}

static inline uint32_t elf_symbol_bytes(const struct elf_file *f)
{
	return f->wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
}

/* Over the section headers, whose entries elf_section_decode() reads. */
void elf_cursor_sections(struct elf_cursor *c, struct elf_file *f);
Elf64_Shdr elf_section_decode(const struct elf_file *f, const void *entry);

/*
 * The beginning of a section's name: at most `size` - 1 bytes, always terminated; "" if there is none. Sets
 * `damaged` if it should be there and isn't.
 */
void elf_section_name(struct elf_file *f, const Elf64_Shdr *s, char *ret, size_t size);

/* An entry of a symbol table in either class. */
Elf64_Sym elf_symbol_decode(const struct elf_file *f, const void *entry);

/*
 * Sets f->dynsym from PT_DYNAMIC at `offset`, for files without section headers. In elf_dynamic.c.
 */
void elf_dynamic_read(struct elf_file *f, uint64_t offset, uint64_t bytes);

#endif
