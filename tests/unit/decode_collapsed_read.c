// SPDX-License-Identifier: Apache-2.0
/*
 * What is read is what our encoder writes again, but for annotations that it doesn't write; wrong lines are named.
 */
#include "profiler/decode/collapsed_read.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "profiler/decode/file_format.h"
#include "profiler/encode/collapsed.h"
#include "tests/unit/encode_profile.h"
#include "tests/unit/torture.h"

static const struct {
	const char *in, *out;
} accepted[] = {
	{ "a;b;c 3\n", "a;b;c 3\n" },
	{ "a;b;c 3", "a;b;c 3\n" }, /* no newline at the end */
	{ "a;b;c 3\r\n\r\n", "a;b;c 3\n" },
	{ "\n# a comment 7\na;b 1\n", "a;b 1\n" },
	{ "a;b 1\na;b 2\n", "a;b 3\n" },
	{ "a b;c d 1\n", "a b;c d 1\n" },
	{ "a 4\n", "a 4\n" }, /* no stack */
	{ "a;b;do_it_[k] 2\n", "a;b;do_it_[k] 2\n" },
	{ "a;jitted_[j] 2\n", "a;jitted 2\n" },
	{ "a;f;g_[i];h_[i];k 2\n", "a;f;g;h;k 2\n" },
	{ "a;g_[i];k 2\n", "a;g;k 2\n" },
	{ "a;b 0\n", "" },
	{ "a;;b 1\n", "a;[unknown];b 1\n" },
	{ "a;b_[x] 1\n", "a;b_[x] 1\n" },
	{ "a;_[k] 1\n", "a;_[k] 1\n" },
	{ "", "" },
};

static const struct {
	const char *in, *why;
} refused[] = {
	{ "a;b 1\na;b\n", "line 2 is no stack with a number behind it: \"a;b\"" },
	{ "a;b 1.5\n", "line 1" },
	{ "a;b -1\n", "line 1" },
	{ "a;b 99999999999999999999\n", "line 1" },
	{ "12\n", "line 1" },
	{ " 12\n", "line 1" },
};

static void test_accepted(void **state)
{
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		struct buffer out = BUFFER_INIT(1 << 16);
		struct err err = { "" };
		struct profile p;

		if (collapsed_read(accepted[i].in, strlen(accepted[i].in), &p, &err) != 0)
			fail_msg("%s: %s", accepted[i].in, err.text);
		assert_int_equal(collapsed_encode(&p, NULL, &out), 0);
		assert_string_equal(buffer_cstr(&out), accepted[i].out);
		buffer_release(&out);
		profile_release(&p);
	}
}

static void test_refused(void **state)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct err err = { "" };
		struct profile p;

		assert_int_equal(collapsed_read(refused[i].in, strlen(refused[i].in), &p, &err),
				 -EINVAL);
		if (!strstr(err.text, refused[i].why))
			fail_msg("%s: is \"%s\", should be \"%s\"", refused[i].in, err.text,
				 refused[i].why);
	}
}

/* Inlined functions and their caller are one location, innermost first. */
static void test_inlined(void **state)
{
	const char text[] = "a;f;g_[i];h_[i] 1\n";
	const struct profile_location *l;
	struct profile p;

	assert_int_equal(collapsed_read(text, sizeof(text) - 1, &p, NULL), 0);
	assert_int_equal(p.locations.count, 1);
	l = &p.locations.items[0];
	assert_int_equal(l->line_count, 3);
	assert_string_equal(profile_text(&p, p.functions.items[p.lines.items[0].function].name),
			    "h");
	assert_string_equal(profile_text(&p, p.functions.items[p.lines.items[2].function].name),
			    "f");
	profile_release(&p);
}

static void test_random_profiles(void **state)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct buffer first = BUFFER_INIT(1 << 24), second = BUFFER_INIT(1 << 24);
		struct profile p, read;

		test_random_profile(&p, seed, 200);
		assert_int_equal(collapsed_encode(&p, NULL, &first), 0);
		assert_int_equal(file_format_of(first.data, first.len), FILE_FORMAT_COLLAPSED);
		assert_int_equal(collapsed_read(first.data, first.len, &read, NULL), 0);
		assert_int_equal(collapsed_encode(&read, NULL, &second), 0);
		assert_string_equal(buffer_cstr(&second), buffer_cstr(&first));
		profile_release(&p);
		profile_release(&read);
		buffer_release(&first);
		buffer_release(&second);
	}
}

static void test_formats(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum file_format format;
	} files[] = {
		{ "slowburn stream\n", 16, FILE_FORMAT_RECORDING },
		{ "\x1f\x8b", 2, FILE_FORMAT_PPROF },
		{ "\n\x04\x08\x01\x10\x02", 6, FILE_FORMAT_PPROF },
		{ "2\x02\x08\x01\n1", 6, FILE_FORMAT_PPROF },
		{ "a;b 1\n", 6, FILE_FORMAT_COLLAPSED },
		{ "a;b 1\r\n", 7, FILE_FORMAT_COLLAPSED },
		{ "# x\n", 4, FILE_FORMAT_COLLAPSED },
		{ "a;b", 3, FILE_FORMAT_COLLAPSED },
		{ "", 0, FILE_FORMAT_PPROF },
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (file_format_of(files[i].bytes, files[i].len) != files[i].format)
			fail_msg("file %zu: is %d, should be %d", i,
				 file_format_of(files[i].bytes, files[i].len), files[i].format);
}

static int read_some(void *ctx)
{
	const char text[] = "a;f;g_[i];h_[k] 1\nb;x_[j] 2\n";
	struct profile p;
	int r = collapsed_read(text, sizeof(text) - 1, &p, NULL);

	if (r == 0)
		profile_release(&p);
	return r;
}

static void test_torture(void **state)
{
	assert_true(torture(read_some, NULL) > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_inlined),  cmocka_unit_test(test_random_profiles),
		cmocka_unit_test(test_formats),  cmocka_unit_test(test_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
