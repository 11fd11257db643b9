// SPDX-License-Identifier: Apache-2.0
/*
 * The index: what claims and rows become, how it is searched, and that a damaged one is refused.
 */
#include "symbolizer/lines.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xxhash.h>

#include "symbolizer/lines_builder.h"
#include "tests/unit/torture.h"

#define CODE 0x1000u
#define CODE_END 0x3000u

static struct elf_range code[] = { { CODE, 0x2000 }, { 0x2000, CODE_END } };

static struct elf_file file_with_code(void)
{
	struct elf_file f = { .wide = true };

	f.code.items = code;
	f.code.count = 2;
	return f;
}

static uint32_t text(struct lines_builder *b, const char *s)
{
	return lines_builder_string(b, s, strlen(s));
}

static uint32_t function(struct lines_builder *b, const char *name, uint32_t parent, uint32_t line)
{
	struct lines_scope s = { .name = text(b, name),
				 .parent = parent,
				 .call_file = line ? text(b, "/call.c") : 0,
				 .call_line = line };

	return lines_builder_scope(b, &s);
}

/*
 *	outer	1000 ........................ 1100
 *	middle	     1010 ............. 1080
 *	inner	          1020 .. 1030      and 1090 .. 10a0
 *	other	                                        1100 .. 1110
 */
static void claims_add(struct lines_builder *b)
{
	uint32_t outer = function(b, "outer", LINES_NONE, 0);
	uint32_t middle = function(b, "middle", outer, 7), inner = function(b, "inner", middle, 8);
	uint32_t other = function(b, "other", LINES_NONE, 0);

	lines_builder_claim(b, other, 0x1100, 0x1110);
	lines_builder_claim(b, inner, 0x1090, 0x10a0);
	lines_builder_claim(b, outer, 0x1000, 0x1100);
	lines_builder_claim(b, middle, 0x1010, 0x1080);
	lines_builder_claim(b, inner, 0x1020, 0x1030);
	/* Nowhere, and empty. */
	lines_builder_claim(b, other, 0, 0x100);
	lines_builder_claim(b, other, CODE_END, CODE_END + 0x100);
	lines_builder_claim(b, other, 0x1050, 0x1050);
	lines_builder_claim(b, LINES_NONE, 0x1000, 0x2000);
}

/* The second sequence comes first; one is thrown away by the linker; one overlaps; one has no end. */
static void rows_add(struct lines_builder *b)
{
	uint32_t a = text(b, "/a.c"), c = text(b, "/b.c");

	lines_builder_row(b, 0x1100, c, 50);
	lines_builder_row(b, 0x1108, c, 51);
	lines_builder_end_sequence(b, 0x1110);
	lines_builder_row(b, 0x1000, a, 1);
	lines_builder_row(b, 0x1010, a, 1);
	lines_builder_row(b, 0x1020, a, 2);
	lines_builder_row(b, 0x1020, a, 3); /* of two at one address the last */
	lines_builder_row(b, 0x1018, a, 99); /* backwards */
	lines_builder_row(b, 0x1030, c, 4);
	lines_builder_end_sequence(b, 0x10f0);
	lines_builder_row(b, 0, a, 66);
	lines_builder_row(b, 0x10, a, 67);
	lines_builder_end_sequence(b, 0x20);
	/* So was one that is long enough to reach into code. */
	lines_builder_row(b, 0, a, 68);
	lines_builder_row(b, 0x1000, a, 69);
	lines_builder_row(b, 0x1048, a, 70);
	lines_builder_end_sequence(b, 0x1220);
	lines_builder_row(b, 0x10e0, a, 77);
	lines_builder_end_sequence(b, 0x10f8);
	lines_builder_row(b, 0x1200, a, 88);
	lines_builder_abandon_sequence(b);
}

static int image_make(struct buffer *ret)
{
	struct lines_header h = { .units = 3, .units_damaged = 1, .build_id_bytes = 2 };
	struct elf_file f = file_with_code();
	struct lines_builder b;
	int r = lines_builder_init(&b, &f);

	if (r == 0) {
		claims_add(&b);
		rows_add(&b);
		r = lines_builder_write(&b, &h, ret);
	}
	lines_builder_release(&b);
	return r;
}

static void describe(const struct lines *x, uint64_t vaddr, uint32_t max, char *ret, size_t size)
{
	struct lines_frame frames[LINES_MAX_DEPTH];
	uint32_t count = lines_find(x, vaddr, frames, max);
	size_t len = 0;

	ret[0] = '\0';
	for (uint32_t i = 0; i < count; i++)
		len += (size_t)snprintf(ret + len, size - len, "%s%s %s:%u", i ? " < " : "",
					lines_string(x, frames[i].name),
					lines_string(x, frames[i].file), frames[i].line);
}

static const struct {
	uint64_t vaddr;
	const char *want;
} answers[] = {
	{ 0, "" },
	{ 0xfff, "" },
	{ 0x1000, "outer /a.c:1" },
	{ 0x100f, "outer /a.c:1" },
	{ 0x1010, "middle /a.c:1 < outer /call.c:7" },
	{ 0x101f, "middle /a.c:1 < outer /call.c:7" },
	{ 0x1020, "inner /a.c:3 < middle /call.c:8 < outer /call.c:7" },
	{ 0x102f, "inner /a.c:3 < middle /call.c:8 < outer /call.c:7" },
	{ 0x1030, "middle /b.c:4 < outer /call.c:7" },
	{ 0x107f, "middle /b.c:4 < outer /call.c:7" },
	{ 0x1080, "outer /b.c:4" },
	{ 0x1090, "inner /b.c:4 < middle /call.c:8 < outer /call.c:7" },
	{ 0x109f, "inner /b.c:4 < middle /call.c:8 < outer /call.c:7" },
	{ 0x10a0, "outer /b.c:4" },
	{ 0x10ef, "outer /b.c:4" },
	{ 0x10f0, "outer /a.c:77" },
	{ 0x10f7, "outer /a.c:77" },
	{ 0x10f8, "outer :0" },
	{ 0x10ff, "outer :0" },
	{ 0x1100, "other /b.c:50" },
	{ 0x1107, "other /b.c:50" },
	{ 0x1108, "other /b.c:51" },
	{ 0x110f, "other /b.c:51" },
	{ 0x1110, "" },
	{ 0x1200, "" },
	{ CODE + 0x100000000ull, "" },
	{ UINT64_MAX, "" },
};

static void test_answers(void **state)
{
	struct buffer image = BUFFER_INIT(1u << 20);
	char got[500], want[500], found[300];
	struct lines x;

	(void)state;
	assert_int_equal(image_make(&image), 0);
	assert_int_equal(lines_open(&x, image.data, image.len), 0);
	assert_int_equal(x.header->units, 3);
	assert_int_equal(x.header->units_damaged, 1);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		describe(&x, answers[i].vaddr, LINES_MAX_DEPTH, found, sizeof(found));
		snprintf(got, sizeof(got), "%llx: %s", (unsigned long long)answers[i].vaddr, found);
		snprintf(want, sizeof(want), "%llx: %s", (unsigned long long)answers[i].vaddr,
			 answers[i].want);
		assert_string_equal(got, want);
	}
	describe(&x, 0x1020, 2, found, sizeof(found));
	assert_string_equal(found, "inner /a.c:3 < middle /call.c:8");
	describe(&x, 0x1020, 0, found, sizeof(found));
	assert_string_equal(found, "");
	buffer_release(&image);
}

/*
 * Two units, each with another function inlined into "f", which the linker kept of the first: GNU ld lets the second one
 * speak of that code, too. What only one of them has is that one's.
 */
static int kept_make(struct buffer *ret)
{
	static const char *const names[] = { "first", "second" };
	struct elf_file f = file_with_code();
	struct lines_header h = { .units = 2 };
	struct lines_builder b;
	int r = lines_builder_init(&b, &f);

	for (uint32_t i = 0; i < 2; i++) {
		uint32_t outer, inner;

		lines_builder_unit(&b); /* one without functions */
		lines_builder_unit(&b);
		outer = function(&b, "f", LINES_NONE, 0);
		inner = function(&b, names[i], outer, 10 * (i + 1));
		lines_builder_claim(&b, outer, 0x1000, 0x1100 + i * 0x10);
		lines_builder_claim(&b, inner, 0x1010 + i * 8, 0x1020 + i * 8);
		lines_builder_row(&b, 0x1000, text(&b, i ? "/2.c" : "/1.c"), i + 1);
		lines_builder_end_sequence(&b, 0x1100 + i * 0x10);
	}
	if (r == 0)
		r = lines_builder_write(&b, &h, ret);
	lines_builder_release(&b);
	return r;
}

static void test_kept(void **state)
{
	static const struct {
		uint64_t vaddr;
		const char *want;
	} cases[] = {
		{ 0x100f, "f /1.c:1" },
		{ 0x1010, "first /1.c:1 < f /call.c:10" },
		{ 0x1018, "first /1.c:1 < f /call.c:10" },
		{ 0x101f, "first /1.c:1 < f /call.c:10" },
		{ 0x1020, "f /1.c:1" },
		{ 0x1027, "f /1.c:1" },
		{ 0x10ff, "f /1.c:1" },
		{ 0x1100, "f /2.c:2" },
		{ 0x110f, "f /2.c:2" },
		{ 0x1110, "" },
	};
	struct buffer image = BUFFER_INIT(1u << 20);
	struct lines x;

	(void)state;
	assert_int_equal(kept_make(&image), 0);
	assert_int_equal(lines_open(&x, image.data, image.len), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char found[300];

		describe(&x, cases[i].vaddr, LINES_MAX_DEPTH, found, sizeof(found));
		if (strcmp(found, cases[i].want) != 0)
			fail_msg("%llx: \"%s\", not \"%s\"", (unsigned long long)cases[i].vaddr,
				 found, cases[i].want);
	}
	buffer_release(&image);
}

/* ---- pages ---- */

#define PAGE_ROWS 500u

/* Rows that are this far apart at the most, from one byte to more than a page of any size has. */
static const uint32_t gaps[] = { 1, 2, 63, 64, 65, 1000, 1u << 16, 1u << 22 };

/* Row i is of line i + 1; `starts` has one more: where the last one ends. */
static int sequence_make(uint32_t gap, uint64_t *starts, struct buffer *ret)
{
	static struct elf_range all = { CODE, UINT32_MAX };
	struct elf_file f = { .wide = true, .code = { .items = &all, .count = 1 } };
	struct lines_header h = { 0 };
	struct lines_builder b;
	uint64_t at = CODE + gap;
	int r = lines_builder_init(&b, &f);

	for (uint32_t i = 0; i < PAGE_ROWS; i++) {
		starts[i] = at;
		lines_builder_row(&b, at, text(&b, "/a.c"), i + 1);
		at += 1 + (i * 2654435761u >> 8) % gap;
	}
	starts[PAGE_ROWS] = at;
	lines_builder_end_sequence(&b, at);
	if (r == 0)
		r = lines_builder_write(&b, &h, ret);
	lines_builder_release(&b);
	return r;
}

static void assert_line(const struct lines *x, uint32_t gap, uint64_t vaddr, uint32_t want)
{
	struct lines_frame frame = { 0 };
	uint32_t count = lines_find(x, vaddr, &frame, 1);

	if (count != (want ? 1 : 0) || frame.line != want)
		fail_msg("gap %u, %#llx: line %u of %u frames, not %u", gap,
			 (unsigned long long)vaddr, frame.line, count, want);
}

static void test_pages(void **state)
{
	uint64_t starts[PAGE_ROWS + 1];
	struct lines x;

	(void)state;
	for (size_t g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++) {
		struct buffer image = BUFFER_INIT(1u << 20);

		assert_int_equal(sequence_make(gaps[g], starts, &image), 0);
		assert_int_equal(lines_open(&x, image.data, image.len), 0);
		assert_in_range(x.header->page_count, 1, x.header->stretch_count);
		assert_line(&x, gaps[g], starts[0] - 1, 0);
		for (uint32_t i = 0; i < PAGE_ROWS; i++) {
			assert_line(&x, gaps[g], starts[i], i + 1);
			assert_line(&x, gaps[g], starts[i + 1] - 1, i + 1);
			/* The pages that it reaches over have no stretch of their own. */
			assert_line(&x, gaps[g], starts[i] + (starts[i + 1] - starts[i]) / 2,
				    i + 1);
		}
		assert_line(&x, gaps[g], starts[PAGE_ROWS], 0);
		buffer_release(&image);
	}
}

/* Each byte in turn, each length: whatever is damaged is found. */
static void test_damage(void **state)
{
	struct buffer image = BUFFER_INIT(1u << 20);
	struct lines x;

	(void)state;
	assert_int_equal(image_make(&image), 0);
	for (size_t i = 0; i < image.len; i++) {
		image.data[i] ^= 0x10;
		if (lines_open(&x, image.data, image.len) != -EINVAL)
			fail_msg("byte %zu of %zu was changed, and it was opened", i, image.len);
		image.data[i] ^= 0x10;
	}
	for (size_t len = 0; len < image.len; len++) {
		if (lines_open(&x, image.data, len) != -EINVAL)
			fail_msg("cut to %zu of %zu bytes it was opened", len, image.len);
	}
	assert_int_equal(lines_open(&x, image.data, image.len), 0);
	buffer_release(&image);
}

/* Somebody who makes the checksum right, too: what is found may be nonsense, but it is within the image. */
static void test_forged(void **state)
{
	struct buffer image = BUFFER_INIT(1u << 20);
	const size_t from = offsetof(struct lines_header, checksum) + sizeof(uint64_t);
	struct lines_frame frames[LINES_MAX_DEPTH];
	uint32_t opened = 0;
	struct lines x;

	(void)state;
	assert_int_equal(image_make(&image), 0);
	for (size_t i = from; i < image.len; i++) {
		uint64_t sum;
		char was = image.data[i];

		image.data[i] = (char)0xff;
		sum = XXH3_64bits(image.data + from, image.len - from);
		memcpy(image.data + offsetof(struct lines_header, checksum), &sum, sizeof(sum));
		if (lines_open(&x, image.data, image.len) == 0) {
			opened++;
			for (uint64_t vaddr = CODE; vaddr < CODE + 0x200; vaddr += 4) {
				uint32_t count = lines_find(&x, vaddr, frames, LINES_MAX_DEPTH);

				assert_in_range(count, 0, LINES_MAX_DEPTH);
				for (uint32_t j = 0; j < count; j++)
					assert_in_range(
						strlen(lines_string(&x, frames[j].name)) +
							strlen(lines_string(&x, frames[j].file)),
						0, image.len);
			}
		}
		image.data[i] = was;
	}
	assert_true(opened > 100);
	buffer_release(&image);
}

/* A file without debug information of its code, and one without code. */
static void test_empty(void **state)
{
	struct buffer image = BUFFER_INIT(1u << 20);
	struct lines_header h = { 0 };
	struct elf_file f = file_with_code(), none = { 0 };
	struct lines_frame frame;
	struct lines_builder b;
	struct lines x;

	(void)state;
	assert_int_equal(lines_builder_init(&b, &none), -ENODATA);
	lines_builder_release(&b);
	assert_int_equal(lines_builder_init(&b, &f), 0);
	assert_int_equal(lines_builder_write(&b, &h, &image), 0);
	lines_builder_release(&b);
	assert_int_equal(lines_open(&x, image.data, image.len), 0);
	assert_int_equal(lines_find(&x, CODE, &frame, 1), 0);
	buffer_release(&image);
}

static void test_strings(void **state)
{
	struct elf_file f = file_with_code();
	struct lines_builder b;
	uint32_t one, other;

	(void)state;
	assert_int_equal(lines_builder_init(&b, &f), 0);
	one = text(&b, "one");
	other = text(&b, "on");
	assert_int_not_equal(one, other);
	assert_int_equal(text(&b, "one"), one);
	assert_int_equal(text(&b, "on"), other);
	assert_int_equal(lines_builder_string(&b, "only", 2), other);
	assert_int_equal(text(&b, ""), 0);
	assert_string_equal(b.strings.data + one, "one");
	lines_builder_release(&b);
}

static int torment(void *ctx)
{
	struct buffer image = BUFFER_INIT(1u << 20);
	int r = image_make(&image);

	(void)ctx;
	buffer_release(&image);
	return r;
}

static void test_torture(void **state)
{
	(void)state;
	assert_true(torture(torment, NULL) > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers), cmocka_unit_test(test_kept),
		cmocka_unit_test(test_pages),   cmocka_unit_test(test_damage),
		cmocka_unit_test(test_forged),  cmocka_unit_test(test_empty),
		cmocka_unit_test(test_strings), cmocka_unit_test(test_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
