// SPDX-License-Identifier: Apache-2.0
#include "profiler/store/catalog.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/store/level.h"
#include "tests/unit/store_directory.h"

static void test_names(void **state)
{
	static const struct {
		const char *name;
		uint32_t level;
		uint64_t slot_s, first, last;
	} good[] = {
		{ "10s-20251123T05-42-42.slowburn", 0, 1763874000, 42, 42 },
		{ "5min-20251123T23-1-18446744073709551614.slowburn", 1, 1763938800, 1,
		  UINT64_MAX - 1 },
		{ "1h-20251123T00-7-9.slowburn", 2, 1763856000, 7, 9 },
		{ "1d-20251120T00-7-9.slowburn", 3, 1763596800, 7, 9 },
		{ "10s-19700101T00-0-0.slowburn", 0, 0, 0, 0 },
		{ "10s-20240229T12-1-1.slowburn", 0, 1709208000, 1, 1 },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char name[CATALOG_NAME_BYTES];
		struct catalog_file f;

		if (!catalog_parse(good[i].name, &f))
			fail_msg("%s was refused", good[i].name);
		assert_int_equal(f.level, good[i].level);
		assert_int_equal(f.slot_ns / NS_PER_S, good[i].slot_s);
		assert_int_equal(f.first, good[i].first);
		assert_int_equal(f.last, good[i].last);
		catalog_name(&f, name);
		assert_string_equal(name, good[i].name);
	}
}

static void test_other_names(void **state)
{
	static const char *const bad[] = {
		"",
		"lock",
		"unfinished",
		".",
		"10s",
		"10s-",
		"10s-20251123T05-42-42",
		"10s-20251123T05-42-42.slowburn~",
		"10s-20251123T05-42-42.slowburn.slowburn",
		"10s-20251123T05-42-41.slowburn", /* ends before it begins */
		"10s-20251123T05-042-42.slowburn",
		"10s-20251123T05-+42-42.slowburn",
		"10s-20251123T05-42.slowburn",
		"10s-20251123T24-42-42.slowburn",
		"10s-20251323T05-42-42.slowburn",
		"10s-20250230T05-42-42.slowburn",
		"10s-2025112305-42-42.slowburn",
		"11s-20251123T05-42-42.slowburn",
		"1h-20251123T05-42-42.slowburn", /* its files begin at midnight */
		"1d-20251123T00-42-42.slowburn", /* every 28 days */
		"10s-20251123T05-42-18446744073709551615.slowburn",
		"10s-20251123T05-42-99999999999999999999.slowburn",
		"10s-19691231T23-1-1.slowburn",
		"../10s-20251123T05-42-42.slowburn",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct catalog_file f;

		if (catalog_parse(bad[i], &f))
			fail_msg("\"%s\" was taken", bad[i]);
	}
}

static void test_children(void **state)
{
	const uint64_t hour = 3600 * NS_PER_S, t = TEST_EPOCH_NS;
	const struct catalog_file day = { 2, t, 10, 20, 0 };
	const struct {
		struct catalog_file f;
		bool is;
	} files[] = {
		{ { 1, t, 9, 9, 0 }, false },
		{ { 1, t, 10, 12, 0 }, true },
		{ { 1, t, 20, 20, 0 }, true },
		{ { 1, t, 21, 22, 0 }, false },
		{ { 1, t + 23 * hour, 15, 15, 0 }, true },
		{ { 1, t + 24 * hour, 15, 15, 0 }, false },
		{ { 0, t, 15, 15, 0 }, false },
		{ { 2, t, 15, 15, 0 }, false },
	};
	struct catalog c = { 0 };

	assert_int_equal(catalog_add(&c, &day), 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (catalog_is_child(&day, &files[i].f) != files[i].is ||
		    catalog_is_covered(&c, &files[i].f) != files[i].is)
			fail_msg("file %zu: want %d", i, files[i].is);
		assert_int_equal(catalog_add(&c, &files[i].f), 0);
	}
	for (uint32_t i = 1; i < c.files.count; i++)
		assert_true(c.files.items[i - 1].level <= c.files.items[i].level);
	assert_int_equal(catalog_level(&c, 0), 0);
	assert_int_equal(catalog_level(&c, 1), 1);
	assert_int_equal(catalog_level(&c, 2), 7);
	assert_int_equal(catalog_level(&c, STORE_LEVELS), c.files.count);
	catalog_release(&c);
}

/* Links, folders and what isn't ours are passed over, and a link is not opened. */
static void test_directory(void **state)
{
	static const char link[] = "10s-20251123T05-1-1.slowburn";
	struct catalog c = { 0 };
	struct test_store t;
	struct err err;

	test_store_new(&t);
	assert_int_equal(symlinkat("/etc/passwd", t.fd, link), 0);
	close(openat(t.fd, "notes", O_WRONLY | O_CREAT, 0600));
	close(openat(t.fd, "10s-20251123T05-2-2.slowburn", O_WRONLY | O_CREAT, 0600));
	assert_int_equal(catalog_read(&c, t.fd, &err), 0);
	assert_int_equal(c.files.count, 1);
	assert_int_equal(c.files.items[0].first, 2);
	assert_int_equal(catalog_open(t.fd, link, &err), -ELOOP);
	assert_int_equal(catalog_open(t.fd, "nobody", &err), -ENOENT);
	catalog_release(&c);
	test_store_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_other_names),
		cmocka_unit_test(test_children),
		cmocka_unit_test(test_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
