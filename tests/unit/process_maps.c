// SPDX-License-Identifier: Apache-2.0
#include "profiler/process/maps.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct row {
	const char *text;
	struct maps_line want;
};

static void good_line(const struct row *row)
{
	struct maps_line got;
	size_t used = 0;
	int r = maps_line_parse(row->text, strlen(row->text), &got, &used);

	if (r != 0)
		fail_msg("\"%s\": %d", row->text, r);
	assert_int_equal(used, strchr(row->text, '\n') - row->text + 1);
	assert_int_equal(got.start, row->want.start);
	assert_int_equal(got.end, row->want.end);
	assert_int_equal(got.offset, row->want.offset);
	assert_int_equal(got.ino, row->want.ino);
	assert_int_equal(got.major, row->want.major);
	assert_int_equal(got.minor, row->want.minor);
	assert_int_equal(got.executable, row->want.executable);
	assert_int_equal(got.deleted, row->want.deleted);
	assert_string_equal(got.path, row->want.path);
}

static void good(void **state)
{
	static const struct row rows[] = {
		{ "7fa61d615000-7fa61d76b000 r-xp 00026000 fe:00 332835                     /usr/lib/libc.so.6\n",
		  { 0x7fa61d615000, 0x7fa61d76b000, 0x26000, 332835, 0xfe, 0, true, false,
		    "/usr/lib/libc.so.6" } },
		/* no path, with and without spaces behind the inode number; then another line */
		{ "1000-2000 rw-p 00000000 00:00 0 \nx",
		  { 0x1000, 0x2000, 0, 0, 0, 0, false, false, "" } },
		{ "1000-2000 rwxs 00000000 00:00 0\n",
		  { 0x1000, 0x2000, 0, 0, 0, 0, true, false, "" } },
		{ "7ffd1000-7ffd3000 r-xp 00000000 00:00 0                          [vdso]\n",
		  { 0x7ffd1000, 0x7ffd3000, 0, 0, 0, 0, true, false, "[vdso]" } },
		{ "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n",
		  { 0xffffffffff600000, 0xffffffffff601000, 0, 0, 0, 0, true, false,
		    "[vsyscall]" } },
		/* the largest numbers there are */
		{ "0-ffffffffffffffff ---p ffffffffffffffff ffffffff:ffffffff 18446744073709551615 /x\n",
		  { 0, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT32_MAX, UINT32_MAX, false, false,
		    "/x" } },
		/* unlinked, and names that only look like it */
		{ "1-2 r-xp 0 8:1 5 /tmp/a (deleted)\n",
		  { 1, 2, 0, 5, 8, 1, true, true, "/tmp/a" } },
		{ "1-2 r-xp 0 8:1 5 /tmp/a (deleted) (deleted)\n",
		  { 1, 2, 0, 5, 8, 1, true, true, "/tmp/a (deleted)" } },
		{ "1-2 r-xp 0 8:1 5 /tmp/a (deleted) b\n",
		  { 1, 2, 0, 5, 8, 1, true, false, "/tmp/a (deleted) b" } },
		{ "1-2 r-xp 0 8:1 5 /tmp/a(deleted)\n",
		  { 1, 2, 0, 5, 8, 1, true, false, "/tmp/a(deleted)" } },
		{ "1-2 r-xp 0 8:1 5 [x] (deleted)\n",
		  { 1, 2, 0, 5, 8, 1, true, false, "[x] (deleted)" } },
		{ "1-2 r-xs 0 0:1 2065 /memfd:jit (deleted)\n",
		  { 1, 2, 0, 2065, 0, 1, true, true, "/memfd:jit" } },
		/* newlines, and what only looks like one */
		{ "1-2 r-xp 0 8:1 5 /a\\012b\\012\n",
		  { 1, 2, 0, 5, 8, 1, true, false, "/a\nb\n" } },
		{ "1-2 r-xp 0 8:1 5 /a\\01\n", { 1, 2, 0, 5, 8, 1, true, false, "/a\\01" } },
		{ "1-2 r-xp 0 8:1 5 /a\\040\\\\012\n",
		  { 1, 2, 0, 5, 8, 1, true, false, "/a\\040\\\n" } },
		{ "1-2 r-xp 0 8:1 5 /a  b c \n", { 1, 2, 0, 5, 8, 1, true, false, "/a  b c " } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		good_line(&rows[i]);
}

static void bad(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} rows[] = {
#define TEXT(s) { s, sizeof(s) - 1 }
		TEXT("\n"),
		TEXT("1-2 r-xp 0 8:1 5 /usr/lib/libc.so"), /* cut off */
		TEXT("1-2 r-xp 0 8:1 5"),
		TEXT("1-2 r-xp 0 8:1\n"),
		TEXT("1-2 r-xp 0 8:1 \n"),
		TEXT("1-2 r-xp 0\n"),
		TEXT("1-2 r-xp\n"),
		TEXT("1-2\n"),
		TEXT("1\n"),
		TEXT("2-1 r-xp 0 8:1 5 /x\n"),
		TEXT("1-1 r-xp 0 8:1 5 /x\n"),
		TEXT("-2 r-xp 0 8:1 5 /x\n"),
		TEXT("1- r-xp 0 8:1 5 /x\n"),
		TEXT(" 1-2 r-xp 0 8:1 5 /x\n"),
		TEXT("0x1-2 r-xp 0 8:1 5 /x\n"),
		TEXT("1-10000000000000000 r-xp 0 8:1 5 /x\n"),
		TEXT("1-2 r-xp 10000000000000000 8:1 5 /x\n"),
		TEXT("1-2 r-xp 0 100000000:1 5 /x\n"),
		TEXT("1-2 r-xp 0 8:100000000 5 /x\n"),
		TEXT("1-2 r-xp 0 8:1 18446744073709551616 /x\n"),
		TEXT("1-2 r-xp 0 8:1 -5 /x\n"),
		TEXT("1-2 r-xp 0 8:1 5a /x\n"),
		TEXT("1-2 r-xp  8:1 5 /x\n"),
		TEXT("1-2 rxwp 0 8:1 5 /x\n"),
		TEXT("1-2 r-x 0 8:1 5 /x\n"),
		TEXT("1-2 r-xpp 0 8:1 5 /x\n"),
		TEXT("1-2 r-xq 0 8:1 5 /x\n"),
		TEXT("1-2 r-xp 0 8:1 5 /x\0y\n"),
		TEXT("\0\n"),
#undef TEXT
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct maps_line line;
		size_t used = 0;
		int r = maps_line_parse(rows[i].text, rows[i].len, &line, &used);

		if (r != -EINVAL || used != rows[i].len)
			fail_msg("row %zu \"%s\": %d, used %zu of %zu", i, rows[i].text, r, used,
				 rows[i].len);
	}
}

static void nothing(void **state)
{
	struct maps_line line;
	size_t used = 7;

	(void)state;
	assert_int_equal(maps_line_parse(NULL, 0, &line, &used), -ENOENT);
	assert_int_equal(used, 7);
}

/* A path of `len` times `piece`. */
static int long_path(size_t len, const char *piece, size_t *ret_path_len)
{
	const char *head = "1-2 r-xp 0 8:1 5 ";
	size_t size = strlen(head) + len * strlen(piece) + 2, used;
	char *text = malloc(size), *at = text;
	struct maps_line line;
	int r;

	assert_non_null(text);
	at += snprintf(at, size, "%s", head);
	for (size_t i = 0; i < len; i++)
		at += snprintf(at, size - (size_t)(at - text), "%s", piece);
	*at++ = '\n';
	r = maps_line_parse(text, (size_t)(at - text), &line, &used);
	assert_int_equal(used, at - text);
	*ret_path_len = r == 0 ? strlen(line.path) : 0;
	free(text);
	return r;
}

static void path_limit(void **state)
{
	size_t len;

	(void)state;
	assert_int_equal(long_path(MAPS_MAX_PATH, "a", &len), 0);
	assert_int_equal(len, MAPS_MAX_PATH);
	assert_int_equal(long_path(MAPS_MAX_PATH + 1, "a", &len), -EINVAL);
	assert_int_equal(long_path(MAPS_MAX_PATH, "\\012", &len), 0);
	assert_int_equal(len, MAPS_MAX_PATH);
	assert_int_equal(long_path(MAPS_MAX_PATH + 1, "\\012", &len), -EINVAL);
}

/* Every line that the kernel prints of us is understood, and is one of ours. */
static void our_own(void **state)
{
	FILE *f = fopen("/proc/self/maps", "re");
	uintptr_t here = (uintptr_t)our_own;
	char *text = NULL;
	size_t size = 0;
	ssize_t n;
	int found = 0;

	(void)state;
	assert_non_null(f);
	while ((n = getline(&text, &size, f)) > 0) {
		struct maps_line line;
		size_t used;
		int r = maps_line_parse(text, (size_t)n, &line, &used);

		if (r != 0 || used != (size_t)n)
			fail_msg("\"%s\": %d, used %zu", text, r, used);
		if (here >= line.start && here < line.end)
			found += line.executable;
	}
	assert_int_equal(found, 1);
	free(text);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),       cmocka_unit_test(bad),     cmocka_unit_test(nothing),
		cmocka_unit_test(path_limit), cmocka_unit_test(our_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
