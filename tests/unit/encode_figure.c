// SPDX-License-Identifier: Apache-2.0
#include "profiler/encode/figure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void test_percent(void **state)
{
	static const struct {
		double x;
		const char *text;
	} table[] = {
		{ -1, "0" },          { 0, "0" },        { 1e-300, "<0.01" },
		{ 0.0099, "<0.01" },  { 0.01, "0.01" },  { 0.994, "0.99" },
		{ 0.995, "1.0" },     { 9.94, "9.9" },   { 9.95, "10" },
		{ 50, "50" },         { 99.4, "99" },    { 99.49, "99" },
		{ 99.5, "99.5" },     { 99.94, "99.9" }, { 99.95, ">99.9" },
		{ 99.9999, ">99.9" }, { 100, "100" },    { 100.0 / 3 * 3, "100" },
		{ 100.4, "100" },     { 101, "101" },    { 1e18, "1000000000000000000" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char got[60], want[60];

		snprintf(got, sizeof(got), "%g: %s", table[i].x, figure_percent(table[i].x).text);
		snprintf(want, sizeof(want), "%g: %s", table[i].x, table[i].text);
		assert_string_equal(got, want);
	}
}

/* All of anything is 100, whatever division makes of it; all but one is not. */
static void test_share(void **state)
{
	for (uint64_t n = 1; n < UINT64_MAX / 7; n = n * 7 + 3) {
		assert_string_equal(figure_percent(figure_share(n, n)).text, "100");
		assert_string_equal(figure_percent(figure_share(0, n)).text, "0");
	}
	assert_string_equal(figure_percent(figure_share(999999, 1000000)).text, ">99.9");
	assert_string_equal(figure_percent(100 - figure_share(1, 1000000)).text, ">99.9");
	assert_string_equal(figure_percent(figure_share(5, 0)).text, "0");
}

static void test_share_error(void **state)
{
	static const struct {
		uint64_t part, whole;
		const char *points;
	} table[] = {
		{ 0, 0, "0.00000" },          { 0, 9, "20.01365" },    { 9, 9, "20.01365" },
		{ 50, 100, "9.80581" },       { 1, 10000, "0.03462" }, { 9999, 10000, "0.03462" },
		{ UINT64_MAX, 1, "0.00000" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char got[40];

		snprintf(got, sizeof(got), "%.5f",
			 figure_share_error(table[i].part, table[i].whole));
		assert_string_equal(got, table[i].points);
	}
}

static void test_amounts(void **state)
{
	assert_string_equal(figure_count(0).text, "0");
	assert_string_equal(figure_count(999).text, "999");
	assert_string_equal(figure_count(1000).text, "1,000");
	assert_string_equal(figure_count(1234567).text, "1,234,567");
	assert_string_equal(figure_count(UINT64_MAX).text, "18,446,744,073,709,551,615");
	assert_string_equal(figure_value(0).text, "0.00");
	assert_string_equal(figure_value(9994000000).text, "9.99");
	assert_string_equal(figure_value(9995000000).text, "10.0");
	assert_string_equal(figure_value(99949000000).text, "99.9");
	assert_string_equal(figure_value(99950000000).text, "100");
	assert_string_equal(figure_plural(0), "s");
	assert_string_equal(figure_plural(1), "");
	assert_string_equal(figure_plural(2), "s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_percent),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_share_error),
		cmocka_unit_test(test_amounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
