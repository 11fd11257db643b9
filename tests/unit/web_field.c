// SPDX-License-Identifier: Apache-2.0
#include "web/field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_gzip(void **state)
{
	static const struct {
		const char *value;
		bool gzip;
	} rows[] = {
		{ NULL, false },
		{ "", false },
		{ "gzip", true },
		{ "GZip", true },
		{ "deflate, gzip;q=1.0, br", true },
		{ "deflate,\tgzip ; q=0.5", true },
		{ "*", true },
		{ "identity;q=0, *;q=1", true },
		{ "gzip;q=0", false },
		{ "gzip; q=0.000", false },
		{ "gzip;q=0, *", false },
		{ "*, gzip;q=0", false },
		{ "*;q=0", false },
		{ "identity", false },
		{ "x-gzip", false },
		{ "gzipped", false },
		{ ",,,", false },
		{ ";q=1", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		if (field_accepts_gzip(rows[i].value) != rows[i].gzip)
			fail_msg("\"%s\": %d", rows[i].value, !rows[i].gzip);
}

static void test_etag(void **state)
{
	static const struct {
		const char *value;
		bool matches;
	} rows[] = {
		{ NULL, false },       { "", false },          { "\"abc\"", true },
		{ "W/\"abc\"", true }, { "*", true },          { "\"x\", \"abc\"", true },
		{ "\"abcd\"", false }, { "\"ab\"", false },    { "abc", false },
		{ "\"ABC\"", false },  { "w/\"abc\"", false }, { "\"abc\" x", false },
		{ "W/", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		if (field_matches_etag(rows[i].value, "\"abc\"") != rows[i].matches)
			fail_msg("%s: %d", rows[i].value, !rows[i].matches);
}

static void test_cookie(void **state)
{
	static const struct {
		const char *value, *found; /* NULL: none */
	} rows[] = {
		{ NULL, NULL },
		{ "", NULL },
		{ "s_1=abc", "abc" },
		{ "a=b; s_1=abc; c=d", "abc" },
		{ "a=b;s_1=abc ", "abc" },
		{ "s_1=", "" },
		{ "s_1=a=b", "a=b" },
		{ "s_1=first; s_1=second", "first" },
		{ "s_11=abc", NULL },
		{ "xs_1=abc", NULL },
		{ "s_1", NULL },
		{ "S_1=abc", NULL },
		{ ";;; ;", NULL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char value[FIELD_MAX_SECRET];
		bool found = field_cookie(rows[i].value, "s_1", value);

		if (found != !!rows[i].found || (found && strcmp(value, rows[i].found) != 0))
			fail_msg("\"%s\": \"%s\"", rows[i].value, found ? value : "none");
	}
}

static void test_token(void **state)
{
	static const struct {
		const char *value, *token; /* NULL: none */
	} rows[] = {
		{ NULL, NULL },
		{ "", NULL },
		{ "Bearer abc", "abc" },
		{ "bEARER \t abc  ", "abc" },
		{ "Bearer", NULL },
		{ "Bearer ", NULL },
		{ "Bearerabc", NULL },
		{ "Bearer a b", NULL },
		{ "Basic eDphYmM=", "abc" }, /* x:abc */
		{ "basic eDphYmM", "abc" },
		{ "Basic OmE6Yg==", "a:b" }, /* :a:b */
		{ "Basic eDo=", "" }, /* x: */
		{ "Basic eA==", NULL }, /* x */
		{ "Basic eDphAGI=", NULL }, /* a NUL in it */
		{ "Basic eDph!mM=", NULL },
		{ "Basic =", NULL },
		{ "Basic", NULL },
		{ "Digest abc", NULL },
		{ "abc", NULL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char token[FIELD_MAX_SECRET];
		bool found = field_token(rows[i].value, token);

		if (found != !!rows[i].token || (found && strcmp(token, rows[i].token) != 0))
			fail_msg("\"%s\": \"%s\"", rows[i].value, found ? token : "none");
	}
}

/* One byte fewer than there is room for, and as many. */
static void test_longest(void **state)
{
	char value[FIELD_MAX_SECRET + 16], found[FIELD_MAX_SECRET];

	for (size_t extra = 0; extra < 2; extra++) {
		size_t len = FIELD_MAX_SECRET - 1 + extra;

		memset(value, 'A', sizeof(value));
		memcpy(value, "Bearer ", 7);
		value[7 + len] = '\0';
		assert_int_equal(field_token(value, found), !extra);
		memcpy(value, "s_1=", 4);
		value[4 + len] = '\0';
		assert_int_equal(field_cookie(value, "s_1", found), !extra);
	}
}

static void test_secret(void **state)
{
	static const struct {
		const char *given, *secret;
		bool is;
	} rows[] = {
		{ "abc", "abc", true },   { "abc", "abd", false }, { "ab", "abc", false },
		{ "abcd", "abc", false }, { "", "abc", false },    { "", "", false },
		{ "abc", "", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		if (field_is_secret(rows[i].given, rows[i].secret) != rows[i].is)
			fail_msg("\"%s\" for \"%s\": %d", rows[i].given, rows[i].secret,
				 !rows[i].is);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gzip),    cmocka_unit_test(test_etag),
		cmocka_unit_test(test_cookie),  cmocka_unit_test(test_token),
		cmocka_unit_test(test_longest), cmocka_unit_test(test_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
