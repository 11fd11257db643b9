// SPDX-License-Identifier: Apache-2.0
/*
 * Sections are read whole, as references go anywhere in them, and by pread: a file that is cut short under a
 * mapping is a SIGBUS. What one becomes when it is decompressed is what its header says, or it is damaged:
 * nothing grows while it is read.
 *
 * Refused: libdw. It opens files by itself, keeps what it likes for as long as the file is open, knows no zstd
 * (elfutils 0.188), and takes twice the time (docs/decisions/0012).
 */
#include "symbolizer/dwarf_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <zlib.h>
#include <zstd.h>

#define MAX_NAMES_BYTES 65536u
#define LARGE_PAGE_BYTES (2ul << 20)
#define MAX_HEADERS 65536u
#define ZDEBUG_HEADER_BYTES 12u /* "ZLIB", and the size as eight bytes, the highest first */

#ifndef ELFCOMPRESS_ZSTD
#define ELFCOMPRESS_ZSTD 2
#endif

static const char *const names[DWARF_SECTION_COUNT] = {
	[DWARF_INFO] = "info",
	[DWARF_ABBREV] = "abbrev",
	[DWARF_STR] = "str",
	[DWARF_LINE] = "line",
	[DWARF_LINE_STR] = "line_str",
	[DWARF_RANGES] = "ranges",
	[DWARF_RNGLISTS] = "rnglists",
	[DWARF_ADDR] = "addr",
	[DWARF_STR_OFFSETS] = "str_offsets",
};

struct scan {
	struct dwarf_file *file;
	size_t max_bytes;
	Elf64_Shdr found[DWARF_SECTION_COUNT]; /* sh_type 0: not there */
	bool old[DWARF_SECTION_COUNT]; /* .zdebug_… */
	uint32_t name_bytes;
	char names[MAX_NAMES_BYTES + 1];
};

enum compression { COMPRESSION_NONE, COMPRESSION_ZLIB, COMPRESSION_ZSTD };

static void section_note(struct scan *s, const Elf64_Shdr *h)
{
	const char *name = h->sh_name < s->name_bytes ? s->names + h->sh_name : "";
	bool old = strncmp(name, ".zdebug_", 8) == 0;

	if (strcmp(name, ".gnu_debugaltlink") == 0)
		s->file->needs_alternate = true;
	if (h->sh_type == SHT_NOBITS || (!old && strncmp(name, ".debug_", 7) != 0))
		return;
	for (uint32_t i = 0; i < DWARF_SECTION_COUNT; i++) {
		if (s->found[i].sh_type || strcmp(name + (old ? 8 : 7), names[i]) != 0)
			continue;
		s->found[i] = *h;
		s->old[i] = old;
	}
}

/* Section headers number `e->e_shnum`, or as section 0 says (gABI, "e_shnum", "e_shstrndx"). */
static int sections_find(struct scan *s)
{
	struct elf_file *f = &s->file->elf;
	struct elf_cursor cursor;
	const void *entry;
	uint64_t count, number;
	Elf64_Shdr h = { 0 };
	Elf64_Ehdr e;

	if (!elf_file_read(f, 0, &e, sizeof(e)) || memcmp(e.e_ident, ELFMAG, SELFMAG) != 0 ||
	    e.e_ident[EI_CLASS] != ELFCLASS64 || e.e_ident[EI_DATA] != ELFDATA2LSB ||
	    e.e_machine != EM_X86_64)
		return -ENOEXEC;
	if (!e.e_shoff || e.e_shoff > f->size || e.e_shentsize != sizeof(Elf64_Shdr))
		return -ENODATA;
	if (!elf_file_read(f, e.e_shoff, &h, sizeof(h)))
		return -ENODATA;
	count = e.e_shnum ? e.e_shnum : h.sh_size;
	number = e.e_shstrndx == SHN_XINDEX ? h.sh_link : e.e_shstrndx;
	if (number >= count || number >= MAX_HEADERS ||
	    !elf_file_read(f, e.e_shoff + number * sizeof(h), &h, sizeof(h)))
		return -ENODATA;
	s->name_bytes = h.sh_size < MAX_NAMES_BYTES ? (uint32_t)h.sh_size : MAX_NAMES_BYTES;
	if (!elf_file_read(f, h.sh_offset, s->names, s->name_bytes))
		return -ENODATA;
	s->names[s->name_bytes] = '\0';
	elf_cursor_init(&cursor, f, e.e_shoff, count < MAX_HEADERS ? count : MAX_HEADERS,
			sizeof(h));
	while ((entry = elf_cursor_next(&cursor))) {
		memcpy(&h, entry, sizeof(h));
		section_note(s, &h);
	}
	return s->found[DWARF_INFO].sh_type ? 0 : -ENODATA;
}

/* ---- one section ---- */

/* How it is compressed, how long its header is, and what it becomes. */
static int compression_read(struct scan *s, const Elf64_Shdr *h, bool old, enum compression *ret,
			    uint64_t *ret_header, uint64_t *ret_bytes)
{
	struct elf_file *f = &s->file->elf;
	unsigned char z[ZDEBUG_HEADER_BYTES];
	Elf64_Chdr c;

	*ret = COMPRESSION_NONE;
	*ret_header = 0;
	*ret_bytes = h->sh_size;
	if (h->sh_flags & SHF_COMPRESSED) {
		if (h->sh_size < sizeof(c) || !elf_file_read(f, h->sh_offset, &c, sizeof(c)))
			return -EINVAL;
		if (c.ch_type != ELFCOMPRESS_ZLIB && c.ch_type != ELFCOMPRESS_ZSTD)
			return -EINVAL;
		*ret = c.ch_type == ELFCOMPRESS_ZLIB ? COMPRESSION_ZLIB : COMPRESSION_ZSTD;
		*ret_header = sizeof(c);
		*ret_bytes = c.ch_size;
	} else if (old) {
		if (h->sh_size < sizeof(z) || !elf_file_read(f, h->sh_offset, z, sizeof(z)) ||
		    memcmp(z, "ZLIB", 4) != 0)
			return -EINVAL;
		*ret = COMPRESSION_ZLIB;
		*ret_header = sizeof(z);
		*ret_bytes = 0;
		for (uint32_t i = 4; i < sizeof(z); i++)
			*ret_bytes = *ret_bytes << 8 | z[i];
	}
	return 0;
}

static bool zlib_decompress(const uint8_t *from, size_t len, uint8_t *ret_bytes, size_t bytes)
{
	z_stream z = { .next_in = (Bytef *)from, .next_out = ret_bytes };
	size_t in_left = len, out_left = bytes;
	int r = inflateInit(&z);

	/* Its counters have 32 bits. */
	while (r == Z_OK) {
		uInt in = in_left < 1u << 30 ? (uInt)in_left : 1u << 30;
		uInt out = out_left < 1u << 30 ? (uInt)out_left : 1u << 30;

		z.avail_in = in;
		z.avail_out = out;
		r = inflate(&z, Z_NO_FLUSH);
		in_left -= in - z.avail_in;
		out_left -= out - z.avail_out;
	}
	inflateEnd(&z);
	return r == Z_STREAM_END && out_left == 0;
}

static bool decompress(enum compression c, const uint8_t *from, size_t len, uint8_t *ret_bytes,
		       size_t bytes)
{
	if (c == COMPRESSION_ZLIB)
		return zlib_decompress(from, len, ret_bytes, bytes);
	return ZSTD_decompress(ret_bytes, bytes, from, len) == bytes;
}

/* Large pages, if the machine gives them: tens of MB are not worth a fault for each 4 KiB. */
static uint8_t *room_for(uint64_t bytes)
{
	uint8_t *room = malloc(bytes + 1), *start, *end;

	if (room && bytes >= 2 * LARGE_PAGE_BYTES) {
		start = (uint8_t *)(((uintptr_t)room + 4095) & ~4095ul);
		end = room + bytes;
		madvise(start, (size_t)(end - start) & ~4095ul, MADV_HUGEPAGE);
	}
	return room;
}

/* 0; -EINVAL: it is damaged, and left out. */
static int section_load(struct scan *s, const Elf64_Shdr *h, bool old, struct dwarf_section *ret)
{
	struct elf_file *f = &s->file->elf;
	enum compression compression;
	uint64_t header, bytes, stored;
	uint8_t *raw, *whole;
	bool good;

	if (h->sh_offset > f->size || h->sh_size > f->size - h->sh_offset ||
	    compression_read(s, h, old, &compression, &header, &bytes) < 0)
		return -EINVAL;
	stored = h->sh_size - header;
	if (bytes > s->max_bytes - s->file->bytes ||
	    (compression != COMPRESSION_NONE && stored > s->max_bytes - s->file->bytes - bytes))
		return -E2BIG;
	whole = room_for(bytes);
	if (!whole)
		return -ENOMEM;
	raw = compression == COMPRESSION_NONE ? whole : malloc(stored + 1);
	if (!raw) {
		free(whole);
		return -ENOMEM;
	}
	good = elf_file_read(f, h->sh_offset + header, raw, stored);
	if (good && raw != whole) {
		good = decompress(compression, raw, stored, whole, bytes);
		s->file->compressed = true;
	}
	if (raw != whole)
		free(raw);
	if (!good) {
		free(whole);
		return -EINVAL;
	}
	whole[bytes] = '\0';
	*ret = (struct dwarf_section){ .bytes = whole, .len = bytes };
	s->file->bytes += bytes;
	return 0;
}

static int sections_load(struct scan *s)
{
	struct dwarf_file *f = s->file;
	int r = 0;

	for (uint32_t i = 0; i < DWARF_SECTION_COUNT && r == 0; i++) {
		if (!s->found[i].sh_type)
			continue;
		r = section_load(s, &s->found[i], s->old[i], &f->sections[i]);
		if (r == -EINVAL) {
			f->elf.damaged = true;
			r = 0;
		}
	}
	return r;
}

int dwarf_file_open(struct dwarf_file *f, int fd, bool alternate, size_t max_bytes)
{
	struct scan *s;
	int r;

	*f = (struct dwarf_file){ 0 };
	r = alternate ? elf_file_open_alternate(&f->elf, fd) : elf_file_open(&f->elf, fd);
	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->file = f;
	s->max_bytes = max_bytes;
	r = sections_find(s);
	if (r == 0)
		r = sections_load(s);
	free(s);
	return r;
}

void dwarf_file_release(struct dwarf_file *f)
{
	for (uint32_t i = 0; i < DWARF_SECTION_COUNT; i++)
		free(f->sections[i].bytes);
	elf_file_release(&f->elf);
	*f = (struct dwarf_file){ 0 };
}
