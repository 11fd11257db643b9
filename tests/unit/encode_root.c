// SPDX-License-Identifier: Apache-2.0
#include "profiler/encode/root.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/encode_profile.h"
#include "tests/unit/torture.h"

static void test_keys(void **state)
{
	static const struct {
		const char *text;
		uint32_t count; /* 0: refused */
		const char *says; /* a part of the error */
	} cases[] = {
		{ "comm", 1, NULL },
		{ "comm,pid", 2, NULL },
		{ "cgroup,comm,thread,pid,tid", 5, NULL },
		{ "", 0, "\"\"" },
		{ "com", 0, "\"com\"" },
		{ "commm", 0, "\"commm\"" },
		{ "comm,", 0, "\"\"" },
		{ ",comm", 0, "\"\"" },
		{ "comm, pid", 0, "\" pid\"" },
		{ "comm,pid,comm", 0, "\"comm\" is given twice" },
		{ "Comm", 0, "comm, thread, pid, tid, cgroup" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct root_keys keys = { .count = 77 };
		struct err err = { "" };
		int r = root_keys_parse(&keys, cases[i].text, &err);

		if (cases[i].count) {
			assert_int_equal(r, 0);
			assert_int_equal(keys.count, cases[i].count);
			continue;
		}
		assert_int_equal(r, -EINVAL);
		assert_int_equal(keys.count, 77);
		if (!strstr(err.text, cases[i].says))
			fail_msg("\"%s\": \"%s\" doesn't say %s", cases[i].text, err.text,
				 cases[i].says);
	}
}

static void test_order_is_kept(void **state)
{
	struct root_keys keys;

	assert_int_equal(root_keys_parse(&keys, "pid,comm", NULL), 0);
	assert_string_equal(keys.keys[0], "pid");
	assert_string_equal(keys.keys[1], "comm");
}

static void test_frames(void **state)
{
	struct buffer out = BUFFER_INIT(1000);
	struct profile p;
	uint32_t s, none;

	test_profile(&p);
	s = test_series(&p, "a\nb", -3, 4);
	none = test_id(profile_series(&p, NULL, 0));
	assert_int_equal(root_frame_text(&p, s, "comm", &out), 0);
	buffer_text(&out, "|");
	assert_int_equal(root_frame_text(&p, s, "pid", &out), 0);
	buffer_text(&out, "|");
	assert_int_equal(root_frame_text(&p, none, "pid", &out), 0);
	assert_string_equal(buffer_cstr(&out), "comm: a\\nb|pid: -3|pid: -");
	buffer_release(&out);
	profile_release(&p);
}

static int intern_some(void *ctx)
{
	struct root_texts t;
	int r = 0;

	root_texts_init(&t);
	for (char c = 'a'; c <= 'z' && r >= 0; c++) {
		r = root_texts_add(&t, &c, 1);
		if (r >= 0)
			assert_int_equal(r, c - 'a');
	}
	for (uint32_t i = 0; i < t.items.count; i++)
		assert_int_equal(root_texts_add(&t, t.items.items[i].text, 1), i);
	root_texts_release(&t);
	return r < 0 ? r : 0;
}

static void test_texts(void **state)
{
	assert_true(torture(intern_some, NULL) > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_order_is_kept),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
