// SPDX-License-Identifier: Apache-2.0
#include "profiler/command/answer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TIME_S 1795365901 /* 2026-11-22 16:45:01 UTC */
#define SIXTY_FOUR "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void file_names(void **state)
{
	static const struct {
		const char *host, *name;
	} rows[] = {
		{ "vm", "slowburn-vm-20261122-164501.pb.gz" },
		{ "db-1.example.org", "slowburn-db-1.example.org-20261122-164501.pb.gz" },
		{ "A_b9", "slowburn-A_b9-20261122-164501.pb.gz" },
		{ "", "slowburn-host-20261122-164501.pb.gz" },
		{ ".", "slowburn-_-20261122-164501.pb.gz" },
		{ "../../etc/x", "slowburn-_._.._etc_x-20261122-164501.pb.gz" },
		{ "-rf", "slowburn-_rf-20261122-164501.pb.gz" },
		{ "a b\nc\x1b$(d)", "slowburn-a_b_c___d_-20261122-164501.pb.gz" },
		{ "h\xc3\xa4", "slowburn-h__-20261122-164501.pb.gz" },
		{ SIXTY_FOUR, "slowburn-" SIXTY_FOUR "-20261122-164501.pb.gz" },
		{ SIXTY_FOUR "x", "slowburn-" SIXTY_FOUR "-20261122-164501.pb.gz" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char name[160] = "";
		int r = answer_file_name(rows[i].host, TIME_S, name, sizeof(name));

		if (r != 0 || strcmp(name, rows[i].name) != 0)
			fail_msg("\"%s\": got %d and \"%s\", want 0 and \"%s\"", rows[i].host, r,
				 name, rows[i].name);
	}
}

static void file_name_without_room(void **state)
{
	const char want[] = "slowburn-vm-20261122-164501.pb.gz";
	char name[sizeof(want)];

	assert_int_equal(answer_file_name("vm", TIME_S, name, sizeof(name)), 0);
	assert_string_equal(name, want);
	assert_int_equal(answer_file_name("vm", TIME_S, name, sizeof(name) - 1), -ENAMETOOLONG);
}

static void formats_by_file(void **state)
{
	static const struct {
		const char *path, *format;
	} rows[] = {
		{ "a.pb.gz", "pprof" },
		{ "a.pprof", "pprof" },
		{ "a.prof", "pprof" },
		{ "a.txt", "text" },
		{ "a.collapsed", "collapsed" },
		{ "a.folded", "collapsed" },
		{ "/x.txt/a", "pprof" },
		{ "a.txt.gz", "pprof" },
		{ "a.TXT", "pprof" },
		{ "txt", "pprof" },
		{ ".txt", "pprof" }, /* a hidden file's name, not an end */
		{ "-", "pprof" },
		{ "", "pprof" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *got = format_by_file(rows[i].path)->name;

		if (strcmp(got, rows[i].format) != 0)
			fail_msg("\"%s\": got %s, want %s", rows[i].path, got, rows[i].format);
	}
}

static void formats_by_name(void **state)
{
	struct err err = { "" };

	assert_ptr_equal(format_by_name("text", &err), &format_text);
	assert_ptr_equal(format_by_name("pprof", &err), &format_pprof);
	assert_ptr_equal(format_by_name("collapsed", &err), &format_collapsed);
	assert_null(format_by_name("Text", &err));
	assert_string_equal(err.text, "format \"Text\" is not text, pprof, collapsed or json");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_names),
		cmocka_unit_test(file_name_without_room),
		cmocka_unit_test(formats_by_file),
		cmocka_unit_test(formats_by_name),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
