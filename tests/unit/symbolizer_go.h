/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF files with a table of Go's made by hand, as each of its versions has it, and nothing else by which the
 * table could be found:
 *
 *	0       file header, three program headers; at 0x200 Go's note
 *	0x1000  text, at vaddr 0x401000: 0x1000 bytes of int3, or what the test puts there
 *	0x2000  at vaddr 0x403000: 8 bytes of something else, then the table
 */
#ifndef TESTS_UNIT_SYMBOLIZER_GO_H
#define TESTS_UNIT_SYMBOLIZER_GO_H

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "profiler/base/buffer.h"

#define GO_TEXT 0x401000u
#define GO_TEXT_OFFSET 0x1000u
#define GO_TEXT_BYTES 0x1000u
#define GO_TABLE_OFFSET 0x2008u
#define GO_TABLE 0x403008u
#define GO_TEXT_WORD 24u /* where in the table the start of the text is, since Go 1.18 */

enum go_version { GO_1_2, GO_1_16, GO_1_18, GO_1_20, GO_VERSIONS };

struct go_made {
	const char *name; /* NULL ends a list, whose last start is the end of the one before */
	uint32_t start; /* in the text */
	const char *frames, *files, *lines; /* programs, with their terminator; NULL: none */
	unsigned char flags;
};

struct go_file {
	enum go_version version;
	struct buffer table;
	unsigned char text[GO_TEXT_BYTES];
};

static inline void go_put(struct go_file *g, uint64_t value, size_t len)
{
	buffer_append(&g->table, &value, len);
}

static inline void go_set(struct go_file *g, size_t at, uint64_t value, size_t len)
{
	memcpy(g->table.data + at, &value, len);
}

static inline uint32_t go_put_program(struct go_file *g, const char *bytes, size_t base)
{
	uint32_t at = (uint32_t)(g->table.len - base);

	if (!bytes)
		return 0;
	buffer_append(&g->table, bytes, strlen(bytes + 1) + 2); /* the first may be 0 */
	return at;
}

static inline uint32_t go_put_name(struct go_file *g, const char *name, size_t base)
{
	uint32_t at = (uint32_t)(g->table.len - base);

	buffer_append(&g->table, name, strlen(name) + 1);
	return at;
}

static inline void go_align(struct go_file *g)
{
	while (g->table.len % 8)
		go_put(g, 0, 1);
}

/* A function's struct, as far as it has no variable part. */
static inline void go_put_struct(struct go_file *g, const struct go_made *f,
				 const uint32_t values[4])
{
	bool relative = g->version >= GO_1_18;

	go_put(g, relative ? f->start : GO_TEXT + f->start, relative ? 4 : 8);
	go_put(g, values[0], 4);
	go_put(g, 0, 8); /* arguments, deferreturn */
	for (int i = 1; i < 4; i++)
		go_put(g, values[i], 4);
	go_put(g, 0, 4); /* pcdata */
	if (g->version > GO_1_2)
		go_put(g, 1, 4); /* the unit's first file */
	if (g->version == GO_1_20)
		go_put(g, 1, 4); /* the first line */
	go_put(g, 0, 1);
	go_put(g, f->flags, 1);
	go_put(g, 0, 2);
	go_align(g);
}

/* Parts of the table, by where they begin: names, units, files, programs, …, functions. */
enum { GO_NAMES, GO_UNITS, GO_FILES, GO_PROGRAMS, GO_FUNCTIONS = 5, GO_PARTS };

/* In Go 1.2 the list of functions comes first, and what it leads to behind. Returns where it is. */
static inline size_t go_put_old_list(struct go_file *g, uint32_t count)
{
	size_t list = g->table.len;

	for (uint32_t i = 0; i < count * 16 + 8 + 4; i++)
		go_put(g, 0, 1);
	go_put(g, 3, 4); /* of files, and one */
	go_put(g, 0, 8);
	go_set(g, list + count * 16 + 8, list + count * 16 + 12, 4);
	go_set(g, list + count * 16 + 16, go_put_name(g, "a.go", 0), 4);
	go_set(g, list + count * 16 + 20, go_put_name(g, "b.go", 0), 4);
	return list;
}

static inline void go_put_files(struct go_file *g, size_t parts[GO_PARTS])
{
	go_align(g);
	parts[GO_UNITS] = g->table.len;
	go_put(g, UINT32_MAX | 1ULL << 32, 8);
	go_put(g, 6, 8);
	parts[GO_FILES] = g->table.len;
	go_put(g, 0, 1);
	go_put_name(g, "a.go", 0);
	go_put_name(g, "b.go", 0);
	parts[GO_PROGRAMS] = g->table.len;
	go_put(g, 0, 1);
}

/* Room for the list, and in the table's head where all parts are. */
static inline size_t go_put_list(struct go_file *g, uint32_t count, size_t parts[GO_PARTS])
{
	bool relative = g->version >= GO_1_18;
	size_t words = 8 + (relative ? 8 * 3 : 8 * 2);

	parts[GO_FUNCTIONS] = g->table.len;
	for (uint32_t i = 0; i < count * 2 + 1; i++)
		go_put(g, 0, relative ? 4 : 8);
	go_align(g);
	if (relative)
		go_set(g, GO_TEXT_WORD, GO_TEXT, 8);
	for (int i = 0; i < 4; i++)
		go_set(g, words + 8 * (size_t)i, parts[i], 8);
	go_set(g, words + 8 * 4, parts[GO_FUNCTIONS], 8);
	return parts[GO_FUNCTIONS];
}

static inline void go_put_functions(struct go_file *g, const struct go_made *made, uint32_t count,
				    uint32_t values[][4], size_t list, size_t base)
{
	bool relative = g->version >= GO_1_18;
	uint32_t pointer = relative ? 4 : 8;

	for (uint32_t i = 0; i <= count; i++) {
		uint64_t start = relative ? made[i].start : GO_TEXT + made[i].start;

		go_set(g, list + i * 2 * pointer, start, pointer);
		if (i == count)
			break;
		go_set(g, list + (i * 2 + 1) * pointer, g->table.len - base, pointer);
		go_put_struct(g, &made[i], values[i]);
	}
}

static inline void go_put_head(struct go_file *g, uint32_t count)
{
	static const uint32_t magics[] = { 0xfffffffb, 0xfffffffa, 0xfffffff0, 0xfffffff1 };

	go_put(g, magics[g->version] | 1ULL << 48 | 8ULL << 56, 8);
	go_put(g, count, 8);
	if (g->version > GO_1_2) {
		go_put(g, 2, 8);
		for (int i = 0; i < 6; i++)
			go_put(g, 0, 8);
	}
}

/* Two files: "a.go" is number 0 of the unit (1 of the whole table, in Go 1.2), "b.go" the next. */
static inline void go_make(struct go_file *g, enum go_version version, const struct go_made *made)
{
	size_t list = 0, parts[GO_PARTS] = { 0 };
	uint32_t count = 0, values[32][4];
	bool old = version == GO_1_2;

	*g = (struct go_file){ .version = version };
	buffer_init(&g->table, 1 << 20);
	memset(g->text, 0xcc, sizeof(g->text));
	while (made[count].name)
		count++;
	go_put_head(g, count);
	if (old) {
		list = go_put_old_list(g, count);
	} else {
		parts[GO_NAMES] = g->table.len;
		go_put(g, 0, 1);
	}
	for (uint32_t i = 0; i < count; i++)
		values[i][0] = go_put_name(g, made[i].name, parts[GO_NAMES]);
	if (!old)
		go_put_files(g, parts);
	for (uint32_t i = 0; i < count; i++) {
		values[i][1] = go_put_program(g, made[i].frames, parts[GO_PROGRAMS]);
		values[i][2] = go_put_program(g, made[i].files, parts[GO_PROGRAMS]);
		values[i][3] = go_put_program(g, made[i].lines, parts[GO_PROGRAMS]);
	}
	go_align(g);
	if (!old)
		list = go_put_list(g, count, parts);
	go_put_functions(g, made, count, values, list, parts[GO_FUNCTIONS]);
}

/* The file, which takes the table with it. */
static inline int go_file_write(struct go_file *g)
{
	struct buffer b = BUFFER_INIT(1 << 20);
	Elf64_Ehdr e = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				      1 },
			 .e_type = ET_EXEC,
			 .e_machine = EM_X86_64,
			 .e_version = 1,
			 .e_phoff = sizeof(e),
			 .e_ehsize = sizeof(e),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 3 };
	Elf64_Phdr p[3] = {
		{ PT_LOAD, PF_R | PF_X, GO_TEXT_OFFSET, GO_TEXT, GO_TEXT, GO_TEXT_BYTES,
		  GO_TEXT_BYTES, 1 },
		{ PT_LOAD, PF_R, GO_TABLE_OFFSET - 8, GO_TABLE - 8, GO_TABLE - 8, g->table.len + 8,
		  g->table.len + 8, 1 },
		{ PT_NOTE, PF_R, 0x200, 0x200, 0x200, 16, 16, 4 },
	};
	struct {
		Elf64_Nhdr head;
		char name[4];
	} note = { { 4, 0, 4 }, "Go" };
	int fd = memfd_create("go", MFD_CLOEXEC);
	char *zeros;

	buffer_append(&b, &e, sizeof(e));
	buffer_append(&b, p, sizeof(p));
	zeros = buffer_extend(&b, GO_TABLE_OFFSET - b.len);
	assert_non_null(zeros);
	memset(zeros, 0, b.data + b.len - zeros);
	memcpy(b.data + 0x200, &note, sizeof(note));
	memcpy(b.data + GO_TEXT_OFFSET, g->text, sizeof(g->text));
	buffer_append(&b, g->table.data, g->table.len);
	assert_int_equal(buffer_error(&b), 0);
	assert_int_equal(fd_write_all(fd, b.data, b.len), 0);
	buffer_release(&b);
	buffer_release(&g->table);
	return fd;
}

#endif
