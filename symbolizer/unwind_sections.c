// SPDX-License-Identifier: Apache-2.0
/*
 * By the names of sections; without section headers, by PT_GNU_EH_FRAME, whose .eh_frame_hdr begins
 * with the address of .eh_frame, and by Go's note in PT_NOTE.
 *
 * Only names in the first 64 KiB of names are looked at: those of a linked file are some dozens.
 */
#include "symbolizer/unwind_sections.h"

#include <errno.h>
#include <string.h>

#define MAX_NAMES_BYTES 65536u
#define MAX_HEADERS 16384u

#define FORM_PCREL_SDATA4 0x1b /* DW_EH_PE_pcrel | DW_EH_PE_sdata4: all linkers write it so */
#define FRAMES_INDEX_VERSION 1

#ifndef SHT_X86_64_UNWIND
#define SHT_X86_64_UNWIND 0x70000001
#endif

/* The names of sections, NUL-terminated whatever the file says. */
struct names {
	uint32_t bytes;
	char text[MAX_NAMES_BYTES + 1];
};

static const char *name_of(const struct names *names, const Elf64_Shdr *s)
{
	return s->sh_name < names->bytes ? names->text + s->sh_name : "";
}

static void names_read(struct elf_file *f, const Elf64_Ehdr *e, struct names *ret)
{
	uint64_t number = e->e_shstrndx;
	Elf64_Shdr s;

	ret->bytes = 0;
	/*
	 * Where there are too many sections for 16 bits, it is in section 0 (gABI, "e_shstrndx").
	 */
	if (number == SHN_XINDEX && elf_file_read(f, e->e_shoff, &s, sizeof(s)))
		number = s.sh_link;
	if (number >= MAX_HEADERS || e->e_shoff > f->size ||
	    !elf_file_read(f, e->e_shoff + number * sizeof(s), &s, sizeof(s)) ||
	    s.sh_type != SHT_STRTAB)
		return;
	ret->bytes = s.sh_size < MAX_NAMES_BYTES ? (uint32_t)s.sh_size : MAX_NAMES_BYTES;
	if (!elf_file_read(f, s.sh_offset, ret->text, ret->bytes))
		ret->bytes = 0;
	ret->text[ret->bytes] = 0;
}

/* The section's bytes; damaged if they aren't all in the file. */
static void place_set(struct elf_file *f, const Elf64_Shdr *s, struct elf_place *ret)
{
	/* In a file of debug information only, what is loaded has no bytes. */
	if (s->sh_type == SHT_NOBITS || ret->bytes)
		return;
	if (s->sh_offset > f->size || s->sh_size > f->size - s->sh_offset) {
		f->damaged = true;
		return;
	}
	*ret = (struct elf_place){ s->sh_offset, s->sh_size, s->sh_addr };
}

static void section_note_go(struct elf_file *f, const Elf64_Shdr *s, struct unwind_sections *ret)
{
	ret->go = true;
	place_set(f, s, &ret->go_table);
}

static void section_note(struct elf_file *f, const char *name, const Elf64_Shdr *s,
			 struct unwind_sections *ret)
{
	if (strcmp(name, ".eh_frame") == 0)
		place_set(f, s, &ret->eh_frame);
	else if (strcmp(name, ".debug_frame") == 0 && s->sh_flags & SHF_COMPRESSED)
		ret->compressed = true;
	else if (strcmp(name, ".debug_frame") == 0)
		place_set(f, s, &ret->debug_frame);
	else if (strcmp(name, ".gopclntab") == 0 || strcmp(name, ".data.rel.ro.gopclntab") == 0)
		section_note_go(f, s, ret);
	else if (strcmp(name, ".note.go.buildid") == 0)
		ret->go = true;
}

static void by_names(struct elf_file *f, const Elf64_Ehdr *e, struct unwind_sections *ret)
{
	struct elf_cursor cursor;
	struct names names;
	const void *entry;
	uint64_t count = e->e_shnum ? e->e_shnum : MAX_HEADERS;

	if (!e->e_shoff || e->e_shentsize != sizeof(Elf64_Shdr))
		return;
	names_read(f, e, &names);
	/*
	 * Counts that don't fit into e_shnum are in section 0; what is behind the last has no name.
	 */
	if (!e->e_shnum) {
		Elf64_Shdr first;

		if (!elf_file_read(f, e->e_shoff, &first, sizeof(first)))
			return;
		count = first.sh_size;
	}
	elf_cursor_init(&cursor, f, e->e_shoff, count < MAX_HEADERS ? count : MAX_HEADERS,
			sizeof(Elf64_Shdr));
	while ((entry = elf_cursor_next(&cursor))) {
		Elf64_Shdr s;

		memcpy(&s, entry, sizeof(s));
		section_note(f, name_of(&names, &s), &s, ret);
	}
}

/* .eh_frame by .eh_frame_hdr: version, three encodings, then the address. */
static void by_frames_index(struct elf_file *f, struct unwind_sections *ret)
{
	struct {
		uint8_t version, frames_form, count_form, table_form;
		int32_t frames;
	} h;
	uint64_t vaddr;

	if (f->frames_index.bytes < sizeof(h) ||
	    !elf_file_read(f, f->frames_index.offset, &h, sizeof(h)) ||
	    h.version != FRAMES_INDEX_VERSION || h.frames_form != FORM_PCREL_SDATA4)
		return;
	vaddr = f->frames_index.vaddr + offsetof(__typeof__(h), frames) +
		(uint64_t)(int64_t)h.frames;
	for (uint32_t i = 0; i < f->segments.count; i++) {
		const struct elf_segment *s = &f->segments.items[i];
		uint64_t within = vaddr - s->vaddr, offset = s->offset + within;

		if (vaddr < s->vaddr || within >= s->size || offset >= f->size)
			continue;
		ret->eh_frame = (struct elf_place){ offset, s->size - within, vaddr };
		if (ret->eh_frame.bytes > f->size - offset)
			ret->eh_frame.bytes = f->size - offset;
		ret->terminated = true;
		return;
	}
	f->damaged = true;
}

/* Is there a note of Go's among these? All are of 4-byte words; Go's comes first, alone. */
static bool go_note(struct elf_file *f, const Elf64_Phdr *p)
{
	struct {
		Elf64_Nhdr head;
		char name[4];
	} note;

	return p->p_filesz >= sizeof(note) && elf_file_read(f, p->p_offset, &note, sizeof(note)) &&
	       note.head.n_namesz == 4 && memcmp(note.name, "Go\0", 4) == 0;
}

static void by_notes(struct elf_file *f, const Elf64_Ehdr *e, struct unwind_sections *ret)
{
	struct elf_cursor cursor;
	const void *entry;

	if (e->e_phentsize != sizeof(Elf64_Phdr) || e->e_phnum == PN_XNUM)
		return;
	elf_cursor_init(&cursor, f, e->e_phoff, e->e_phnum, sizeof(Elf64_Phdr));
	while ((entry = elf_cursor_next(&cursor))) {
		Elf64_Phdr p;

		memcpy(&p, entry, sizeof(p));
		ret->go |= p.p_type == PT_NOTE && go_note(f, &p);
	}
}

int unwind_sections_find(struct elf_file *f, struct unwind_sections *ret)
{
	Elf64_Ehdr e;

	*ret = (struct unwind_sections){ 0 };
	if (!f->wide || !elf_file_read(f, 0, &e, sizeof(e)) || e.e_machine != EM_X86_64)
		return -ENOEXEC;
	by_names(f, &e, ret);
	if (!ret->eh_frame.bytes)
		by_frames_index(f, ret);
	if (!ret->go)
		by_notes(f, &e, ret);
	return 0;
}
