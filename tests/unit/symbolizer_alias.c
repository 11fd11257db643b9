// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/alias.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* In each pair the first is the better one. */
static const char *const pairs[][2] = {
	{ "malloc", "__libc_malloc" },
	{ "_IO_fwrite", "__fwrite" },
	{ "lseek", "lseek64" },
	{ "_ZN1AC1Ev", "_ZN1AC2Ev" },
	{ "a", "b" },
	{ "longer_without", "_x" },
};

static void test_pairs(void **state)
{
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		const char *a = pairs[i][0], *b = pairs[i][1];
		char got[100], want[100];

		snprintf(got, sizeof(got), "%s %s: %d %d", a, b,
			 alias_is_better(a, strlen(a), b, strlen(b)),
			 alias_is_better(b, strlen(b), a, strlen(a)));
		snprintf(want, sizeof(want), "%s %s: %d %d", a, b, 1, 0);
		assert_string_equal(got, want);
		assert_false(alias_is_better(a, strlen(a), a, strlen(a)));
	}
}

/* The length is what counts, not a NUL. */
static void test_not_terminated(void **state)
{
	assert_true(alias_is_better("aaX", 2, "abc", 3));
	assert_false(alias_is_better("aaX", 2, "aaY", 2));
	assert_true(alias_is_better("__", 1, "__", 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_not_terminated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
