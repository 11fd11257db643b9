// SPDX-License-Identifier: Apache-2.0
#include "profiler/base/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A literal and its length, so that a text may hold a NUL. */
#define TEXT(s) s, sizeof(s) - 1

static const struct {
	const char *text;
	size_t len;
	const char *escaped; /* NULL: as it is */
} rows[] = {
	{ TEXT(""), NULL },
	{ TEXT("postgres"), NULL },
	{ TEXT(" ~"), NULL },
	{ TEXT("back\\slash"), NULL },
	/* the ends of each length of UTF-8, and the code points around the refused ones */
	{ TEXT("\xc2\xa0"), NULL },
	{ TEXT("\xdf\xbf"), NULL },
	{ TEXT("\xe0\xa0\x80"), NULL },
	{ TEXT("\xed\x9f\xbf"), NULL },
	{ TEXT("\xee\x80\x80"), NULL },
	{ TEXT("\xf0\x90\x80\x80"), NULL },
	{ TEXT("\xf4\x8f\xbf\xbf"), NULL },
	{ TEXT("\u061b\u061d\u200d\u2010\u2027\u202f\u2065\u206a"), NULL },
	{ TEXT("日本語 naïve 🔥"), NULL },
	/* control characters */
	{ TEXT("a\nb"), "a\\nb" },
	{ TEXT("a\tb"), "a\\tb" },
	{ TEXT("\r"), "\\x0d" },
	{ TEXT("\0"), "\\x00" },
	{ TEXT("\x1f"), "\\x1f" },
	{ TEXT("\x7f"), "\\x7f" },
	{ TEXT("\x1b[2J"), "\\x1b[2J" },
	{ TEXT("\xc2\x80"), "\\xc2\\x80" },
	{ TEXT("\xc2\x9f"), "\\xc2\\x9f" },
	/* what moves text: line separators and bidirectional controls */
	{ TEXT("\u2028"), "\\xe2\\x80\\xa8" },
	{ TEXT("\u2029"), "\\xe2\\x80\\xa9" },
	{ TEXT("\u202a"), "\\xe2\\x80\\xaa" },
	{ TEXT("\u202e"), "\\xe2\\x80\\xae" },
	{ TEXT("\u2066"), "\\xe2\\x81\\xa6" },
	{ TEXT("\u2069"), "\\xe2\\x81\\xa9" },
	{ TEXT("\u200e"), "\\xe2\\x80\\x8e" },
	{ TEXT("\u200f"), "\\xe2\\x80\\x8f" },
	{ TEXT("\u061c"), "\\xd8\\x9c" },
	{ TEXT("\ufeff"), "\\xef\\xbb\\xbf" },
	/* no UTF-8: stray, cut, overlong, surrogate, too large */
	{ TEXT("\x80"), "\\x80" },
	{ TEXT("\xbf\x41"), "\\xbf\x41" },
	{ TEXT("\xc2"), "\\xc2" },
	{ TEXT("\xc2\x41"), "\\xc2\x41" },
	{ TEXT("\xe2\x82"), "\\xe2\\x82" },
	{ TEXT("\xf0\x9f\x94"), "\\xf0\\x9f\\x94" },
	{ TEXT("\xc0\x80"), "\\xc0\\x80" },
	{ TEXT("\xc1\xbf"), "\\xc1\\xbf" },
	{ TEXT("\xe0\x9f\xbf"), "\\xe0\\x9f\\xbf" },
	{ TEXT("\xf0\x8f\xbf\xbf"), "\\xf0\\x8f\\xbf\\xbf" },
	{ TEXT("\xed\xa0\x80"), "\\xed\\xa0\\x80" },
	{ TEXT("\xed\xbf\xbf"), "\\xed\\xbf\\xbf" },
	{ TEXT("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80" },
	{ TEXT("\xf8\x88\x80\x80\x80"), "\\xf8\\x88\\x80\\x80\\x80" },
	{ TEXT("\xff\xfe"), "\\xff\\xfe" },
	/* what is behind a bad byte still counts */
	{ TEXT("a\xff\xc3\xa9z"), "a\\xff\xc3\xa9z" },
};

static void escapes(void **state)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buffer out = BUFFER_INIT(1024);
		const char *want = rows[i].escaped ? rows[i].escaped : rows[i].text;
		const char *got;

		text_escape(&out, rows[i].text, rows[i].len);
		got = buffer_cstr(&out);
		assert_non_null(got);
		if (strcmp(got, want) != 0)
			fail_msg("row %zu: got \"%s\", want \"%s\"", i, got, want);
		if (!text_is_clean(out.data, out.len))
			fail_msg("row %zu: \"%s\" is still not clean", i, got);
		buffer_release(&out);
	}
}

static void clean_is_what_escaping_leaves(void **state)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool clean = text_is_clean(rows[i].text, rows[i].len);

		if (clean != !rows[i].escaped)
			fail_msg("row %zu: got clean %d, want %d", i, clean, !rows[i].escaped);
	}
}

/* A sequence that ends behind the text is no sequence. */
static void cut_sequences_are_bytes(void **state)
{
	assert_true(text_is_clean("é", 2));
	assert_false(text_is_clean("é", 1));
	assert_true(text_is_clean("🔥", 4));
	assert_false(text_is_clean("🔥", 3));
}

static void a_full_buffer_sticks(void **state)
{
	struct buffer out = BUFFER_INIT(5);

	text_escape(&out, "\x01\x02", 2);
	assert_int_equal(buffer_error(&out), -E2BIG);
	assert_int_equal(out.len, 4);
	buffer_release(&out);
}

static void as_json(void **state)
{
	static const struct {
		const char *text, *want;
	} strings[] = {
		{ "", "\"\"" },
		{ "abc", "\"abc\"" },
		{ "a\"b\\c", "\"a\\\"b\\\\c\"" },
		{ "new\nline", "\"new\\\\nline\"" },
		{ "\x1b[2J", "\"\\\\x1b[2J\"" },
		{ "na\xff", "\"na\\\\xff\"" },
		{ "日本", "\"日本\"" },
	};
	struct buffer little = BUFFER_INIT(4);

	for (size_t i = 0; i < COUNT(strings); i++) {
		struct buffer out = BUFFER_INIT(64);

		text_json(&out, strings[i].text, strlen(strings[i].text));
		assert_non_null(buffer_cstr(&out));
		assert_string_equal(out.data, strings[i].want);
		buffer_release(&out);
	}
	text_json(&little, "abcdef", 6);
	assert_int_equal(buffer_error(&little), -E2BIG);
	buffer_release(&little);
}

static void widths(void **state)
{
	assert_int_equal(text_width("", 0), 0);
	assert_int_equal(text_width("abc", 3), 3);
	assert_int_equal(text_width("naïve", 6), 5);
	assert_int_equal(text_width("日本語", 9), 3);
	assert_int_equal(text_width("🔥", 4), 1);
}

static void fits(void **state)
{
	static const struct {
		const char *text;
		size_t columns;
		bool pad;
		const char *want;
	} fitted[] = {
		{ "", 0, false, "" },           { "", 0, true, "" },
		{ "", 3, true, "   " },         { "", 3, false, "" },
		{ "abc", 4, true, "abc " },     { "abc", 4, false, "abc" },
		{ "abc", 3, true, "abc" },      { "abc", 2, true, "a…" },
		{ "abc", 1, true, "…" },        { "abc", 0, true, "" },
		{ "naïve", 6, true, "naïve " }, { "naïve", 5, true, "naïve" },
		{ "naïve", 4, true, "naï…" },   { "naïve", 3, true, "na…" },
		{ "日本語", 2, false, "日…" },  { "🔥🔥", 1, false, "…" },
	};

	for (size_t i = 0; i < COUNT(fitted); i++) {
		struct buffer out = BUFFER_INIT(64);
		const char *got;

		text_fit(&out, fitted[i].text, strlen(fitted[i].text), fitted[i].columns,
			 fitted[i].pad);
		got = buffer_cstr(&out);
		assert_non_null(got);
		if (strcmp(got, fitted[i].want) != 0)
			fail_msg("\"%s\" in %zu: got \"%s\", want \"%s\"", fitted[i].text,
				 fitted[i].columns, got, fitted[i].want);
		buffer_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes),
		cmocka_unit_test(clean_is_what_escaping_leaves),
		cmocka_unit_test(cut_sequences_are_bytes),
		cmocka_unit_test(a_full_buffer_sticks),
		cmocka_unit_test(as_json),
		cmocka_unit_test(widths),
		cmocka_unit_test(fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
