// SPDX-License-Identifier: Apache-2.0
/*
 * Which steps along frame pointers are believed: the lines that the kernel side runs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bpf/frame_pointer.h"

#define END 0x7ffffffff000ULL
#define LOW 0x7ffd00001000ULL

static void test_steps(void **state)
{
	static const struct {
		const char *name;
		uint64_t fp, low;
		int expected;
	} cases[] = {
		{ "0", 0, LOW, 0 },
		{ "just below", LOW - 8, LOW, 0 },
		{ "the least", LOW, LOW, 1 },
		{ "not aligned", LOW + 4, LOW, 0 },
		{ "not aligned by 1", LOW + 9, LOW, 0 },
		{ "the farthest", LOW + FRAME_POINTER_MAX_STEP, LOW, 1 },
		{ "too far", LOW + FRAME_POINTER_MAX_STEP + 8, LOW, 0 },
		{ "the last pair", END - 16, END - 32, 1 },
		{ "half over the end", END - 8, END - 32, 0 },
		{ "at the end", END, END - 32, 0 },
		{ "beyond the end", END + 8, END - 32, 0 },
		{ "the kernel's", 0xffffffff81000000ULL, LOW, 0 },
		{ "at the very top", UINT64_MAX - 7, UINT64_MAX - 15, 0 },
		{ "low at the very top", 8, UINT64_MAX - 7, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int r = frame_pointer_is_sane(cases[i].fp, cases[i].low, END);

		if (r != cases[i].expected)
			fail_msg("%s: got %d, expected %d", cases[i].name, r, cases[i].expected);
	}
}

static void test_code(void **state)
{
	static const struct {
		uint64_t addr;
		int expected;
	} cases[] = {
		{ 0, 0 },       { FRAME_POINTER_MIN_CODE - 1, 0 },
		{ END - 1, 1 }, { FRAME_POINTER_MIN_CODE, 1 },
		{ END, 0 },     { UINT64_MAX, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int r = frame_pointer_is_code(cases[i].addr, END);

		if (r != cases[i].expected)
			fail_msg("%llx: got %d, expected %d", (unsigned long long)cases[i].addr, r,
				 cases[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
