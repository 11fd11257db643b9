// SPDX-License-Identifier: Apache-2.0
#include "profiler/base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void returns_its_code(void **state)
{
	struct err err;

	assert_int_equal(err_set(&err, -EINVAL, "\"%s\" is no number", "x1"), -EINVAL);
	assert_string_equal(err.text, "\"x1\" is no number");
	assert_int_equal(err_errno(&err, -ENOENT, "cannot open \"%s\"", "/nowhere"), -ENOENT);
	assert_string_equal(err.text, "cannot open \"/nowhere\": No such file or directory");
}

static void no_err_is_fine(void **state)
{
	assert_int_equal(err_set(NULL, -EINVAL, "%d", 1), -EINVAL);
	assert_int_equal(err_errno(NULL, -ENOENT, "%d", 1), -ENOENT);
}

static void errno_is_left_alone(void **state)
{
	struct err err;

	errno = EPERM;
	assert_int_equal(err_errno(&err, -ENOENT, "%s", "x"), -ENOENT);
	assert_int_equal(errno, EPERM);
}

/* Paths of others are long: the sentence is cut, the reason is not. */
static void long_sentences_are_cut(void **state)
{
	static const char reason[] = ": Permission denied";
	char path[2000];
	struct err err;
	size_t room = sizeof(err.text) - 1;

	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	err_set(&err, -EINVAL, "%s", path);
	assert_int_equal(strlen(err.text), room);
	err_errno(&err, -EACCES, "%s", path);
	assert_int_equal(strlen(err.text), room);
	assert_string_equal(err.text + room - strlen(reason), reason);
	assert_int_equal(err.text[room - strlen(reason) - 1], 'p');

	/* One that just fits, and one that just doesn't. */
	for (size_t len = room - strlen(reason) - 1; len <= room - strlen(reason) + 1; len++) {
		size_t want = len + strlen(reason) < room ? len + strlen(reason) : room;

		err_errno(&err, -EACCES, "%.*s", (int)len, path);
		assert_int_equal(strlen(err.text), want);
		assert_string_equal(err.text + want - strlen(reason), reason);
	}
}

static void unknown_codes_have_a_text(void **state)
{
	struct err err;

	assert_int_equal(err_errno(&err, -4095, "odd"), -4095);
	assert_string_equal(err.text, "odd: Unknown error 4095");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(returns_its_code),
		cmocka_unit_test(no_err_is_fine),
		cmocka_unit_test(errno_is_left_alone),
		cmocka_unit_test(long_sentences_are_cut),
		cmocka_unit_test(unknown_codes_have_a_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
