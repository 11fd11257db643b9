// SPDX-License-Identifier: Apache-2.0
#include "profiler/command/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int read_words(struct service *s, char **argv, int argc)
{
	struct err err = { "" };

	return service_read(s, &serve_command, argc, argv, &err);
}

/* The defaults are a text for people; what they stand for is said elsewhere, too. */
static void test_defaults(void **state)
{
	char *argv[] = { (char *)"serve", (char *)"--config=/dev/null", NULL };
	const struct keeper_job want = keeper_job_default();
	struct service s;

	assert_int_equal(read_words(&s, argv, 2), 0);
	assert_int_equal(s.keeper.max_bytes, want.max_bytes);
	for (uint32_t i = 0; i < STORE_LEVELS; i++)
		assert_int_equal(s.keeper.age_ns[i], want.age_ns[i]);
	assert_int_equal(s.keeper.sync_ns, want.sync_ns);
	assert_int_equal(s.selection.frequency_hz, SELECTION_DEFAULT_HZ);
	assert_int_equal(s.selection.event, SESSION_CPU_CLOCK);
	assert_int_equal(s.log_level, LOG_INFO);
	assert_false(s.log_format_given);
	assert_int_equal(s.listen_count, 1);
	assert_string_equal(s.listen[0], "127.0.0.1:7799");
	assert_false(service_was_said(&s, "listen"));
	service_release(&s);
}

/* What is said replaces the default, and doesn't come beside it. */
static void test_said(void **state)
{
	char *argv[] = { (char *)"serve",
			 (char *)"--config=/dev/null",
			 (char *)"--listen=[::1]:1",
			 (char *)"--keep-1h=always",
			 (char *)"--keep-1d=400d",
			 NULL };
	struct service s;

	assert_int_equal(read_words(&s, argv, 5), 0);
	assert_int_equal(s.listen_count, 1);
	assert_string_equal(s.listen[0], "[::1]:1");
	assert_true(service_was_said(&s, "listen"));
	assert_int_equal(s.keeper.age_ns[2], 0);
	assert_int_equal(s.keeper.age_ns[3] / 1000000000, 400 * 24 * 3600);
	service_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
