// SPDX-License-Identifier: Apache-2.0
#include "profiler/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/torture.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int null_open(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void descriptors_close_themselves(void **state)
{
	int kept, left;

	{
		_cleanup_(fd_close) int none = -1;
		_cleanup_(fd_close) int closed = null_open();
		_cleanup_(fd_close) int taken = null_open();

		assert_int_equal(none, -1);
		left = closed;
		kept = take_fd(&taken);
		assert_int_equal(taken, -1);
	}
	assert_false(is_open(left));
	assert_true(is_open(kept));
	fd_close(&kept);
	assert_int_equal(kept, -1);
}

static void closing_keeps_errno(void **state)
{
	int stale = null_open(), same;

	same = stale;
	close(stale);
	errno = ENOENT;
	fd_close(&same); /* EBADF */
	assert_int_equal(errno, ENOENT);
}

static int use_and_leave(void *ctx)
{
	_cleanup_(free_ptr) char *none = NULL;
	_cleanup_(free_ptr) char *p = malloc(10);

	if (!p || none)
		return -ENOMEM;
	memset(p, 'x', 10);
	return 0; /* NOLINT(clang-analyzer-unix.Malloc): it knows no cleanup */
}

static int use_and_take(void *ctx)
{
	_cleanup_(free_ptr) char *taken = malloc(10);
	char *p = take_ptr(taken);

	assert_null(taken);
	if (!p)
		return -ENOMEM;
	memset(p, 'x', 10);
	free(p);
	return 0;
}

/* torture() tells what is left over. */
static void pointers_free_themselves(void **state)
{
	assert_int_equal(torture(use_and_leave, NULL), 1);
	assert_int_equal(torture(use_and_take, NULL), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors_close_themselves),
		cmocka_unit_test(closing_keeps_errno),
		cmocka_unit_test(pointers_free_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
