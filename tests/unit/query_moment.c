// SPDX-License-Identifier: Apache-2.0
#include "profiler/query/moment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "profiler/base/clock.h"

#define HOUR_NS (3600 * NS_PER_S)
#define DAY_NS (24 * HOUR_NS)
#define NOW_NS (1763875800 * NS_PER_S) /* 2025-11-23T05:30:00Z */

static void moments(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t ns;
	} table[] = {
		{ "now", 0, NOW_NS },
		{ "-1h30m", 0, NOW_NS - 3 * HOUR_NS / 2 },
		{ "-7d", 0, NOW_NS - 7 * DAY_NS },
		{ "-99999999", -EINVAL, 0 }, /* beyond 10,000 h */
		{ "-", -EINVAL, 0 },
		{ "2025-11-23T05:30:00Z", 0, NOW_NS },
		{ "2025-11-23T06:30:00.25+01:00", 0, NOW_NS + NS_PER_S / 4 },
		{ "2025-02-30T00:00:00Z", -EINVAL, 0 },
		{ "2025-11-23T05:30:00", -EINVAL, 0 }, /* which zone? */
		{ "1763875800", 0, NOW_NS },
		{ "1763875800.000000001", 0, NOW_NS + 1 },
		{ "1763875800.5", 0, NOW_NS + NS_PER_S / 2 },
		{ "1763875800.", -EINVAL, 0 },
		{ "1763875800.0000000001", -EINVAL, 0 },
		{ ".5", -EINVAL, 0 },
		{ "0", 0, 0 },
		{ "9223372035", 0, 9223372035 * NS_PER_S },
		{ "9223372036", -EINVAL, 0 },
		{ "2300-01-01T00:00:00Z", -EINVAL, 0 },
		{ "last", -EINVAL, 0 }, /* of ranges only */
		{ "99999999999999999999999", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "yesterday", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint64_t ns = 0;
		struct err err = { "" };
		int r = moment_parse(table[i].text, NOW_NS, &ns, &err);

		if (r != table[i].r || ns != table[i].ns)
			fail_msg("\"%s\": %d, %lu; not %d, %lu", table[i].text, r, ns, table[i].r,
				 table[i].ns);
		assert_int_equal(r < 0, *err.text != '\0');
	}
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t ns;
	} table[] = {
		{ "10", 0, 10 * NS_PER_S }, { "1d", 0, DAY_NS },
		{ "2w3d", 0, 17 * DAY_NS }, { "1d12h", 0, DAY_NS + DAY_NS / 2 },
		{ "1d12", -EINVAL, 0 },     { "3653d", 0, 3653 * DAY_NS },
		{ "3654d", -EINVAL, 0 },    { "500w1000d", -EINVAL, 0 },
		{ "d", -EINVAL, 0 },        { "1d2w", -EINVAL, 0 },
		{ "0s", -EINVAL, 0 },       { "0d", -EINVAL, 0 },
		{ "", -EINVAL, 0 },         { "-1d", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint64_t ns = 0;
		int r = moment_duration_parse(table[i].text, &ns);

		if (r != table[i].r || ns != table[i].ns)
			fail_msg("\"%s\": %d, %lu; not %d, %lu", table[i].text, r, ns, table[i].r,
				 table[i].ns);
	}
}

static void ranges(void **state)
{
	struct moment_range range, before;
	struct err err;

	(void)state;
	assert_int_equal(moment_range_parse(NULL, NULL, NOW_NS, &range, &err), 0);
	assert_int_equal(range.from_ns, 0);
	assert_true(range.to_ns == UINT64_MAX);
	assert_int_equal(moment_range_before(&range, "1d", &before, &err), -EINVAL);

	assert_int_equal(moment_range_parse("first", "last", NOW_NS, &range, &err), 0);
	assert_int_equal(range.from_ns, 0);
	assert_true(range.to_ns == UINT64_MAX);
	assert_int_equal(moment_range_parse("last", "last", NOW_NS, &range, &err), -EINVAL);

	assert_int_equal(moment_range_parse("-1h", "now", NOW_NS, &range, &err), 0);
	assert_int_equal(range.from_ns, NOW_NS - HOUR_NS);
	assert_int_equal(range.to_ns, NOW_NS);
	assert_int_equal(moment_range_before(&range, "1d", &before, &err), 0);
	assert_int_equal(before.from_ns, NOW_NS - HOUR_NS - DAY_NS);
	assert_int_equal(before.to_ns, NOW_NS - DAY_NS);
	assert_int_equal(moment_range_before(&range, "one day", &before, &err), -EINVAL);

	assert_int_equal(moment_range_parse("now", "now", NOW_NS, &range, &err), -EINVAL);
	assert_string_equal(err.text, "\"from\" is not before \"to\"");
	assert_int_equal(moment_range_parse("-1h", "then", NOW_NS, &range, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moments),
		cmocka_unit_test(durations),
		cmocka_unit_test(ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
