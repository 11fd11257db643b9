// SPDX-License-Identifier: Apache-2.0
#include "profiler/server/token.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"

static char folder[] = "/tmp/slowburn-token-XXXXXX";
static char path[64];

static int begin(void **state)
{
	memcpy(strrchr(folder, '-'), "-XXXXXX", 8);
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/token", folder);
	return 0;
}

static int end(void **state)
{
	unlink(path);
	return rmdir(folder); /* nothing else is left in it */
}

static void put(const char *text, size_t len, mode_t mode)
{
	_cleanup_(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, len), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static void test_made(void **state)
{
	struct token first, again;
	struct err err;
	struct stat st;

	assert_int_equal(token_load(&first, path, (gid_t)-1, &err), 0);
	assert_true(first.made);
	assert_false(first.open);
	assert_int_equal(strlen(first.text), TOKEN_MADE_BYTES);
	assert_int_equal(strspn(first.text, "0123456789abcdef"), TOKEN_MADE_BYTES);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_size, TOKEN_MADE_BYTES + 1);

	assert_int_equal(token_load(&again, path, (gid_t)-1, &err), 0);
	assert_false(again.made);
	assert_string_equal(again.text, first.text);
	unlink(path);
	assert_int_equal(token_load(&again, path, (gid_t)-1, &err), 0);
	assert_string_not_equal(again.text, first.text);
}

static void test_group(void **state)
{
	struct token token;
	struct err err;
	struct stat st;

	assert_int_equal(token_load(&token, path, getegid(), &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_gid, getegid());
	unlink(path);
	if (geteuid() == 0) {
		assert_int_equal(token_load(&token, path, 4242, &err), 0);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_gid, 4242);
		assert_int_equal(st.st_mode & 07777, 0640);
	}
}

static void test_folder_is_made(void **state)
{
	struct token token;
	char deep[96];
	struct err err;

	snprintf(deep, sizeof(deep), "%s/run/token", folder);
	assert_int_equal(token_load(&token, deep, (gid_t)-1, &err), 0);
	unlink(deep);
	snprintf(deep, sizeof(deep), "%s/run", folder);
	rmdir(deep);
	snprintf(deep, sizeof(deep), "%s/no/such/token", folder);
	assert_int_equal(token_load(&token, deep, (gid_t)-1, &err), -ENOENT);
}

#define ROW(text, want)                      \
	{                                    \
		text, sizeof(text) - 1, want \
	}

static void test_what_is_a_token(void **state)
{
	static const char long_one[] =
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	static const struct {
		const char *text;
		size_t len;
		int want;
	} rows[] = {
		ROW("0123456789abcdef", 0),
		ROW("0123456789abcdef\n", 0),
		ROW("AZaz09-._~AZaz09\n", 0),
		ROW("0123456789abcde\n", -EINVAL),
		ROW("", -EINVAL),
		ROW("\n", -EINVAL),
		ROW("0123456789abcdef\n\n", -EINVAL),
		ROW("0123456789abcdef\r\n", -EINVAL),
		ROW("0123456789 abcdef\n", -EINVAL),
		ROW("0123456789\0abcdef\n", -EINVAL),
		ROW("0123456789abcdef\xff", -EINVAL),
		{ long_one, 128, 0 },
	};
	struct token token;
	struct err err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put(rows[i].text, rows[i].len, 0600);
		assert_int_equal(token_load(&token, path, (gid_t)-1, &err), rows[i].want);
		if (rows[i].want == 0)
			assert_int_equal(memcmp(token.text, rows[i].text, strlen(token.text)), 0);
	}
	/* One byte more, and another that is no end of a line. */
	put(long_one, 128, 0600);
	assert_int_equal(truncate(path, 129), 0);
	assert_int_equal(token_load(&token, path, (gid_t)-1, &err), -EINVAL);
	assert_int_equal(truncate(path, 1 << 20), 0);
	assert_int_equal(token_load(&token, path, (gid_t)-1, &err), -EINVAL);
}

static void test_who_may_read_it(void **state)
{
	static const struct {
		mode_t mode;
		int want;
		bool open;
	} rows[] = {
		{ 0600, 0, false }, { 0640, 0, false },      { 0660, 0, false },
		{ 0644, 0, true },  { 0602, -EPERM, false }, { 0666, -EPERM, false },
	};
	struct token token;
	struct err err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put("0123456789abcdef\n", 17, rows[i].mode);
		assert_int_equal(token_load(&token, path, (gid_t)-1, &err), rows[i].want);
		if (rows[i].want == 0)
			assert_int_equal(token.open, rows[i].open);
	}
}

static void test_no_file(void **state)
{
	struct token token;
	struct err err;

	assert_int_equal(token_load(&token, folder, (gid_t)-1, &err), -EINVAL);
	assert_non_null(strstr(err.text, "is not a regular file"));
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(token_load(&token, path, (gid_t)-1, &err), -EINVAL); /* and doesn't wait */
}

static void test_place(void **state)
{
	char where[128], small[8];

	if (access("/etc/slowburn/token", F_OK) == 0)
		skip();
	unsetenv("RUNTIME_DIRECTORY");
	unsetenv("XDG_RUNTIME_DIR");
	assert_int_equal(token_place(0, where, sizeof(where)), 0);
	assert_string_equal(where, "/run/slowburn/token");
	assert_int_equal(token_place(0, small, sizeof(small)), -ENAMETOOLONG);
	assert_int_equal(token_place(1000, where, sizeof(where)), -ENOENT);
	setenv("XDG_RUNTIME_DIR", "/run/user/1000", 1);
	assert_int_equal(token_place(1000, where, sizeof(where)), 0);
	assert_string_equal(where, "/run/user/1000/slowburn/token");
	setenv("RUNTIME_DIRECTORY", "/run/other", 1);
	assert_int_equal(token_place(0, where, sizeof(where)), 0);
	assert_string_equal(where, "/run/other/token");
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_made),
		T(test_group),
		T(test_folder_is_made),
		T(test_what_is_a_token),
		T(test_who_may_read_it),
		T(test_no_file),
		T(test_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
