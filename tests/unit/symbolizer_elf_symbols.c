// SPDX-License-Identifier: Apache-2.0
/*
 * Names from symbol tables made by hand, right and wrong. From real files': symbolizer_elf_real.c.
 */
#include "tests/unit/symbolizer_ask.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "tests/unit/symbolizer_image.h"
#include "tests/unit/torture.h"

#define MAX_SYMBOLS 8
#define MAX_QUERIES 8

/* Addresses are those of the code section: 0 is IMAGE_CODE. */
struct sample {
	const char *name;
	struct image_symbol symbols[MAX_SYMBOLS];
	struct {
		uint64_t at;
		const char *text;
	} queries[MAX_QUERIES];
};

#define C IMAGE_CODE
#define FUNC .type = STT_FUNC, .bind = STB_GLOBAL
#define LABEL .type = STT_NOTYPE, .bind = STB_GLOBAL

/* clang-format off */
static const struct sample samples[] = {
	{ "sized: to its last byte and no further", {
		{ "a", C + 0x10, 0x20, FUNC }, { "b", C + 0x40, 0x10, FUNC } }, {
		{ 0xf, "?" }, { 0x10, "a 401010+20" }, { 0x2f, "a 401010+20" }, { 0x30, "?" },
		{ 0x3f, "?" }, { 0x40, "b 401040+10" }, { 0x4f, "b 401040+10" }, { 0x50, "?" } } },
	{ "without a size: to the next symbol, whatever it is, or the end of the section", {
		{ "b", C + 0x40, 0, FUNC }, { "a", C + 0x10, 0, LABEL },
		{ "c", C + 0x50, 0x10, FUNC },
		{ "d", C + 0x70, 0, LABEL } }, {
		{ 0xf, "?" }, { 0x10, "a 401010+30" }, { 0x3f, "a 401010+30" },
		{ 0x40, "b 401040+10" },
		{ 0x60, "?" }, { 0x70, "d 401070+790" }, { 0x7ff, "d 401070+790" },
		{ 0x800, "?" } } },
	{ "nested: the innermost", {
		{ "outer", C, 0x100, FUNC }, { "inner", C + 0x40, 0x10, FUNC } }, {
		{ 0x3f, "outer 401000+100" }, { 0x40, "inner 401040+10" },
		{ 0x4f, "inner 401040+10" },
		{ 0x50, "outer 401000+100" }, { 0xff, "outer 401000+100" }, { 0x100, "?" } } },
	{ "overlapping: the one that starts last", {
		{ "b", C + 0x80, 0x100, FUNC }, { "a", C, 0x100, FUNC } }, {
		{ 0x7f, "a 401000+100" }, { 0x80, "b 401080+100" }, { 0x100, "b 401080+100" },
		{ 0x180, "?" } } },
	{ "a label within a function is no function, nor behind it", {
		{ "label", C + 0x20, 0, LABEL }, { "f", C, 0x40, FUNC } }, {
		{ 0x1f, "f 401000+40" }, { 0x20, "f 401000+40" }, { 0x3f, "f 401000+40" },
		{ 0x40, "?" } } },
	{ "a label where a function ends is one", {
		{ "f", C, 0x40, FUNC }, { "label", C + 0x40, 0, LABEL } }, {
		{ 0x3f, "f 401000+40" }, { 0x40, "label 401040+7c0" } } },
	{ "aliases: type, then binding", {
		{ "notype", C, 0x10, LABEL }, { "local", C, 0x10,
		.type = STT_FUNC, .bind = STB_LOCAL },
		{ "weak", C, 0x10, .type = STT_GNU_IFUNC, .bind = STB_WEAK },
		{ "x_label", C + 0x10, 0, LABEL }, { "unsized", C + 0x10, 0, FUNC },
		{ "sized", C + 0x10, 0x10, .type = STT_NOTYPE, .bind = STB_LOCAL },
		{ "duplocale", C + 0x20, 0x10, .type = STT_FUNC, .bind = STB_WEAK },
		{ "__duplocale", C + 0x20, 0x10, FUNC } }, {
		{ 0, "weak 401000+10" }, { 0x10, "sized 401010+10" },
		{ 0x20, "duplocale 401020+10" } } },
	{ "aliases: underscores, length, alphabet", {
		{ "__libc_malloc", C, 0x10, FUNC }, { "malloc_alias", C, 0x10, FUNC },
		{ "lseek64", C + 0x10, 0x10, FUNC }, { "lseek", C + 0x10, 0x10, FUNC },
		{ "_ZN1AC2Ev", C + 0x20, 0x10, FUNC }, { "_ZN1AC1Ev", C + 0x20, 0x10, FUNC },
		{ "bb", C + 0x30, 0, LABEL }, { "aa", C + 0x30, 0, LABEL } }, {
		{ 0, "malloc_alias 401000+10" }, { 0x10, "lseek 401010+10" },
		{ 0x20, "_ZN1AC1Ev 401020+10" },
		{ 0x30, "aa 401030+7d0" } } },
	{ "what is no code, or isn't here", {
		{ "object", C, 0x10, .type = STT_OBJECT, .bind = STB_GLOBAL }, { "tls", C, 0x10,
		.type = STT_TLS },
		{ "import", C, 0x10, FUNC, .undefined = true },
		{ "absolute", C, 0x10, FUNC, .section = SHN_ABS },
		{ "common", C, 0x10, FUNC, .section = SHN_COMMON },
		{ "data", IMAGE_DATA, 0x10, FUNC, .section = 3 },
		{ "", C, 0x10, FUNC } }, {
		{ 0, "?" } } },
	{ "labels of the assembler's neither name nor end anything", {
		{ "code", C, 0, LABEL }, { ".L12", C + 0x10, 0, .type = STT_NOTYPE },
		{ "$x", C + 0x20, 0, .type = STT_NOTYPE },
		{ "$d.1", C + 0x30, 0, .type = STT_NOTYPE }, { "$dollar", C + 0x40, 0,
		.type = STT_NOTYPE },
		{ ".Lsized", C + 0x50, 0x10, .type = STT_NOTYPE } }, {
		{ 0x10, "code 401000+40" }, { 0x3f, "code 401000+40" },
		{ 0x40, "$dollar 401040+7c0" },
		{ 0x50, "$dollar 401040+7c0" } } },
	{ "a size beyond the section ends with it", {
		{ "big", C + 0x700, UINT64_MAX, FUNC }, { "next", C + 0x800, 0xffffffff, FUNC } }, {
		{ 0x6ff, "?" }, { 0x7ff, "big 401700+100" }, { 0x800, "next 401800+400" },
		{ 0xbff, "next 401800+400" },
		{ 0xc00, "?" } } },
};
/* clang-format on */

static void check_sample(const struct sample *s, bool narrow, bool dynamic)
{
	uint64_t offsets[MAX_QUERIES];
	uint32_t count = 0;
	struct image im;
	struct asked a;
	int fd;

	image_make(&im, narrow, dynamic ? NULL : s->symbols, dynamic ? s->symbols : NULL);
	fd = memory_file(im.bytes.data, im.bytes.len);
	for (; count < MAX_QUERIES && s->queries[count].text; count++)
		offsets[count] = IMAGE_CODE_OFFSET + s->queries[count].at;
	ask(&a, SYMBOLS_ELF, &fd, 1, offsets, count);
	for (uint32_t i = 0; i < count; i++) {
		char text[200], got[300], want[300];
		unsigned int at = (unsigned int)s->queries[i].at;

		asked_text(&a, i, text, sizeof(text));
		snprintf(got, sizeof(got), "%s%s: %x %s", s->name, narrow ? " (32)" : "", at, text);
		snprintf(want, sizeof(want), "%s%s: %x %s", s->name, narrow ? " (32)" : "", at,
			 s->queries[i].text);
		assert_string_equal(got, want);
		assert_int_equal(a.symbols.answers[i].vaddr, C + at);
		assert_int_equal(a.symbols.answers[i].module, 0);
	}
	assert_string_equal(a.symbols.strings + a.symbols.reply->build_id, "0123456789abcdef");
	asked_release(&a);
	buffer_release(&im.bytes);
	close(fd);
}

static void test_samples(void **state)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		check_sample(&samples[i], false, false);
		check_sample(&samples[i], true, false);
		check_sample(&samples[i], false, true);
	}
}

static const struct image_symbol two[] = { { "f", C, 0x40, FUNC },
					   { "g", C + 0x40, 0, LABEL },
					   { 0 } };

static void expect(const void *bytes, size_t len, uint64_t offset, enum symbol_status status,
		   const char *want)
{
	int fd = memory_file(bytes, len);
	char got[200];
	struct asked a;

	ask(&a, SYMBOLS_ELF, &fd, 1, &offset, 1);
	assert_string_equal(asked_text(&a, 0, got, sizeof(got)), want);
	assert_int_equal(a.symbols.reply->status, status);
	asked_release(&a);
	close(fd);
}

/* A symbol that is only in .dynsym beside a .symtab that lacks it (bpftrace). */
static void test_both_tables(void **state)
{
	static const struct image_symbol symtab[] = { { "f", C, 0x40, FUNC }, { 0 } };
	static const struct image_symbol dynsym[] = { { "__f", C, 0x40, FUNC },
						      { "g", C + 0x40, 0x10, FUNC },
						      { 0 } };
	struct image im;

	image_make(&im, false, symtab, dynsym);
	expect(im.bytes.data, im.bytes.len, IMAGE_CODE_OFFSET, SYMBOLS_OK, "f 401000+40");
	expect(im.bytes.data, im.bytes.len, IMAGE_CODE_OFFSET + 0x40, SYMBOLS_OK, "g 401040+10");
	buffer_release(&im.bytes);
}

static void test_status(void **state)
{
	static const char script[] =
		"#!/bin/sh\necho this is a script, longer than a file header is\n";
	struct image im;
	Elf64_Ehdr *header;

	expect("", 0, 0, SYMBOLS_NOT_ELF, "?");
	expect(script, sizeof(script), 10, SYMBOLS_NOT_ELF, "?");
	image_make(&im, false, NULL, NULL);
	expect(im.bytes.data, im.bytes.len, IMAGE_CODE_OFFSET, SYMBOLS_NO_TABLE, "?");
	buffer_release(&im.bytes);
	image_make(&im, false, two, NULL);
	header = (Elf64_Ehdr *)im.bytes.data;
	expect(im.bytes.data, im.bytes.len, IMAGE_CODE_OFFSET, SYMBOLS_OK, "f 401000+40");
	header->e_type = ET_REL;
	expect(im.bytes.data, im.bytes.len, IMAGE_CODE_OFFSET, SYMBOLS_NOT_ELF, "?");
	header->e_type = ET_CORE;
	expect(im.bytes.data, im.bytes.len, IMAGE_CODE_OFFSET, SYMBOLS_NOT_ELF, "?");
	header->e_type = ET_EXEC;
	expect(im.bytes.data, im.bytes.len, IMAGE_CODE_OFFSET, SYMBOLS_OK, "f 401000+40");
	header->e_ident[EI_DATA] = ELFDATA2MSB;
	expect(im.bytes.data, im.bytes.len, IMAGE_CODE_OFFSET, SYMBOLS_NOT_ELF, "?");
	header->e_ident[EI_DATA] = ELFDATA2LSB;
	header->e_ident[EI_CLASS] = 3;
	expect(im.bytes.data, im.bytes.len, IMAGE_CODE_OFFSET, SYMBOLS_NOT_ELF, "?");
	buffer_release(&im.bytes);
}

/* What is no regular file is not even read: a pipe would be waited for. */
static void test_no_regular_file(void **state)
{
	const char *const paths[] = { "/dev/null", "/dev/zero", "/proc", "/proc/self/fd/0" };
	const uint64_t offset = 0x1000;
	int pipe_fds[2];
	struct asked a;

	for (size_t i = 0; i < 3; i++) {
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC);

		assert_true(fd >= 0);
		ask(&a, SYMBOLS_ELF, &fd, 1, &offset, 1);
		assert_int_equal(a.symbols.reply->status, SYMBOLS_NOT_ELF);
		asked_release(&a);
		close(fd);
	}
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	ask(&a, SYMBOLS_ELF, pipe_fds, 1, &offset, 1);
	assert_int_equal(a.symbols.reply->status, SYMBOLS_NOT_ELF);
	asked_release(&a);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/*
 * Offsets to segments: borders, holes, the data's segment, and vaddrs that descend while offsets
 * ascend.
 */
static void test_segments(void **state)
{
	const uint64_t offsets[] = { 0, 0xfff, 0x1000, 0x1fff, 0x2000, 0x20ff, 0x2100, UINT64_MAX };
	const uint64_t vaddrs[] = { 0, 0, 0x401000, 0x401fff, 0x3000, 0x30ff, 0, 0 };
	const uint32_t modules[] = { SYMBOLS_NONE, SYMBOLS_NONE, 0, 0, 1, 1,
				     SYMBOLS_NONE, SYMBOLS_NONE };
	struct image im;
	struct asked a;
	int fd;

	image_make(&im, false, two, NULL);
	image_put_segment(&im, 1, PT_LOAD, PF_R, IMAGE_DATA_OFFSET, 0x3000, 0x100);
	fd = memory_file(im.bytes.data, im.bytes.len);
	ask(&a, SYMBOLS_ELF, &fd, 1, offsets, 8);
	for (uint32_t i = 0; i < 8; i++) {
		assert_int_equal(a.symbols.answers[i].vaddr, vaddrs[i]);
		assert_int_equal(a.symbols.answers[i].module, modules[i]);
		assert_int_equal(a.symbols.answers[i].function, i == 2 ? 0 : SYMBOLS_NONE);
	}
	assert_int_equal(a.symbols.reply->module_count, 2);
	assert_int_equal(a.symbols.modules[0].start, 0x401000);
	assert_int_equal(a.symbols.modules[0].limit, 0x402000);
	assert_int_equal(a.symbols.modules[0].offset, 0x1000);
	assert_int_equal(a.symbols.modules[1].start, 0x3000);
	asked_release(&a);
	buffer_release(&im.bytes);
	close(fd);
}

/* Two segments have the byte: the executable one is meant. Segments that wrap are none. */
static void test_odd_segments(void **state)
{
	struct image im;

	image_make(&im, false, two, NULL);
	image_put_segment(&im, 0, PT_LOAD, PF_R, IMAGE_CODE_OFFSET, 0x9000, 0x1000);
	image_put_segment(&im, 1, PT_LOAD, PF_R | PF_X, IMAGE_CODE_OFFSET, IMAGE_CODE, 0x1000);
	expect(im.bytes.data, im.bytes.len, IMAGE_CODE_OFFSET, SYMBOLS_OK, "f 401000+40");
	image_put_segment(&im, 0, PT_LOAD, PF_R | PF_X, IMAGE_CODE_OFFSET, UINT64_MAX - 8, 0x1000);
	expect(im.bytes.data, im.bytes.len, IMAGE_CODE_OFFSET, SYMBOLS_DAMAGED, "f 401000+40");
	image_put_segment(&im, 0, PT_LOAD, PF_R | PF_X, UINT64_MAX - 8, IMAGE_CODE, 0x1000);
	expect(im.bytes.data, im.bytes.len, IMAGE_CODE_OFFSET, SYMBOLS_DAMAGED, "f 401000+40");
	buffer_release(&im.bytes);
}

/*
 * Cut at every length: never a wrong name, and the right one as soon as all that it needs is there.
 */
static void test_truncated(void **state)
{
	struct image im;
	uint32_t right = 0;

	image_make(&im, false, two, two);
	for (size_t len = 0; len < im.bytes.len; len++) {
		const uint64_t offset = IMAGE_CODE_OFFSET + 0x3f;
		int fd = memory_file(im.bytes.data, len);
		char got[200];
		struct asked a;

		ask(&a, SYMBOLS_ELF, &fd, 1, &offset, 1);
		asked_text(&a, 0, got, sizeof(got));
		if (strcmp(got, "f 401000+40") == 0)
			right++;
		else
			assert_string_equal(got, "?");
		assert_true(a.symbols.reply->status == SYMBOLS_DAMAGED ||
			    a.symbols.reply->status == SYMBOLS_NOT_ELF);
		asked_release(&a);
		close(fd);
	}
	assert_true(right > 100); /* the last section header is of the second table */
	buffer_release(&im.bytes);
}

/* Any byte may lie: the reply passes the check, whatever it says. */
static void test_mutated(void **state)
{
	const uint64_t offsets[] = { 0x1000, 0x1020, 0x1040, 0x1800, 0x2000, 0x2040 };
	uint64_t random = 88172645463325252ull;
	struct image im;

	for (unsigned int round = 0; round < 4000; round++) {
		struct asked a;
		int fd;

		image_make(&im, round & 1, two, two);
		for (unsigned int i = 0; i < 1 + round % 5; i++) {
			static const unsigned char values[] = { 0, 1, 0x7f, 0x80, 0xff };
			size_t at;

			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			at = random % 3 == 0
				     ? (random >> 8) % 0x220
				     : IMAGE_TABLES + (random >> 8) % (im.bytes.len - IMAGE_TABLES);
			im.bytes.data[at] = (char)values[(random >> 40) % 5];
		}
		fd = memory_file(im.bytes.data, im.bytes.len);
		ask(&a, SYMBOLS_ELF, &fd, 1, offsets, 6);
		asked_release(&a);
		buffer_release(&im.bytes);
		close(fd);
	}
}

static Elf64_Shdr *section_of(struct image *im, unsigned int number)
{
	return (Elf64_Shdr *)(im->bytes.data + im->section_headers) + number;
}

/* clang-format off */
static const struct lie {
	const char *name;
	unsigned int section;
	size_t field;
	uint64_t value;
	const char *text;
} lies[] = {
#define SH(field) offsetof(Elf64_Shdr, field)
	{ "size wraps", 4, SH(sh_size), UINT64_MAX - 23, "f 401000+40" },
	{ "offset beyond the file", 4, SH(sh_offset), 1ull << 40, "?" },
	{ "offset wraps", 4, SH(sh_offset), UINT64_MAX - 1, "?" },
	{ "entries of no size", 4, SH(sh_entsize), 0, "?" },
	{ "entries of one byte", 4, SH(sh_entsize), 1, "?" },
	{ "strings beyond the file", 5, SH(sh_offset), 1ull << 40, "?" },
	{ "strings that wrap", 5, SH(sh_size), UINT64_MAX, "f 401000+40" },
	{ "strings of no bytes", 5, SH(sh_size), 0, "?" },
	{ "strings that don't end", 5, SH(sh_size), 2, "f 401000+40" },
	{ "code that wraps", 1, SH(sh_size), UINT64_MAX, "?" },
#undef SH
};
/* clang-format on */

static void test_lying_sections(void **state)
{
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		const uint64_t offset = IMAGE_CODE_OFFSET;
		char got[200], text[100], want[200];
		struct image im;
		struct asked a;
		int fd;

		image_make(&im, false, two, NULL);
		memcpy((char *)section_of(&im, lies[i].section) + lies[i].field, &lies[i].value, 8);
		fd = memory_file(im.bytes.data, im.bytes.len);
		ask(&a, SYMBOLS_ELF, &fd, 1, &offset, 1);
		snprintf(got, sizeof(got), "%s: %u %s", lies[i].name, a.symbols.reply->status,
			 asked_text(&a, 0, text, sizeof(text)));
		snprintf(want, sizeof(want), "%s: %u %s", lies[i].name, SYMBOLS_DAMAGED,
			 lies[i].text);
		assert_string_equal(got, want);
		asked_release(&a);
		buffer_release(&im.bytes);
		close(fd);
	}
}

/* Links that are no strings: the table itself, none, one that isn't there. */
static void test_lying_links(void **state)
{
	const uint32_t links[] = { 4, 0, 1, 8, UINT32_MAX };

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		struct image im;

		image_make(&im, false, two, NULL);
		section_of(&im, 4)->sh_link = links[i];
		expect(im.bytes.data, im.bytes.len, IMAGE_CODE_OFFSET, SYMBOLS_DAMAGED, "?");
		buffer_release(&im.bytes);
	}
}

/* Counts of headers in section 0, honest and not. */
static void test_extended_counts(void **state)
{
	struct image im;
	Elf64_Ehdr *header;

	image_make(&im, false, two, NULL);
	header = (Elf64_Ehdr *)im.bytes.data;
	header->e_shnum = 0;
	header->e_phnum = PN_XNUM;
	section_of(&im, 0)->sh_size = IMAGE_SECTIONS;
	section_of(&im, 0)->sh_info = IMAGE_SEGMENTS;
	expect(im.bytes.data, im.bytes.len, IMAGE_CODE_OFFSET, SYMBOLS_OK, "f 401000+40");
	section_of(&im, 0)->sh_size = UINT64_MAX;
	section_of(&im, 0)->sh_info = UINT32_MAX;
	expect(im.bytes.data, im.bytes.len, IMAGE_CODE_OFFSET, SYMBOLS_LIMIT, "f 401000+40");
	header->e_shoff = UINT64_MAX - 4;
	expect(im.bytes.data, im.bytes.len, IMAGE_CODE_OFFSET, SYMBOLS_DAMAGED, "?");
	buffer_release(&im.bytes);
}

/*
 * The largest request about a file whose symbols contain all of it: given up, soon, with a reason.
 */
static void test_too_much_work(void **state)
{
	enum { SYMBOLS = 40000, ADDRESSES = 2048 };
	struct image_symbol *symbols = calloc(SYMBOLS + 1, sizeof(*symbols));
	static uint64_t offsets[ADDRESSES];
	struct image im;
	struct asked a;
	int fd;

	assert_non_null(symbols);
	for (unsigned int i = 0; i < SYMBOLS; i++)
		symbols[i] = (struct image_symbol){ "f", C, 0x800, FUNC };
	for (unsigned int i = 0; i < ADDRESSES; i++)
		offsets[i] = IMAGE_CODE_OFFSET + i;
	image_make(&im, false, symbols, NULL);
	fd = memory_file(im.bytes.data, im.bytes.len);
	ask(&a, SYMBOLS_ELF, &fd, 1, offsets, ADDRESSES);
	assert_int_equal(a.symbols.reply->status, SYMBOLS_LIMIT);
	asked_release(&a);
	buffer_release(&im.bytes);
	free(symbols);
	close(fd);
}

#define LABELS 12000u
#define LABEL_BYTES 16u

/*
 * An image with code of LABELS * LABEL_BYTES behind all else, and unwind information that has a
 * function in the middle of what lies behind each of `count` labels.
 */
static void labels_make(struct image *im, const struct image_symbol *symbols, uint32_t count)
{
	const unsigned char forms[] = { 1, 0x1b, 0x03, 0x3b, 0, 0, 0, 0 };
	uint64_t code, frames;
	Elf64_Shdr *section;

	image_make(im, false, symbols, NULL);
	code = im->bytes.len;
	memset(buffer_extend(&im->bytes, LABELS * LABEL_BYTES), 0, LABELS * LABEL_BYTES);
	frames = im->bytes.len;
	buffer_append(&im->bytes, forms, sizeof(forms));
	buffer_append(&im->bytes, &count, sizeof(count));
	for (uint32_t i = 0; i < count; i++) {
		const uint32_t entry[] = { i * LABEL_BYTES + LABEL_BYTES / 2, 0 };

		buffer_append(&im->bytes, entry, sizeof(entry));
	}
	section = (Elf64_Shdr *)(im->bytes.data + im->section_headers) + 1;
	section->sh_offset = code;
	section->sh_size = LABELS * LABEL_BYTES;
	image_put_segment(im, 0, PT_LOAD, PF_R | PF_X, code, C, LABELS * LABEL_BYTES);
	image_put_segment(im, 2, PT_GNU_EH_FRAME, PF_R, frames, C, im->bytes.len - frames);
}

/* As many addresses as can be asked for, all behind one label, cost what one costs. */
static void test_one_label_often(void **state)
{
	const struct image_symbol symbols[] = { { "label", C + 0x100, 0, LABEL }, { 0 } };
	static uint64_t offsets[SYMBOLS_MAX_ADDRESSES];
	struct image im;
	struct asked a;
	int fd;

	labels_make(&im, symbols, LABELS);
	for (uint32_t i = 0; i < SYMBOLS_MAX_ADDRESSES; i++)
		offsets[i] = im.section_headers + IMAGE_SECTIONS * sizeof(Elf64_Shdr) + 0x100 +
			     (i >= SYMBOLS_MAX_ADDRESSES / 2) * 7;
	fd = memory_file(im.bytes.data, im.bytes.len);
	ask(&a, SYMBOLS_ELF, &fd, 1, offsets, SYMBOLS_MAX_ADDRESSES);
	assert_int_equal(a.symbols.reply->status, SYMBOLS_OK);
	for (uint32_t i = 0; i < SYMBOLS_MAX_ADDRESSES; i++) {
		char got[200];

		assert_string_equal(asked_text(&a, i, got, sizeof(got)), "label 401100+8");
	}
	asked_release(&a);
	buffer_release(&im.bytes);
	close(fd);
}

/* Each address behind another label: some are searched for, and the others are nobody's. */
static void test_too_many_labels(void **state)
{
	struct image_symbol *symbols = calloc(LABELS + 1, sizeof(*symbols));
	static uint64_t offsets[LABELS];
	char got[200], want[200];
	struct image im;
	struct asked a;
	int fd;

	assert_non_null(symbols);
	for (uint32_t i = 0; i < LABELS; i++)
		symbols[i] = (struct image_symbol){ "label", C + i * LABEL_BYTES, 0, LABEL };
	symbols[LABELS - 1] = (struct image_symbol){ "f", C + (LABELS - 1) * LABEL_BYTES, 4, FUNC };
	labels_make(&im, symbols, LABELS);
	for (uint32_t i = 0; i < LABELS; i++)
		offsets[i] = im.section_headers + IMAGE_SECTIONS * sizeof(Elf64_Shdr) +
			     i * (uint64_t)LABEL_BYTES;
	fd = memory_file(im.bytes.data, im.bytes.len);
	ask(&a, SYMBOLS_ELF, &fd, 1, offsets, LABELS);
	assert_int_equal(a.symbols.reply->status, SYMBOLS_LIMIT);
	for (uint32_t i = 0; i < 1000; i++) {
		snprintf(want, sizeof(want), "label %x+8", C + i * LABEL_BYTES);
		assert_string_equal(asked_text(&a, i, got, sizeof(got)), want);
	}
	assert_string_equal(asked_text(&a, LABELS - 2, got, sizeof(got)), "?");
	snprintf(want, sizeof(want), "f %x+4", C + (LABELS - 1) * LABEL_BYTES);
	assert_string_equal(asked_text(&a, LABELS - 1, got, sizeof(got)), want);
	asked_release(&a);
	buffer_release(&im.bytes);
	free(symbols);
	close(fd);
}

/* Names longer than the limit are cut. */
static void test_long_names(void **state)
{
	enum { SYMBOLS = 0x800 };
	struct image_symbol *symbols = calloc(SYMBOLS + 1, sizeof(*symbols));
	static uint64_t offsets[SYMBOLS];
	static char name[8001];
	struct image im;
	struct asked a;
	int fd;

	assert_non_null(symbols);
	memset(name, 'n', sizeof(name) - 1);
	for (unsigned int i = 0; i < SYMBOLS; i++) {
		symbols[i] = (struct image_symbol){ name, C + i, 1, FUNC };
		offsets[i] = IMAGE_CODE_OFFSET + i;
	}
	image_make(&im, false, symbols, NULL);
	fd = memory_file(im.bytes.data, im.bytes.len);
	ask(&a, SYMBOLS_ELF, &fd, 1, offsets, SYMBOLS);
	assert_int_equal(a.symbols.reply->status, SYMBOLS_OK);
	assert_int_equal(strlen(a.symbols.strings + a.symbols.functions[0].name), SYMBOLS_MAX_NAME);
	asked_release(&a);
	buffer_release(&im.bytes);
	free(symbols);
	close(fd);
}

/*
 * Without section headers, and with a chain of the hash table that goes on to the end of a file of
 * 1 GiB, all holes: it is not read to its end.
 */
static void test_endless_hash_chain(void **state)
{
	const Elf64_Dyn dynamic[] = { { DT_STRTAB, { IMAGE_DATA } },
				      { DT_STRSZ, { 0x40 } },
				      { DT_SYMTAB, { IMAGE_DATA + 0x40 } },
				      { DT_GNU_HASH, { IMAGE_DATA + 0x80 } },
				      { DT_NULL, { 0 } } };
	/* 1 bucket, first symbol, 1 word of bloom, shift; the bloom; the bucket: a chain 64 MiB on. */
	const uint32_t hash[] = { 1, 1, 1, 0, 0, 0, 16 << 20 };
	const uint64_t offset = IMAGE_CODE_OFFSET;
	Elf64_Ehdr *header;
	struct image im;
	struct asked a;
	int fd;

	image_make(&im, false, two, NULL);
	header = (Elf64_Ehdr *)im.bytes.data;
	header->e_shoff = 0;
	header->e_shnum = 0;
	header->e_shstrndx = 0;
	image_put_segment(&im, 1, PT_LOAD, PF_R, IMAGE_DATA_OFFSET, IMAGE_DATA, 0x100);
	image_put_segment(&im, 2, PT_DYNAMIC, PF_R, IMAGE_CODE_OFFSET, IMAGE_CODE, sizeof(dynamic));
	memcpy(im.bytes.data + IMAGE_CODE_OFFSET, dynamic, sizeof(dynamic));
	memcpy(im.bytes.data + IMAGE_DATA_OFFSET + 0x80, hash, sizeof(hash));
	fd = memory_file(im.bytes.data, im.bytes.len);
	assert_int_equal(ftruncate(fd, 1 << 30), 0);
	ask(&a, SYMBOLS_ELF, &fd, 1, &offset, 1);
	assert_int_equal(a.symbols.reply->status, SYMBOLS_LIMIT);
	asked_release(&a);
	buffer_release(&im.bytes);
	close(fd);
}

/* ---- memory ---- */

static int answer_once(void *ctx)
{
	const struct {
		struct symbol_request head;
		uint64_t offset;
	} request = { { SYMBOLS_ELF, 1 }, IMAGE_CODE_OFFSET };
	struct buffer reply = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);
	struct symbols s;
	int r;

	r = request_answer(&request, sizeof(request), ctx, 1, &reply);
	if (r == 0)
		assert_int_equal(symbols_check(reply.data, reply.len, 1, &s, NULL), 0);
	buffer_release(&reply);
	return r;
}

static void test_torture(void **state)
{
	struct image im;
	int fd;

	image_make(&im, false, two, two);
	fd = memory_file(im.bytes.data, im.bytes.len);
	assert_true(torture(answer_once, &fd) > 5);
	buffer_release(&im.bytes);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),         cmocka_unit_test(test_both_tables),
		cmocka_unit_test(test_status),          cmocka_unit_test(test_no_regular_file),
		cmocka_unit_test(test_segments),        cmocka_unit_test(test_odd_segments),
		cmocka_unit_test(test_truncated),       cmocka_unit_test(test_mutated),
		cmocka_unit_test(test_lying_sections),  cmocka_unit_test(test_lying_links),
		cmocka_unit_test(test_extended_counts), cmocka_unit_test(test_too_much_work),
		cmocka_unit_test(test_one_label_often), cmocka_unit_test(test_too_many_labels),
		cmocka_unit_test(test_long_names),      cmocka_unit_test(test_endless_hash_chain),
		cmocka_unit_test(test_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
