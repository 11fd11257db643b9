// SPDX-License-Identifier: Apache-2.0
/*
 * The time that naming code made at run time may take in all: nothing is asked beyond it, and that is counted. There is no
 * symbolizer here, so that asking one would be a crash.
 */
#include "profiler/agent/names.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct told {
	uint32_t calls, space, len;
};

static void tell(void *ctx, enum names_kind kind, uint32_t space, const void *bytes, uint32_t len)
{
	struct told *told = ctx;

	(void)bytes;
	assert_int_equal(kind, NAMES_SYMBOLS);
	told->calls++;
	told->space = space;
	told->len = len;
}

static void test_out_of_time(void **state)
{
	const struct symbol_moment moment = { 0 };
	const uint64_t address = 0x1000;
	struct counters counters = { 0 };
	struct told told = { 0 };
	struct live_names names = { .counters = &counters,
				    .code_ns = LIVE_NAMES_MAX_CODE_NS,
				    .told = tell,
				    .told_ctx = &told };
	struct symbols symbols;
	struct err err = { "" };

	(void)state;
	assert_int_equal(live_names_ask_code(&names, 7, 0, &address, &moment, 1, &symbols, &err),
			 -ETIME);
	assert_int_equal(counter_get(&counters, COUNTER_CODE_MAPS_UNASKED), 1);
	assert_string_equal(err.text, "naming code made at run time has taken too long");
	/* A replay has the same: an empty reply is a failed request. */
	assert_int_equal(told.calls, 1);
	assert_int_equal(told.space, NAMES_CODE_SPACE(7));
	assert_int_equal(told.len, 0);
}

/* Who says nothing is no matter of time. */
static void test_no_lists(void **state)
{
	const struct symbol_moment moment = { 0 };
	const uint64_t address = 0x1000;
	struct counters counters = { 0 };
	struct live_names names = { .counters = &counters, .code_ns = LIVE_NAMES_MAX_CODE_NS };
	struct symbols symbols;

	(void)state;
	assert_int_equal(live_names_ask_code(&names, 7, -1, &address, &moment, 1, &symbols, NULL),
			 -ENOENT);
	assert_int_equal(counter_get(&counters, COUNTER_CODE_MAPS_UNASKED), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_out_of_time),
		cmocka_unit_test(test_no_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
