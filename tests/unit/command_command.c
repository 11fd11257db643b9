// SPDX-License-Identifier: Apache-2.0
#include "profiler/command/command.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* A stream that refuses its first `refusals` writes. */
static ssize_t write_some(void *cookie, const char *bytes, size_t len)
{
	int *refusals = cookie;

	(void)bytes;
	if (!*refusals)
		return (ssize_t)len;
	--*refusals;
	errno = ENOSPC;
	return 0;
}

/* What command_flush() says of a line, whose end is written at once or not. */
static int print_line(int refusals, int mode)
{
	FILE *f = fopencookie(&refusals, "w", (cookie_io_functions_t){ .write = write_some });
	int r;

	assert_non_null(f);
	setvbuf(f, NULL, mode, 4096);
	fputs("a line\n", f);
	errno = 0;
	r = command_flush(f);
	fclose(f);
	return r;
}

static void flush(void **state)
{
	(void)state;
	assert_int_equal(print_line(0, _IOLBF), 0);
	assert_int_equal(print_line(0, _IOFBF), 0);
	assert_int_equal(print_line(1, _IOLBF), -EIO); /* why is no longer known */
	assert_int_equal(print_line(1, _IOFBF), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flush),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
