/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF files with call frame information made by hand, so that a test says every byte that matters:
 *
 *	0       file header, three program headers
 *	0x1000  text, at vaddr 0x401000: 0x5000 bytes of int3, or what the test puts there
 *	0x6000  .eh_frame_hdr, at vaddr 0x410000; behind it .eh_frame or .debug_frame
 *	        the names of sections, section headers
 */
#ifndef TESTS_UNIT_SYMBOLIZER_FRAMES_H
#define TESTS_UNIT_SYMBOLIZER_FRAMES_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "profiler/base/buffer.h"

#define FRAMES_TEXT 0x401000u
#define FRAMES_TEXT_OFFSET 0x1000u
#define FRAMES_TEXT_BYTES 0x5000u
#define FRAMES_OFFSET 0x6000u
#define FRAMES_VADDR 0x410000u
#define FRAMES_INDEX_BYTES 12u

enum frames_shape {
	FRAMES_EH, /* .eh_frame, by its name */
	FRAMES_DEBUG, /* .debug_frame */
	FRAMES_HEADLESS, /* .eh_frame by PT_GNU_EH_FRAME, no section headers */
	FRAMES_GO, /* .eh_frame, and a section of Go's */
};

struct frames {
	struct buffer section;
	enum frames_shape shape;
	uint64_t cie; /* where the last one is */
	char padding; /* of entries; 0: nop */
	unsigned char text[FRAMES_TEXT_BYTES];
};

static inline void frames_init(struct frames *f, enum frames_shape shape)
{
	*f = (struct frames){ .shape = shape };
	buffer_init(&f->section, 8 << 20);
	memset(f->text, 0xcc, sizeof(f->text));
}

static inline void frames_u32(struct frames *f, uint32_t value)
{
	buffer_append(&f->section, &value, sizeof(value));
}

/* The length of the entry that begins at `start`. */
static inline void frames_close(struct frames *f, size_t start)
{
	uint32_t len;

	while (f->section.len % 8)
		buffer_append(&f->section, &f->padding, 1);
	len = (uint32_t)(f->section.len - start - sizeof(len));
	memcpy(f->section.data + start, &len, sizeof(len));
}

/* A CIE: what lies between its id and its end. */
static inline void frames_cie(struct frames *f, const void *content, size_t len)
{
	size_t start = f->section.len;

	f->cie = start;
	frames_u32(f, 0);
	frames_u32(f, f->shape == FRAMES_DEBUG ? UINT32_MAX : 0);
	buffer_append(&f->section, content, len);
	frames_close(f, start);
}

/* The one that compilers write: CFA rsp + 8, return address at CFA - 8. */
#define FRAMES_PROGRAM "\x0c\x07\x08\x90\x01"
static inline void frames_usual_cie(struct frames *f)
{
	static const char eh[] = "\1zR\0\1\x78\x10\1\x1b" FRAMES_PROGRAM;
	static const char debug[] = "\3\0\1\x78\x10" FRAMES_PROGRAM;

	if (f->shape == FRAMES_DEBUG)
		frames_cie(f, debug, sizeof(debug) - 1);
	else
		frames_cie(f, eh, sizeof(eh) - 1);
}

/* An FDE of the last CIE, which is a usual one. */
static inline void frames_fde(struct frames *f, uint64_t start, uint64_t size, const void *program,
			      size_t len)
{
	size_t at = f->section.len;

	frames_u32(f, 0);
	if (f->shape == FRAMES_DEBUG) {
		frames_u32(f, (uint32_t)f->cie);
		buffer_append(&f->section, &start, 8);
		buffer_append(&f->section, &size, 8);
	} else {
		frames_u32(f, (uint32_t)(at + 4 - f->cie));
		frames_u32(f, (uint32_t)(start - (FRAMES_VADDR + FRAMES_INDEX_BYTES + at + 8)));
		frames_u32(f, (uint32_t)size);
		buffer_append(&f->section, "", 1); /* no augmentation data */
	}
	buffer_append(&f->section, program, len);
	frames_close(f, at);
}

static inline void frames_put_sections(struct frames *f, struct buffer *out)
{
	static const char names[] = "\0.eh_frame\0.debug_frame\0.shstrtab\0.gopclntab";
	size_t at = out->len;
	Elf64_Shdr sections[4] = {
		{ .sh_type = SHT_NULL },
		{ .sh_name = f->shape == FRAMES_DEBUG ? 11 : 1,
		  .sh_type = SHT_PROGBITS,
		  .sh_addr = f->shape == FRAMES_DEBUG ? 0 : FRAMES_VADDR + FRAMES_INDEX_BYTES,
		  .sh_offset = FRAMES_OFFSET + FRAMES_INDEX_BYTES,
		  .sh_size = f->section.len },
		{ .sh_name = 24, .sh_type = SHT_STRTAB, .sh_offset = at, .sh_size = sizeof(names) },
		{ .sh_name = f->shape == FRAMES_GO ? 34 : 0, .sh_type = SHT_PROGBITS },
	};

	buffer_append(out, names, sizeof(names));
	((Elf64_Ehdr *)out->data)->e_shoff = out->len;
	buffer_append(out, sections, sizeof(sections));
}

/* The whole file. */
static inline void frames_put(struct frames *f, struct buffer *out)
{
	Elf64_Ehdr header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
			      .e_type = ET_DYN,
			      .e_machine = EM_X86_64,
			      .e_phoff = sizeof(header),
			      .e_phentsize = sizeof(Elf64_Phdr),
			      .e_phnum = 3,
			      .e_shentsize = sizeof(Elf64_Shdr),
			      .e_shnum = f->shape == FRAMES_HEADLESS ? 0 : 4,
			      .e_shstrndx = f->shape == FRAMES_HEADLESS ? 0 : 2 };
	Elf64_Phdr segments[3] = {
		{ PT_LOAD, PF_R | PF_X, FRAMES_TEXT_OFFSET, FRAMES_TEXT, 0, FRAMES_TEXT_BYTES,
		  FRAMES_TEXT_BYTES, 0x1000 },
		{ PT_LOAD, PF_R, FRAMES_OFFSET, FRAMES_VADDR, 0,
		  FRAMES_INDEX_BYTES + f->section.len, 0, 0x1000 },
		{ f->shape == FRAMES_HEADLESS ? PT_GNU_EH_FRAME : PT_NULL, PF_R, FRAMES_OFFSET,
		  FRAMES_VADDR, 0, FRAMES_INDEX_BYTES, 0, 4 },
	};
	const struct {
		uint8_t forms[4];
		int32_t frames;
		uint32_t count;
	} index = { { 1, 0x1b, 0x03, 0x3b }, FRAMES_INDEX_BYTES - 4, 0 };

	buffer_append(out, &header, sizeof(header));
	buffer_append(out, segments, sizeof(segments));
	while (out->len < FRAMES_TEXT_OFFSET)
		buffer_append(out, "", 1);
	buffer_append(out, f->text, sizeof(f->text));
	buffer_append(out, &index, sizeof(index));
	buffer_append(out, f->section.data, f->section.len);
	if (f->shape != FRAMES_HEADLESS)
		frames_put_sections(f, out);
}

/* A descriptor of it, or negative errno. Frees f. */
static inline int frames_file(struct frames *f)
{
	struct buffer out = BUFFER_INIT(16 << 20);
	int fd = memfd_create("frames", MFD_CLOEXEC);

	frames_put(f, &out);
	if (buffer_error(&out) || (fd >= 0 && fd_write_all(fd, out.data, out.len) < 0))
		fd = -1;
	buffer_release(&out);
	buffer_release(&f->section);
	return fd;
}

#endif
