// SPDX-License-Identifier: Apache-2.0
#include "profiler/encode/collapsed.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/base/number.h"
#include "profiler/base/text.h"
#include "tests/unit/encode_profile.h"
#include "tests/unit/torture.h"

static void expect(const struct profile *p, const char *root, const char *expected)
{
	struct buffer out = BUFFER_INIT(1 << 20);
	struct root_keys keys;

	if (root)
		assert_int_equal(root_keys_parse(&keys, root, NULL), 0);
	assert_int_equal(collapsed_encode(p, root ? &keys : NULL, &out), 0);
	assert_string_equal(buffer_cstr(&out), expected);
	buffer_release(&out);
}

static void test_lines(void **state)
{
	struct profile p;
	uint32_t a, b, c;

	test_profile(&p);
	a = test_series(&p, "sh", 1, 1);
	b = test_series(&p, "sh", 2, 2);
	c = test_series(&p, "make", 3, 3);
	test_stack(&p, a, 3, "main@a", "f@a", "sys_read@[kernel.kallsyms]", NULL);
	test_stack(&p, b, 4, "main@a", "f@a", "sys_read@[kernel.kallsyms]", NULL);
	test_stack(&p, a, 1, "main@a", "f@a", NULL);
	/* One name in two modules: one line. */
	test_stack(&p, a, 1, "main@b", "f@b", NULL);
	test_stack(&p, c, 2, "main@a", "f-g@a", NULL);
	test_stack(&p, c, 5, "main@a", "f@a", "x@a", NULL);
	test_stack(&p, c, 6, NULL);
	expect(&p, NULL,
	       "make 6\n"
	       "make;main;f-g 2\n"
	       "make;main;f;x 5\n"
	       "sh;main;f 2\n"
	       "sh;main;f;sys_read_[k] 7\n");
	expect(&p, "comm,pid",
	       "comm: make;pid: 3 6\n"
	       "comm: make;pid: 3;main;f-g 2\n"
	       "comm: make;pid: 3;main;f;x 5\n"
	       "comm: sh;pid: 1;main;f 2\n"
	       "comm: sh;pid: 1;main;f;sys_read_[k] 3\n"
	       "comm: sh;pid: 2;main;f;sys_read_[k] 4\n");
	profile_release(&p);
}

static void test_nothing_and_lost(void **state)
{
	struct profile p;

	test_profile(&p);
	expect(&p, NULL, "");
	p.counters.value[COUNTER_SAMPLES_LOST_RING] = 7;
	expect(&p, NULL, "[lost samples] 7\n");
	test_stack(&p, test_series(&p, "Z", 1, 1), 1, "f", NULL);
	test_stack(&p, test_series(&p, "a", 1, 1), 1, "f", NULL);
	expect(&p, NULL, "Z;f 1\n[lost samples] 7\na;f 1\n");
	profile_release(&p);
}

static void test_hostile_names(void **state)
{
	struct profile p;
	uint32_t s;

	test_profile(&p);
	s = test_series(&p, "a;b\nc 1", 1, 1);
	test_stack(&p, s, 1, "f;g@a", "\033[2J@a", "\xff@a", "operator new 7@a", NULL);
	test_stack(&p, test_series(&p, "", 1, 1), 1, "@a", NULL);
	expect(&p, NULL,
	       "[unknown];[unknown] 1\n"
	       "a:b\\nc 1;f:g;\\x1b[2J;\\xff;operator new 7 1\n");
	profile_release(&p);
}

static void test_long_name(void **state)
{
	struct buffer out = BUFFER_INIT(1 << 20);
	char name[10001];
	struct profile p;

	test_profile(&p);
	memset(name, 'x', sizeof(name));
	name[10000] = '\0';
	test_stack(&p, test_series(&p, "a", 1, 1), 1, name, NULL);
	assert_int_equal(collapsed_encode(&p, NULL, &out), 0);
	assert_int_equal(out.len, strlen("a;") + 10000 + strlen(" 1\n"));
	buffer_release(&out);
	profile_release(&p);
}

/* Every line parses, they are sorted and distinct, and counts add up. */
static void test_random_lines(void **state)
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct buffer out = BUFFER_INIT(1 << 24);
		const char *line, *last = NULL;
		size_t last_len = 0;
		uint64_t sum = 0;
		struct profile p;

		test_random_profile(&p, seed, 400);
		assert_int_equal(collapsed_encode(&p, NULL, &out), 0);
		for (line = buffer_cstr(&out); *line;) {
			const char *end = strchr(line, '\n'),
				   *space = memrchr(line, ' ', end - line);
			size_t len = (size_t)(space - line);
			uint64_t count;

			assert_int_equal(number_parse(space + 1, (size_t)(end - space - 1),
						      UINT64_MAX, &count),
					 0);
			sum += count;
			if (last) {
				int r = memcmp(last, line, last_len < len ? last_len : len);

				assert_true(r < 0 || (r == 0 && last_len < len));
			}
			last = line;
			last_len = len;
			line = end + 1;
		}
		assert_int_equal(sum, profile_total_count(&p));
		buffer_release(&out);
		profile_release(&p);
	}
}

static void test_limit(void **state)
{
	struct buffer out = BUFFER_INIT(100);
	struct profile p;

	test_random_profile(&p, 1, 100);
	assert_int_equal(collapsed_encode(&p, NULL, &out), -E2BIG);
	buffer_release(&out);
	profile_release(&p);
}

static int encode(void *ctx)
{
	static size_t whole;
	struct buffer out = BUFFER_INIT(1 << 20);
	struct root_keys keys;
	int r = root_keys_parse(&keys, "comm,tid", NULL);

	if (r == 0)
		r = collapsed_encode(ctx, &keys, &out);
	if (r == 0)
		test_whole(&whole, &out);
	buffer_release(&out);
	return r;
}

static void test_torture(void **state)
{
	struct profile p;

	test_random_profile(&p, 3, 50);
	p.counters.value[COUNTER_SAMPLES_LOST_RING] = 7;
	assert_int_equal(encode(&p), 0);
	assert_true(torture(encode, &p) > 20);
	profile_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),         cmocka_unit_test(test_nothing_and_lost),
		cmocka_unit_test(test_hostile_names), cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_random_lines),  cmocka_unit_test(test_limit),
		cmocka_unit_test(test_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
