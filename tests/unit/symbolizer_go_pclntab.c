// SPDX-License-Identifier: Apache-2.0
/*
 * Go's table of functions in each of its versions, and with each of its bytes changed. (Whether the versions are
 * Go's: tests/e2e/go.bats has what its own linker writes.)
 *
 * With CORPUS=DIR the files are written there: the corpus of tests/fuzz/symbolizer_go_pclntab.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbolizer/elf_symbols.h"
#include "symbolizer/go_pclntab.h"
#include "tests/unit/symbolizer_go.h"

/*
 * Values begin at -1 and change by zigzag: 2 is +1, 1 is -1. So main.f has frames of 0, then 24, 0; files 0,
 * then 1; and lines 9, 12, 11.
 */
static const struct go_made made[] = {
	{ "main.f", 0, "\x02\x04\x30\x10\x2f\x01", "\x02\x08\x02\x0d", "\x14\x03\x06\x07\x01\x0b",
	  0 },
	{ "main.(*T).g", 0x20, "\x02\x90\x01", NULL, "\x02\x10", GO_FUNCTION_ASM },
	{ "main.empty", 0xc0, NULL, NULL, NULL, GO_FUNCTION_TOP },
	{ NULL, 0x100, NULL, NULL, NULL, 0 },
};

struct opened {
	int fd;
	struct elf_file file;
	struct go_pclntab *table;
};

static int open_table(struct opened *o, struct go_file *g)
{
	const struct elf_place nowhere = { 0 };

	*o = (struct opened){ .fd = go_file_write(g) };
	assert_int_equal(elf_file_open(&o->file, o->fd), 0);
	return go_pclntab_open(&o->file, &nowhere, &o->table);
}

static void close_table(struct opened *o)
{
	go_pclntab_free(o->table);
	elf_file_release(&o->file);
	close(o->fd);
}

static void values_are(struct go_pclntab *t, const struct go_function *f, uint32_t values,
		       const char *expected)
{
	char text[256] = "";
	struct go_values v;

	go_values_begin(t, f, values, &v);
	while (go_values_next(&v))
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%x-%x:%d ",
			 (unsigned int)(v.start - f->start), (unsigned int)(v.limit - f->start),
			 v.value);
	assert_string_equal(text, expected);
}

static void test_versions(void **state)
{
	for (enum go_version version = 0; version < GO_VERSIONS; version++) {
		struct go_function f;
		struct opened o;
		struct go_file g;
		char name[16];

		go_make(&g, version, made);
		assert_int_equal(open_table(&o, &g), 0);
		assert_int_equal(go_pclntab_count(o.table), 3);
		assert_true(go_pclntab_function(o.table, 0, &f));
		assert_int_equal(f.start, GO_TEXT);
		assert_int_equal(f.limit, GO_TEXT + 0x20);
		assert_int_equal(go_pclntab_end(o.table, &f), GO_TEXT + 0x15);
		assert_int_equal(go_pclntab_name(o.table, &f, name, sizeof(name)), 6);
		assert_string_equal(name, "main.f");
		assert_int_equal(go_pclntab_name(o.table, &f, name, 5), 4);
		assert_string_equal(name, "main");
		values_are(o.table, &f, f.frame_values, "0-4:0 4-14:24 14-15:0 ");
		values_are(o.table, &f, f.line_values, "0-3:9 3-a:12 a-15:11 ");
		assert_true(go_pclntab_function(o.table, 1, &f));
		assert_int_equal(f.flags, version < GO_1_18 ? 0 : GO_FUNCTION_ASM);
		assert_int_equal(f.flags_known, version >= GO_1_18);
		values_are(o.table, &f, f.frame_values, "0-90:0 ");
		assert_true(go_pclntab_function(o.table, 2, &f));
		assert_int_equal(f.limit, GO_TEXT + 0x100);
		values_are(o.table, &f, f.frame_values, "");
		assert_false(go_pclntab_function(o.table, 3, &f));
		close_table(&o);
	}
}

static void test_find(void **state)
{
	static const struct {
		uint64_t vaddr;
		uint32_t number;
	} cases[] = { { 0, GO_NONE },        { GO_TEXT - 1, GO_NONE }, { GO_TEXT, 0 },
		      { GO_TEXT + 0x1f, 0 }, { GO_TEXT + 0x20, 1 },    { GO_TEXT + 0xbf, 1 },
		      { GO_TEXT + 0xc0, 2 }, { GO_TEXT + 0xff, 2 },    { UINT64_MAX, 2 } };
	struct opened o;
	struct go_file g;

	go_make(&g, GO_1_20, made);
	assert_int_equal(open_table(&o, &g), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t number = go_pclntab_find(o.table, cases[i].vaddr);

		if (number != cases[i].number)
			fail_msg("%llx: %u, expected %u", (unsigned long long)cases[i].vaddr,
				 number, cases[i].number);
	}
	close_table(&o);
}

static void test_lines(void **state)
{
	static const struct {
		uint32_t at;
		const char *line; /* "": it isn't known */
	} cases[] = { { 0, "a.go:9" },  { 2, "a.go:9" },   { 3, "a.go:12" },    { 7, "a.go:12" },
		      { 8, "b.go:12" }, { 10, "b.go:11" }, { 0x14, "b.go:11" }, { 0x15, "" },
		      { 0x20, "" },     { 0xc0, "" } };

	for (enum go_version version = GO_1_16; version < GO_VERSIONS; version++) {
		struct opened o;
		struct go_file g;

		go_make(&g, version, made);
		assert_int_equal(open_table(&o, &g), 0);
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			char file[16], text[32] = "";
			uint32_t line;

			if (go_pclntab_line(o.table, GO_TEXT + cases[i].at, file, sizeof(file),
					    &line))
				snprintf(text, sizeof(text), "%s:%u", file, line);
			if (strcmp(text, cases[i].line) != 0)
				fail_msg("version %d, %x: %s, expected %s", version, cases[i].at,
					 text, cases[i].line);
		}
		close_table(&o);
	}
}

/* A start of the text that isn't told is that of a section of just this size, or there is no table. */
static void test_no_text(void **state)
{
	struct go_made all[2] = { made[0], { .start = GO_TEXT_BYTES } };
	struct go_function f;
	struct opened o;
	struct go_file g;

	for (uint32_t missing = 0; missing < 2; missing++) {
		all[1].start = missing ? GO_TEXT_BYTES / 2 : GO_TEXT_BYTES - 8;
		go_make(&g, GO_1_20, all);
		go_set(&g, GO_TEXT_WORD, 0, 8);
		assert_int_equal(open_table(&o, &g), 0);
		assert_true(go_pclntab_function(o.table, 0, &f));
		assert_int_equal(f.start, GO_TEXT);
		close_table(&o);
	}
	all[1].start = GO_TEXT_BYTES + 1;
	go_make(&g, GO_1_20, all);
	go_set(&g, GO_TEXT_WORD, 0, 8);
	assert_int_equal(open_table(&o, &g), -ENOENT);
	close_table(&o);
}

static void walk(struct go_pclntab *t)
{
	for (uint32_t i = 0; i < go_pclntab_count(t); i++) {
		char name[64];
		struct go_function f;
		struct go_values v;
		uint32_t line;

		if (!go_pclntab_function(t, i, &f))
			continue;
		assert_true(f.start < f.limit && go_pclntab_end(t, &f) <= f.limit);
		assert_true(go_pclntab_name(t, &f, name, sizeof(name)) < sizeof(name));
		go_pclntab_line(t, f.start, name, sizeof(name), &line);
		go_values_begin(t, &f, f.frame_values, &v);
		for (uint64_t at = f.start; go_values_next(&v); at = v.limit)
			assert_true(v.start == at && v.limit > at && v.limit <= f.limit);
	}
}

/* Each byte of the table in turn: nothing is read where nothing is, and all ends. */
static void test_changed(void **state)
{
	static const unsigned char values[] = { 0, 1, 0x7f, 0x80, 0xff };

	for (enum go_version version = 0; version < GO_VERSIONS; version++) {
		size_t len = SIZE_MAX;

		for (size_t i = 0; i < len * sizeof(values); i++) {
			struct opened o;
			struct go_file g;

			go_make(&g, version, made);
			len = g.table.len;
			g.table.data[i / sizeof(values)] = (char)values[i % sizeof(values)];
			if (open_table(&o, &g) == 0)
				walk(o.table);
			close_table(&o);
		}
	}
}

/* What the file is too short for isn't there. */
static void test_cut(void **state)
{
	for (enum go_version version = 0; version < GO_VERSIONS; version++) {
		size_t len = SIZE_MAX;

		for (size_t i = 0; i < len; i++) {
			struct opened o;
			struct go_file g;

			go_make(&g, version, made);
			len = g.table.len;
			g.table.len = i;
			if (open_table(&o, &g) == 0)
				walk(o.table);
			close_table(&o);
		}
	}
}

/* Programs may be as long as the table, and all functions may have the same. */
static void test_limit(void **state)
{
	static char bytes[1 << 19]; /* a number that doesn't end */
	struct go_made all[] = { { "f", 0, bytes, NULL, NULL, 0 },
				 { NULL, GO_TEXT_BYTES, NULL, NULL, NULL, 0 } };
	struct go_function f;
	struct opened o;
	struct go_file g;

	memset(bytes, 0x80, sizeof(bytes) - 1);
	go_make(&g, GO_1_20, all);
	assert_int_equal(open_table(&o, &g), 0);
	assert_true(go_pclntab_function(o.table, 0, &f));
	for (uint32_t i = 0; i < 2000 && !o.file.too_large; i++) {
		struct go_values v;

		go_values_begin(o.table, &f, f.frame_values, &v);
		while (go_values_next(&v))
			;
	}
	assert_true(o.file.too_large);
	assert_false(go_pclntab_function(o.table, 0, &f) && go_pclntab_end(o.table, &f) > f.start);
	close_table(&o);
}

/* A file that is full of a table's first bytes. */
static void test_search_limit(void **state)
{
	struct go_made all[] = { { "f", 0, NULL, NULL, NULL, 0 },
				 { NULL, GO_TEXT_BYTES, NULL, NULL, NULL, 0 } };
	struct opened o;
	struct go_file g;

	go_make(&g, GO_1_20, all);
	buffer_clear(&g.table);
	for (int i = 0; i < 100000; i++)
		go_put(&g, 0x08010000fffffff1, 8);
	assert_int_equal(open_table(&o, &g), -ENOENT);
	assert_true(o.file.too_large);
	close_table(&o);
}

/* In a file without symbols, as the symbolizer answers. */
static void test_names(void **state)
{
	static const struct {
		uint64_t at;
		const char *name;
		uint64_t size;
	} cases[] = { { 0, "main.f", 0x15 },
		      { 0x14, "main.f", 0x15 },
		      { 0x15, "", 0 },
		      { 0x20, "main.(*T).g", 16 },
		      { 0x2f, "main.(*T).g", 16 },
		      { 0x30, "", 0 },
		      { 0xc0, "", 0 },
		      { 0x100, "", 0 } };
	uint64_t offsets[sizeof(cases) / sizeof(cases[0])];
	struct go_file g;
	struct reply r;
	int fd;

	go_make(&g, GO_1_18, made);
	fd = go_file_write(&g);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		offsets[i] = GO_TEXT_OFFSET + cases[i].at;
	assert_int_equal(reply_init(&r, sizeof(cases) / sizeof(cases[0])), 0);
	assert_int_equal(elf_symbols_answer(fd, -1, offsets, r.count, &r), 0);
	assert_int_equal(r.status, SYMBOLS_OK);
	for (uint32_t i = 0; i < r.count; i++) {
		const struct symbol_function *f = NULL;

		if (r.answers[i].function != SYMBOLS_NONE)
			f = &r.functions.items[r.answers[i].function];
		assert_string_equal(f ? r.strings.data + f->name : "", cases[i].name);
		assert_int_equal(f ? f->size : 0, cases[i].size);
	}
	assert_int_equal(r.functions.count, 2);
	reply_release(&r);
	close(fd);
}

static int corpus_write(const char *folder)
{
	for (enum go_version version = 0; version < GO_VERSIONS; version++) {
		static const char *const names[] = { "go-1.2", "go-1.16", "go-1.18", "go-1.20" };
		char path[4096], bytes[16384];
		struct go_file g;
		int from, to;
		ssize_t n;

		go_make(&g, version, made);
		from = go_file_write(&g);
		snprintf(path, sizeof(path), "%s/%s", folder, names[version]);
		to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		n = pread(from, bytes, sizeof(bytes), 0);
		if (to < 0 || n <= 0 || write(to, bytes, (size_t)n) != n)
			return 1;
		close(from);
		close(to);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),     cmocka_unit_test(test_find),
		cmocka_unit_test(test_lines),        cmocka_unit_test(test_no_text),
		cmocka_unit_test(test_changed),      cmocka_unit_test(test_cut),
		cmocka_unit_test(test_search_limit), cmocka_unit_test(test_limit),
		cmocka_unit_test(test_names),
	};

	if (getenv("CORPUS"))
		return corpus_write(getenv("CORPUS"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
