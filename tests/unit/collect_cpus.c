// SPDX-License-Identifier: Apache-2.0
/*
 * CPU lists as sysfs writes them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/buffer.h"
#include "profiler/collect/cpus.h"

static int read_text(const char *text, struct cpus *ret)
{
	char path[] = "/tmp/slowburn-cpus-XXXXXX";
	int fd = mkostemp(path, 0);
	int r;

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	close(fd);
	r = cpus_read(ret, path);
	unlink(path);
	return r;
}

static void test_lists(void **state)
{
	static const struct {
		const char *text;
		int expected;
		uint32_t count, lowest, highest;
	} cases[] = {
		{ "0-1\n", 0, 2, 0, 1 },        { "0-3,7\n", 0, 5, 0, 7 },
		{ "5\n", 0, 1, 5, 5 },          { "4095\n", 0, 1, 4095, 4095 },
		{ "\n", 0, 0, 0, 0 },           { "", 0, 0, 0, 0 },
		{ "(null)\n", 0, 0, 0, 0 },     { " (null)\n", 0, 0, 0, 0 },
		{ "4096\n", -ERANGE, 0, 0, 0 }, { "0-\n", -EINVAL, 0, 0, 0 },
		{ "0,,1\n", -EINVAL, 0, 0, 0 }, { "(null)x\n", -EINVAL, 0, 0, 0 },
		{ "0 1\n", -EINVAL, 0, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cpus cpus = { 0 };
		int r = read_text(cases[i].text, &cpus);

		if (r != cases[i].expected || cpus_count(&cpus) != cases[i].count)
			fail_msg("\"%s\": got %d, %u CPUs; expected %d, %u", cases[i].text, r,
				 cpus_count(&cpus), cases[i].expected, cases[i].count);
		if (cases[i].count &&
		    (!cpus_has(&cpus, cases[i].lowest) || !cpus_has(&cpus, cases[i].highest)))
			fail_msg("\"%s\": %u or %u is missing", cases[i].text, cases[i].lowest,
				 cases[i].highest);
	}
}

static void test_missing_file(void **state)
{
	struct cpus cpus;

	memset(&cpus, 0xff, sizeof(cpus));
	assert_int_equal(cpus_read(&cpus, "/nonexistent/cpus"), 0);
	assert_int_equal(cpus_count(&cpus), 0);
}

static void test_bounds(void **state)
{
	struct cpus cpus;

	memset(&cpus, 0xff, sizeof(cpus));
	assert_int_equal(cpus_count(&cpus), SESSION_MAX_CPUS);
	assert_true(cpus_has(&cpus, SESSION_MAX_CPUS - 1));
	assert_false(cpus_has(&cpus, SESSION_MAX_CPUS));
}

static void test_this_machine(void **state)
{
	struct cpus online, isolated;

	assert_int_equal(cpus_read_online(&online), 0);
	assert_int_equal(cpus_count(&online), sysconf(_SC_NPROCESSORS_ONLN));
	assert_int_equal(cpus_read_isolated(&isolated), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_missing_file),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
