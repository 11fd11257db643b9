// SPDX-License-Identifier: Apache-2.0
#include "profiler/server/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "profiler/base/clock.h"

static void test_waits_grow(void **state)
{
	static const uint64_t want_s[] = { 0, 1, 2, 4, 8, 16, 32, 60, 60, 60 };
	struct backoff b = { 0 };
	uint64_t now_ns = 1000 * NS_PER_S;

	for (size_t i = 0; i < sizeof(want_s) / sizeof(want_s[0]); i++) {
		uint64_t at_ns;

		backoff_started(&b, now_ns);
		now_ns += NS_PER_S / 2;
		at_ns = backoff_ended(&b, now_ns);
		assert_int_equal((at_ns - now_ns) / NS_PER_S, want_s[i]);
		now_ns = at_ns;
	}
}

static void test_health_is_remembered(void **state)
{
	static const struct {
		uint64_t lived_ns, want_s;
	} rows[] = {
		{ BACKOFF_HEALTH_NS - 1, 1 }, { BACKOFF_HEALTH_NS - 1, 2 },
		{ BACKOFF_HEALTH_NS, 0 },     { 0, 1 },
		{ BACKOFF_HEALTH_NS + 1, 0 },
	};
	struct backoff b = { 0 };
	uint64_t now_ns = 5;

	backoff_started(&b, now_ns);
	assert_int_equal(backoff_ended(&b, now_ns), now_ns);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		backoff_started(&b, now_ns);
		now_ns += rows[i].lived_ns;
		assert_int_equal(backoff_ended(&b, now_ns) - now_ns, rows[i].want_s * NS_PER_S);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits_grow),
		cmocka_unit_test(test_health_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
