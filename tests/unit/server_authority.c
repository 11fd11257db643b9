// SPDX-License-Identifier: Apache-2.0
#include "profiler/server/authority.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[] = "/tmp/slowburn-authority-XXXXXX";

static void put(const char *name, const char *text)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/etc/%s", root, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int begin(void **state)
{
	char path[64];

	if (!mkdtemp(root))
		return -1;
	snprintf(path, sizeof(path), "%s/etc", root);
	return mkdir(path, 0700);
}

static int end(void **state)
{
	static const char *const names[] = { "/etc/group", "/etc/passwd", "/etc", "" };
	int r = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s%s", root, names[i]);
		r |= remove(path);
	}
	return r;
}

static void test_members(void **state)
{
	struct authority a;

	put("group", "root:x:0:\nadm:x:4:ann\nslowburn:x:990:ann,bob,nobody-of-these\nz:x:1:cid\n");
	put("passwd",
	    "root:x:0:0::/root:/bin/sh\nann:x:1001:1001::/:/bin/sh\ncid:x:1003:1003::/:/\n"
	    "bob:x:1002:1002::/:/bin/sh\ndan:x:1004:990::/:/bin/sh\n");
	authority_find(&a, root, 1000);
	assert_true(a.has_group);
	assert_int_equal(a.gid, 990);
	assert_int_equal(a.count, 5);
	assert_int_equal(a.uids[0], 0);
	assert_int_equal(a.uids[1], 1000);
	assert_int_equal(a.uids[2], 1001);
	assert_int_equal(a.uids[3], 1002);
	assert_int_equal(a.uids[4], 1004);
	assert_false(a.cut);
}

static void test_no_group(void **state)
{
	static const char *const groups[] = {
		"",
		"root:x:0:ann\n",
		"slowburn:x:0:ann\n", /* root's group by another name */
		"slowburns:x:990:ann\n",
		"slowburn\n",
		"::::\n\n:\xff",
	};
	struct authority a;

	put("passwd", "ann:x:1001:1001::/:/bin/sh\n");
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		put("group", groups[i]);
		authority_find(&a, root, 0);
		assert_false(a.has_group);
		assert_int_equal(a.count, 1);
	}
	authority_find(&a, "/nonexistent", 0);
	assert_false(a.has_group);
	assert_int_equal(a.count, 1);
}

static void test_too_many(void **state)
{
	static char passwd[16384];
	struct authority a;
	size_t len = 0;

	for (int i = 0; i < 100; i++)
		len += (size_t)snprintf(passwd + len, sizeof(passwd) - len,
					"u%d:x:%d:990::/:/bin/sh\n", i, 2000 + i);
	put("group", "slowburn:x:990:\n");
	put("passwd", passwd);
	authority_find(&a, root, 0);
	assert_int_equal(a.count, AUTHORITY_MAX_UIDS);
	assert_true(a.cut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_no_group),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
