// SPDX-License-Identifier: Apache-2.0
#include "web/target.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/base/cleanup.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* "path|name=value|…" as it was understood. */
static void show(const struct target *t, char *ret, size_t size)
{
	int n = snprintf(ret, size, "%s", t->path);

	for (uint32_t i = 0; i < t->count; i++)
		n += snprintf(ret + n, size - (size_t)n, "|%s=%s", t->parameters[i].name,
			      t->parameters[i].value);
}

static void test_parse(void **state)
{
	static const struct {
		const char *raw, *understood; /* NULL: refused with -EINVAL */
	} rows[] = {
		{ "/", "/" },
		{ "/a/b", "/a/b" },
		{ "/a%2Fb%20c", "/a/b c" },
		{ "/a+b", "/a+b" },
		{ "/?", "/" },
		{ "/?a=b", "/|a=b" },
		{ "/?a", "/|a=" },
		{ "/?=b", "/|=b" },
		{ "/?a=b&&c=d&", "/|a=b|c=d" },
		{ "/?a=b=c", "/|a=b=c" },
		{ "/?a=b?c", "/|a=b?c" },
		{ "/?a+b=c+d%2B", "/|a b=c d+" },
		{ "/?q=comm%3D%22x%22%2Ca%3D~%22b.%2A%22", "/|q=comm=\"x\",a=~\"b.*\"" },
		{ "/?a=%C3%A4", "/|a=\xc3\xa4" },
		{ "/?a=1%0A2%09", "/|a=1\n2\t" },
		{ "/?a;b=c", "/|a;b=c" },
		{ "", NULL },
		{ "a", NULL },
		{ "*", NULL },
		{ "//host/", NULL },
		{ "http://host/", NULL },
		{ "/%", NULL },
		{ "/%4", NULL },
		{ "/%4g", NULL },
		{ "/%g4", NULL },
		{ "/%00", NULL },
		{ "/%0a", NULL },
		{ "/%7f", NULL },
		{ "/?a=%00", NULL },
		{ "/?a%0a=", NULL },
		{ "/?a=%0d", NULL },
		{ "/?a=%1b", NULL },
		{ "/?a=%", NULL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char understood[256];
		struct err err = { "" };
		struct target t;
		int r = target_parse(&t, rows[i].raw, &err);

		if (r < 0 && (rows[i].understood || r != -EINVAL || !*err.text))
			fail_msg("\"%s\": %d \"%s\"", rows[i].raw, r, err.text);
		if (r == 0) {
			show(&t, understood, sizeof(understood));
			if (!rows[i].understood || strcmp(understood, rows[i].understood) != 0)
				fail_msg("\"%s\" is \"%s\", should be \"%s\"", rows[i].raw,
					 understood,
					 rows[i].understood ? rows[i].understood : "refused");
		}
		target_release(&t);
	}
}

/* A target of this length, which is one parameter. */
static int parse_long(size_t len)
{
	char *raw = malloc(len + 1);
	struct target t;
	int r;

	memset(raw, 'x', len);
	memcpy(raw, "/?a=", 4);
	raw[len] = '\0';
	r = target_parse(&t, raw, NULL);
	target_release(&t);
	free(raw);
	return r;
}

static int parse_many(uint32_t count)
{
	_cleanup_(buffer_release) struct buffer raw = BUFFER_INIT(TARGET_MAX_BYTES);
	struct target t;
	int r;

	buffer_text(&raw, "/?");
	for (uint32_t i = 0; i < count; i++)
		buffer_printf(&raw, "p%u=%u&", i, i);
	r = target_parse(&t, buffer_cstr(&raw), NULL);
	target_release(&t);
	return r;
}

static void test_limits(void **state)
{
	assert_int_equal(parse_long(TARGET_MAX_BYTES), 0);
	assert_int_equal(parse_long(TARGET_MAX_BYTES + 1), -E2BIG);
	assert_int_equal(parse_many(READER_MAX_PARAMETERS), 0);
	assert_int_equal(parse_many(READER_MAX_PARAMETERS + 1), -E2BIG);
}

/* What a client is sent to is the same path of the same host. */
static void test_write(void **state)
{
	static const struct {
		const char *raw, *written;
	} rows[] = {
		{ "/", "/" },
		{ "/a/b?token=x", "/a/b" },
		{ "/?token=x&a=b%20c&token=y&d", "/?a=b%20c&d=" },
		{ "/%2Fhost/x?token=1", "/%2Fhost/x" },
		{ "/%5Chost?token=1", "/%5Chost" },
		{ "/a?b=%22%0A%C3%A4", "/a?b=%22%0A%C3%A4" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		_cleanup_(buffer_release) struct buffer out = BUFFER_INIT(1024);
		struct target t;

		assert_int_equal(target_parse(&t, rows[i].raw, NULL), 0);
		target_remove(&t, "token");
		assert_null(target_find(&t, "token"));
		target_write(&t, &out);
		assert_string_equal(buffer_cstr(&out), rows[i].written);
		target_release(&t);
	}
}

static void test_find(void **state)
{
	struct target t;

	assert_int_equal(target_parse(&t, "/?a=1&b=2&a=3", NULL), 0);
	assert_string_equal(target_find(&t, "a"), "1");
	assert_string_equal(target_find(&t, "b"), "2");
	assert_null(target_find(&t, "c"));
	target_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
