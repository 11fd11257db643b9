// SPDX-License-Identifier: Apache-2.0
/*
 * Sections are packed by zlib while they are made, at a thousandth of their size: what they become is nowhere in memory.
 * ".zdebug_…" rather than SHF_COMPRESSED, as there the name says it all.
 */
#include "tests/hostile/bomb.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "tests/unit/symbolizer_sections.h"

#define SECTIONS 4u

enum part { INFO, ABBREV, EXTRA };

static const char *const names[] = { ".zdebug_info", ".zdebug_abbrev" };

/* A section while it is packed: what it becomes is nowhere in memory. */
struct packer {
	struct buffer packed;
	z_stream z;
	uint64_t size;
};

struct fuse {
	uint64_t bytes; /* that a section may become */
	struct packer parts[EXTRA + 1];
	const char *extra; /* name of the last */
	uint64_t claimed_zstd; /* .debug_info says that it is of this size, by zstd; 0: it isn't */
};

/* ---- packing ---- */

static void packer_run(struct packer *p, const void *bytes, size_t len, int flush)
{
	unsigned char out[4096];

	p->z.next_in = (Bytef *)bytes;
	p->z.avail_in = (uInt)len;
	do {
		p->z.next_out = out;
		p->z.avail_out = sizeof(out);
		assert_true(deflate(&p->z, flush) >= 0);
		buffer_append(&p->packed, out, sizeof(out) - p->z.avail_out);
	} while (p->z.avail_out == 0);
	p->size += len;
}

static void put(struct fuse *b, enum part part, const void *bytes, size_t len)
{
	struct packer *p = &b->parts[part];

	if (!p->packed.max) {
		buffer_init(&p->packed, 48 << 20);
		buffer_append(&p->packed, "ZLIB\0\0\0\0\0\0\0\0", 12);
		assert_int_equal(deflateInit(&p->z, 1), Z_OK);
	}
	packer_run(p, bytes, len, Z_NO_FLUSH);
}

/* The same bytes over and over, up to `total`. */
static void put_many(struct fuse *b, enum part part, const void *bytes, size_t len, uint64_t total)
{
	char block[64 << 10];
	size_t full = sizeof(block) / len * len;

	for (size_t i = 0; i < full; i += len)
		memcpy(block + i, bytes, len);
	for (uint64_t done = 0; done + len <= total;) {
		size_t n = total - done < full ? (size_t)((total - done) / len * len) : full;

		put(b, part, block, n);
		done += n;
	}
}

#define PUT(b, part, text) put(b, part, text, sizeof(text) - 1)
#define PUT_MANY(b, part, text, total) put_many(b, part, text, sizeof(text) - 1, total)

static void packer_end(struct packer *p)
{
	packer_run(p, NULL, 0, Z_FINISH);
	for (uint32_t i = 0; i < 8; i++)
		p->packed.data[4 + i] = (char)(p->size >> (56 - 8 * i));
	deflateEnd(&p->z);
	assert_int_equal(buffer_error(&p->packed), 0);
}

/* DWARF 4, the abbreviations at `abbrevs`; `len`: of what is behind the header. */
static void put_unit(struct fuse *b, uint32_t len, uint32_t abbrevs)
{
	struct __attribute__((packed)) {
		uint32_t length;
		uint16_t version;
		uint32_t abbrevs;
		uint8_t address_bytes;
	} head = { len + 7, 4, abbrevs, 8 };

	put(b, INFO, &head, sizeof(head));
}

/* ---- bombs ---- */

/* 1: a unit; 2: anything with children; 3: a function of this name, at this address, so long. */
#define ABBREVS                                                                    \
	"\x01\x11\x01\x00\x00"                                                     \
	"\x02\x34\x01\x00\x00"                                                     \
	"\x03\x2e\x00\x03\x0e\x11\x01\x12\x0b\x00\x00"                             \
	"\x04\x2e\x00\x03\x08\x00\x00" /* a function that is nothing but a name */ \
	"\x05\x2e\x00\x31\x13\x11\x01\x12\x0b\x00\x00" /* one of another's name */ \
	"\x06\x2e\x00\x55\x17\x00\x00" /* one of many ranges */                    \
	"\x07\x11\x01\x10\x17\x00\x00" /* a unit with lines */                     \
	"\x00"
#define ADDRESS "\x00\x10\x40\x00\x00\x00\x00\x00"

static void units_of_nothing(struct fuse *b)
{
	PUT_MANY(b, INFO, "\0", b->bytes);
	PUT(b, ABBREV, ABBREVS);
}

static void million_units(struct fuse *b)
{
	PUT_MANY(b, INFO, "\x08\0\0\0\x04\0\0\0\0\0\x08\x01", 12ull << 20);
	PUT(b, ABBREV, ABBREVS);
}

static void deep_tree(struct fuse *b)
{
	put_unit(b, (uint32_t)b->bytes, 0);
	PUT(b, INFO, "\x01");
	PUT_MANY(b, INFO, "\x02", b->bytes - 1);
	PUT(b, ABBREV, ABBREVS);
}

static void many_abbreviations(struct fuse *b)
{
	put_unit(b, 1, 0);
	PUT(b, INFO, "\x01");
	PUT_MANY(b, ABBREV, "\x01\x11\x01\x00\x00", b->bytes);
}

/* Each unit's table begins within one number, which is as long as the section. */
static void endless_abbreviation(struct fuse *b)
{
	for (uint32_t i = 0; i < 200000; i++) {
		put_unit(b, 1, i);
		PUT(b, INFO, "\x01");
	}
	PUT_MANY(b, ABBREV, "\x80", b->bytes);
}

/* References to places within one name that never ends. */
static void endless_name(struct fuse *b)
{
	const uint32_t functions = 1u << 20, each = 14, at = 12 + functions * each;

	put_unit(b, 1 + functions * each + (uint32_t)b->bytes, 0);
	PUT(b, INFO, "\x01");
	for (uint32_t i = 0; i < functions; i++) {
		uint32_t to = at + i;

		PUT(b, INFO, "\x05");
		put(b, INFO, &to, sizeof(to));
		PUT(b, INFO, ADDRESS "\x01");
	}
	PUT_MANY(b, INFO, "\x04", b->bytes);
	PUT(b, ABBREV, ABBREVS);
}

static void same_long_name(struct fuse *b)
{
	put_unit(b, 1 + (uint32_t)(b->bytes / 14 * 14), 0);
	PUT(b, INFO, "\x01");
	PUT_MANY(b, INFO, "\x03\0\0\0\0" ADDRESS "\x01", b->bytes);
	PUT(b, ABBREV, ABBREVS);
	b->extra = ".zdebug_str";
	PUT_MANY(b, EXTRA, "a", 1 << 20);
}

/* Names that are each another piece of one long string. */
static void long_names(struct fuse *b)
{
	const uint32_t functions = 1u << 20;

	put_unit(b, 1 + functions * 14, 0);
	PUT(b, INFO, "\x01");
	for (uint32_t i = 0; i < functions; i++) {
		PUT(b, INFO, "\x03");
		put(b, INFO, &i, sizeof(i));
		PUT(b, INFO, ADDRESS "\x01");
	}
	PUT(b, ABBREV, ABBREVS);
	b->extra = ".zdebug_str";
	for (uint32_t i = 0; i < 1u << 18; i++)
		put(b, EXTRA, (const uint32_t[]){ i | 0x01010101 }, 4);
}

/* Each function is named by the next, and the last by the first. */
static void circle(struct fuse *b)
{
	const uint32_t functions = 1u << 20, each = 14;

	put_unit(b, 1 + functions * each, 0);
	PUT(b, INFO, "\x01");
	for (uint32_t i = 0; i < functions; i++) {
		uint32_t to = 12 + (i + 1) % functions * each;

		PUT(b, INFO, "\x05");
		put(b, INFO, &to, sizeof(to));
		PUT(b, INFO, ADDRESS "\x01");
	}
	PUT(b, ABBREV, ABBREVS);
}

/* Many functions, each with the same million ranges. */
static void many_ranges(struct fuse *b)
{
	const uint64_t functions = 1u << 20;

	put_unit(b, 1 + (uint32_t)functions * 5, 0);
	PUT(b, INFO, "\x01");
	PUT_MANY(b, INFO, "\x06\0\0\0\0", functions * 5);
	PUT(b, ABBREV, ABBREVS);
	b->extra = ".zdebug_ranges";
	PUT_MANY(b, EXTRA, ADDRESS "\x20\x10\x40\x00\x00\x00\x00\x00", 16ull << 20);
	PUT_MANY(b, EXTRA, "\0", 16);
}

/* A row for each byte: the next address, the next line. */
static void many_rows(struct fuse *b)
{
	static const char head[] = "\x04\x00" /* version */
				   "\x0d\x00\x00\x00" /* length of what follows */
				   "\x01\x01\x01\x01\x0e\x01" /* …, range 14, no standard opcodes */
				   "\x00" /* no directories */
				   "f\x00\x00\x00\x00\x00";
	const uint32_t len = (uint32_t)(sizeof(head) - 1 + 11 + b->bytes + 3);

	put_unit(b, 5, 0);
	PUT(b, INFO, "\x07\0\0\0\0");
	PUT(b, ABBREV, ABBREVS);
	b->extra = ".zdebug_line";
	put(b, EXTRA, &len, sizeof(len));
	PUT(b, EXTRA, head);
	PUT(b, EXTRA, "\x00\x09\x02" ADDRESS);
	put_many(b, EXTRA, "\x0f\x10", 2, b->bytes); /* an address further on, and 1 or 2 lines */
	PUT(b, EXTRA, "\x00\x01\x01");
}

static void claimed(struct fuse *b)
{
	PUT(b, INFO, "nothing");
	PUT(b, ABBREV, ABBREVS);
	b->claimed_zstd = 100ull << 30;
}

const struct bomb bombs[] = {
	{ "100 GiB by zstd", claimed, false },
	{ "units of nothing", units_of_nothing, false },
	{ "a million units", million_units, false },
	{ "a deep tree", deep_tree, false },
	{ "many abbreviations", many_abbreviations, false },
	{ "an endless number", endless_abbreviation, false },
	{ "an endless name", endless_name, false },
	{ "one long name", same_long_name, true },
	{ "long names", long_names, false },
	{ "a circle", circle, true },
	{ "many ranges", many_ranges, false },
	{ "many rows", many_rows, true },
};

const size_t bomb_count = sizeof(bombs) / sizeof(bombs[0]);

/* ---- the file ---- */

/* The first section behind .text becomes one that says it is so long. */
static void claim_zstd(struct buffer *file, uint64_t size)
{
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)file->data;
	Elf64_Shdr *h = (Elf64_Shdr *)(file->data + e->e_shoff) + 2;
	const Elf64_Chdr c = { .ch_type = 2, .ch_size = size, .ch_addralign = 1 };

	h->sh_flags |= SHF_COMPRESSED;
	h->sh_size = sizeof(c) + 9;
	memcpy(file->data + h->sh_offset, &c, sizeof(c));
}

int bomb_make(const struct bomb *bomb, uint64_t bytes)
{
	struct fuse b = { .bytes = bytes };
	struct section list[SECTIONS] = { { 0 } };
	int fd = memfd_create("bomb", MFD_CLOEXEC);
	uint32_t count = 0;
	struct buffer file;

	bomb->make(&b);
	for (uint32_t i = 0; i <= EXTRA; i++) {
		struct packer *p = &b.parts[i];

		if (!p->packed.max)
			continue;
		packer_end(p);
		list[count++] = (struct section){ .name = i == EXTRA ? b.extra
							  : b.claimed_zstd && i == INFO
								  ? ".debug_info"
								  : names[i],
						  .type = SHT_PROGBITS,
						  .bytes = p->packed.data,
						  .len = p->packed.len };
	}
	file = sections_make(list);
	assert_int_equal(buffer_error(&file), 0);
	if (b.claimed_zstd)
		claim_zstd(&file, b.claimed_zstd);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, file.data, file.len), file.len);
	for (uint32_t i = 0; i <= EXTRA; i++)
		buffer_release(&b.parts[i].packed);
	buffer_release(&file);
	return fd;
}
