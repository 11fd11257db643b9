// SPDX-License-Identifier: Apache-2.0
#include "profiler/process/mountinfo.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void expect_field(const char *line, const struct mountinfo_field *f, const char *want)
{
	if (!mountinfo_field_is(f, want))
		fail_msg("\"%s\": got \"%.*s\", want \"%s\"", line, (int)f->len, f->text, want);
}

static void good(void **state)
{
	static const struct {
		const char *line;
		uint32_t major, minor;
		const char *root, *mount, *type, *options;
	} rows[] = {
		{ "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n",
		  98, 0, "/mnt1", "/mnt2", "ext3", "rw,errors=continue" },
		{ "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw", 0, 28, "/", "/sys/fs/cgroup",
		  "tmpfs", "rw" },
		{ "1 2 0:3 / /a\\040b rw shared:1 master:2 propagate_from:3 unbindable - cgroup2 none rw\n",
		  0, 3, "/", "/a\\040b", "cgroup2", "rw" },
		{ "1 2 0:3 / /m rw - cgroup  rw,name=systemd\n", 0, 3, "/", "/m", "cgroup",
		  "rw,name=systemd" }, /* mounted without a source */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *line = rows[i].line;
		struct mountinfo m;
		size_t used = 0;

		assert_int_equal(mountinfo_parse(line, strlen(line), &m, &used), 0);
		assert_int_equal(used, strlen(line));
		assert_int_equal(m.id, strtoull(line, NULL, 10));
		assert_int_equal(m.major, rows[i].major);
		assert_int_equal(m.minor, rows[i].minor);
		expect_field(line, &m.root, rows[i].root);
		expect_field(line, &m.mount, rows[i].mount);
		expect_field(line, &m.type, rows[i].type);
		expect_field(line, &m.options, rows[i].options);
	}
}

static void bad(void **state)
{
	static const char *const rows[] = {
		"\n",
		"36\n",
		"36 35 98:0 /mnt1 /mnt2 rw,noatime\n",
		"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1\n",
		"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 -\n",
		"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3\n",
		"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root\n",
		"36 35 98 /mnt1 /mnt2 rw - ext3 /dev/root rw\n",
		"36 35 98:x /mnt1 /mnt2 rw - ext3 /dev/root rw\n",
		"36 35 4294967296:0 /mnt1 /mnt2 rw - ext3 /dev/root rw\n",
		"36 35 98:0  /mnt2 rw - ext3 /dev/root rw\n",
		"x 35 98:0 /mnt1 /mnt2 rw - ext3 /dev/root rw\n",
		" 35 98:0 /mnt1 /mnt2 rw - ext3 /dev/root rw\n",
	};
	struct mountinfo m;
	size_t used = 7;

	(void)state;
	assert_int_equal(mountinfo_parse(NULL, 0, &m, &used), -ENOENT);
	assert_int_equal(used, 7);
	for (size_t i = 0; i < COUNT(rows); i++) {
		int r = mountinfo_parse(rows[i], strlen(rows[i]), &m, &used);

		if (r != -EINVAL || used != strlen(rows[i]))
			fail_msg("\"%s\": %d, used %zu", rows[i], r, used);
	}
}

static void unescape(void **state)
{
	static const struct {
		const char *text, *want;
		size_t size;
		int r;
	} rows[] = {
		{ "/a", "/a", 16, 0 },
		{ "/a", "/a", 3, 0 },
		{ "/a", "", 2, -E2BIG },
		{ "", "", 1, 0 },
		{ "", "", 0, -E2BIG },
		{ "\\040\\011\\012\\134\\377", " \t\n\\\377", 16, 0 },
		{ "\\040", " ", 2, 0 },
		{ "\\04", "\\04", 16, 0 },
		{ "\\048", "\\048", 16, 0 },
		{ "\\400", "\\400", 16, 0 },
		{ "\\134040", "\\040", 16, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mountinfo_field f = { rows[i].text, strlen(rows[i].text) };
		char *out = calloc(1, rows[i].size + 1); /* sanitizers see a byte too many */
		int r = mountinfo_unescape(&f, out, rows[i].size);

		if (r != rows[i].r || (r == 0 && strcmp(out, rows[i].want) != 0))
			fail_msg("\"%s\" in %zu: %d, \"%s\"", rows[i].text, rows[i].size, r, out);
		free(out);
	}
}

static void lists(void **state)
{
	static const struct {
		const char *text, *item;
		bool want;
	} rows[] = {
		{ "rw,cpu,cpuacct", "cpu", true },
		{ "rw,cpu,cpuacct", "cpuacct", true },
		{ "rw,cpuacct", "cpu", false },
		{ "rw,cpu", "cp", false },
		{ "cpu", "cpu", true },
		{ "", "cpu", false },
		{ "", "", true },
		{ "cpu", "", false },
		{ "name=cpu", "cpu", false },
		{ "a,,b", "", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mountinfo_field f = { rows[i].text, strlen(rows[i].text) };

		if (mountinfo_field_lists(&f, rows[i].item) != rows[i].want)
			fail_msg("\"%s\" in \"%s\": want %d", rows[i].item, rows[i].text,
				 rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(bad),
		cmocka_unit_test(unescape),
		cmocka_unit_test(lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
