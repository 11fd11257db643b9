// SPDX-License-Identifier: Apache-2.0
#include "web/host.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_parse(void **state)
{
	static const struct {
		const char *text, *name; /* NULL: refused */
		uint32_t port;
		bool local;
	} rows[] = {
		{ "localhost", "localhost", 0, true },
		{ "LocalHost:7799", "localhost", 7799, true },
		{ "127.0.0.1:1", "127.0.0.1", 1, true },
		{ "[::1]:65535", "::1", 65535, true },
		{ "[::1]", "::1", 0, true },
		{ "127.0.0.2", "127.0.0.2", 0, false },
		{ "localhost.", "localhost.", 0, false },
		{ "localhost.evil.example", "localhost.evil.example", 0, false },
		{ "a-b_c.example:80", "a-b_c.example", 80, false },
		{ "[FE80::1]:80", "fe80::1", 80, false },
		{ "", NULL, 0, false },
		{ ":80", NULL, 0, false },
		{ "a:", NULL, 0, false },
		{ "a:0", NULL, 0, false },
		{ "a:65536", NULL, 0, false },
		{ "a:+1", NULL, 0, false },
		{ "a:80 ", NULL, 0, false },
		{ " a", NULL, 0, false },
		{ "a b", NULL, 0, false },
		{ "a,localhost", NULL, 0, false },
		{ "x@localhost", NULL, 0, false },
		{ "localhost/", NULL, 0, false },
		{ "::1", NULL, 0, false },
		{ "[::1", NULL, 0, false },
		{ "[]", NULL, 0, false },
		{ "[::1]x", NULL, 0, false },
		{ "[::1%25lo]", NULL, 0, false },
		{ "[localhost]", NULL, 0, false },
		{ "l\xc3\xb6", NULL, 0, false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct host h = { "untouched", 4711 };
		int r = host_parse(rows[i].text, &h);

		if (r != (rows[i].name ? 0 : -EINVAL))
			fail_msg("\"%s\": %d", rows[i].text, r);
		if (strcmp(h.name, rows[i].name ? rows[i].name : "untouched") != 0 ||
		    h.port != (rows[i].name ? rows[i].port : 4711))
			fail_msg("\"%s\" is \"%s\" %u", rows[i].text, h.name, h.port);
		if (r == 0 && host_is_local(&h) != rows[i].local)
			fail_msg("\"%s\" is %slocal", rows[i].text, rows[i].local ? "not " : "");
	}
}

static void test_longest(void **state)
{
	char text[HOST_MAX_NAME + 2];
	struct host h;

	memset(text, 'a', sizeof(text));
	text[HOST_MAX_NAME] = '\0';
	assert_int_equal(host_parse(text, &h), 0);
	assert_int_equal(strlen(h.name), HOST_MAX_NAME);
	text[HOST_MAX_NAME] = 'a';
	text[HOST_MAX_NAME + 1] = '\0';
	assert_int_equal(host_parse(text, &h), -EINVAL);
}

static void test_origin(void **state)
{
	static const struct {
		const char *host, *origin;
		bool same;
	} rows[] = {
		{ "localhost:7799", "http://localhost:7799", true },
		{ "LOCALHOST:7799", "HTTP://localhost:7799", true },
		{ "prof.example", "https://prof.example", true },
		{ "prof.example", "http://prof.example:80", true },
		{ "prof.example:443", "https://prof.example", true },
		{ "[::1]:7799", "http://[::1]:7799", true },
		{ "localhost:7799", "http://localhost:7798", false },
		{ "localhost:7799", "http://localhost", false },
		{ "localhost:7799", "http://127.0.0.1:7799", false },
		{ "prof.example", "http://prof.example:443", false },
		{ "prof.example", "https://prof.example.evil", false },
		{ "prof.example", "https://prof.example/", false },
		{ "prof.example", "prof.example", false },
		{ "prof.example", "ftp://prof.example", false },
		{ "prof.example", "null", false },
		{ "prof.example", "", false },
		{ "", "http://", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		if (host_is_origin(rows[i].host, rows[i].origin) != rows[i].same)
			fail_msg("\"%s\" and \"%s\": %d", rows[i].host, rows[i].origin,
				 !rows[i].same);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_origin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
