// SPDX-License-Identifier: Apache-2.0
/*
 * Tables: what is accepted and what it matches, what is refused and where.
 */
#include "profiler/query/matchers.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/encode_profile.h"
#include "tests/unit/torture.h"

static const struct {
	const char *text;
	const char *holds; /* for which of the series below: a letter each */
} accepted[] = {
	{ "", "pnx" },
	{ "{}", "pnx" },
	{ "comm=\"postgres\"", "p" },
	{ " { comm = \"postgres\" , } ", "p" },
	{ "comm!=\"postgres\"", "nx" },
	{ "comm=~\"post.*\"", "p" },
	{ "comm=~\"post\"", "" }, /* the whole value */
	{ "comm=~\"post|nginx\"", "n" },
	{ "comm!~\"post.*|nginx\"", "x" },
	{ "comm=''", "x" },
	{ "comm!=\"\"", "pn" },
	{ "pid=\"4711\"", "p" },
	{ "pid=~\"47..\"", "pn" },
	{ "pid=\"-5\"", "x" },
	{ "missing=\"\"", "pnx" },
	{ "missing!=\"\"", "" },
	{ "missing=~\".*\",comm=~\".+\"", "pn" },
	{ "comm=~\".*\",pid!=\"4711\"", "nx" },
	{ "comm=\"post\\x67res\"", "p" },
	{ "comm=`nginx`", "n" },
	{ "cgroup=\"a\\\"b\\\\c\\n\"", "x" },
	{ "cgroup=~`a\"b\\\\c\\n`", "x" },
	{ "cgroup='a\"b\\\\c\\n'", "x" },
};

static const struct {
	const char *text;
	int at; /* character, from 1 */
	const char *why;
} refused[] = {
	{ "=", 1, "a label's name is expected" },
	{ "1a=\"\"", 1, "a label's name is expected" },
	{ "comm", 5, "=, !=, =~ or !~ is expected" },
	{ "comm!\"x\"", 6, "!= or !~ is expected" },
	{ "comm=x", 6, "a value in quotes is expected" },
	{ "comm==\"x\"", 6, "a value in quotes is expected" },
	{ "comm=\"x", 8, "no closing quote" },
	{ "comm=\"x' ", 10, "no closing quote" },
	{ "comm=\"\\q\"", 8, "no such escape" },
	{ "comm=\"\\x0\"", 8, "no such escape" },
	{ "comm=\"\\x00\"", 8, "no such escape" },
	{ "comm=\"x\" pid=\"1\"", 10, "a comma is expected" },
	{ "{comm=\"x\"", 10, "a comma or } is expected" },
	{ "{comm=\"x\"} pid", 12, "nothing is expected behind }" },
	{ "comm=\"x\"}", 9, "a comma is expected" },
	{ ",", 1, "a label's name is expected" },
	{ "comm=\"a\",,", 10, "a label's name is expected" },
	{ "comm=~\"(\"", 7, "missing closing parenthesis" },
	{ "pid=\"1\",comm=~\"a{2,1}\"", 15, "numbers out of order" },
};

/* p: postgres, 4711; n: nginx, 4712; x: no comm, -5, a hostile cgroup. */
static void three_series(struct profile *p)
{
	struct profile_label labels[3];

	test_profile(p);
	test_series(p, "postgres", 4711, 1);
	test_series(p, "nginx", 4712, 1);
	labels[0] = test_number(p, "pid", -5);
	labels[1] = test_label(p, "cgroup", "a\"b\\c\n");
	test_id(profile_series(p, labels, 2));
}

static void test_accepted(void **state)
{
	struct profile p;

	three_series(&p);
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		struct matchers *m = NULL;
		struct err err = { "" };
		char got[4] = "";
		size_t n = 0;

		if (matchers_new(&m, accepted[i].text, &err) != 0)
			fail_msg("%s: %s", accepted[i].text, err.text);
		for (uint32_t s = 0; s < 3; s++)
			if (matchers_hold(m, &p, s) > 0)
				got[n++] = "pnx"[s];
		if (strcmp(got, accepted[i].holds) != 0)
			fail_msg("%s: holds for \"%s\", should for \"%s\"", accepted[i].text, got,
				 accepted[i].holds);
		matchers_free(m);
	}
	profile_release(&p);
}

static void test_refused(void **state)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct matchers *m = NULL;
		struct err err = { "" };
		char where[40];

		assert_int_equal(matchers_new(&m, refused[i].text, &err), -EINVAL);
		snprintf(where, sizeof(where), "at character %d: ", refused[i].at);
		if (!strstr(err.text, where) || !strstr(err.text, refused[i].why))
			fail_msg("%s: is \"%s\", should be %s… %s", refused[i].text, err.text,
				 where, refused[i].why);
	}
}

static void test_limits(void **state)
{
	struct buffer text = BUFFER_INIT(1 << 16);
	struct matchers *m = NULL;
	struct err err;

	for (int i = 0; i < MATCHERS_MAX; i++)
		buffer_text(&text, "a=\"\",");
	assert_int_equal(matchers_new(&m, buffer_cstr(&text), &err), 0);
	matchers_free(m);
	buffer_text(&text, "a=\"\"");
	assert_int_equal(matchers_new(&m, buffer_cstr(&text), &err), -EINVAL);
	while (text.len <= MATCHERS_MAX_BYTES)
		buffer_text(&text, " ");
	assert_int_equal(matchers_new(&m, buffer_cstr(&text), &err), -E2BIG);
	buffer_release(&text);
}

/* Takes 2^n steps: given up, and not tried again on the next value. */
static void test_slow_expression(void **state)
{
	struct profile p;
	struct matchers *m;

	test_profile(&p);
	test_series(&p, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", 1, 1);
	assert_int_equal(matchers_new(&m, "comm=~\"(a|a|a?)+\"", NULL), 0);
	assert_int_equal(matchers_hold(m, &p, 0), -ELOOP);
	assert_int_equal(matchers_hold(m, &p, 0), -ELOOP);
	matchers_free(m);
	profile_release(&p);
}

static int parse_some(void *ctx)
{
	struct matchers *m = NULL;
	int r = matchers_new(&m, "a=\"b\",c=~\"d\"", NULL);

	matchers_free(m);
	return r;
}

static void test_torture(void **state)
{
	assert_true(torture(parse_some, NULL) >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),   cmocka_unit_test(test_slow_expression),
		cmocka_unit_test(test_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
