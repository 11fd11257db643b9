// SPDX-License-Identifier: Apache-2.0
#include "profiler/process/stat.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define UNTOUCHED 0xdeadbeefULL
/* Fields 3 to 21. */
#define MIDDLE " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 0"

static void start(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t ticks;
	} rows[] = {
		{ "7 (cat)" MIDDLE " 4711 22 23\n", 0, 4711 },
		{ "7 (cat)" MIDDLE " 18446744073709551615 22\n", 0, UINT64_MAX },
		/* names that imitate the fields behind them */
		{ "7 (a b)" MIDDLE " 4711 22\n", 0, 4711 },
		{ "7 (a) S 1 2)" MIDDLE " 4711 22\n", 0, 4711 },
		{ "7 ())" MIDDLE " 4711 22\n", 0, 4711 },
		{ "7 (\n)" MIDDLE " 4711 22\n", 0, 4711 },
		{ "7 ()" MIDDLE " 4711 22\n", 0, 4711 },
		{ "", -EINVAL, 0 },
		{ "7", -EINVAL, 0 },
		{ "7 (cat)", -EINVAL, 0 },
		{ "7 (cat) ", -EINVAL, 0 },
		{ "7 (cat)S" MIDDLE " 4711 22\n", -EINVAL, 0 },
		{ "7 (cat)" MIDDLE, -EINVAL, 0 },
		{ "7 (cat)" MIDDLE " ", -EINVAL, 0 },
		{ "7 (cat)" MIDDLE " 47", -EINVAL, 0 }, /* cut off: was it 4711? */
		{ "7 (cat)" MIDDLE " -47 22\n", -EINVAL, 0 },
		{ "7 (cat)" MIDDLE " x 22\n", -EINVAL, 0 },
		{ "7 (cat)" MIDDLE " 18446744073709551616 22\n", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t ticks = UNTOUCHED, want = rows[i].r < 0 ? UNTOUCHED : rows[i].ticks;
		int r = stat_start_parse(rows[i].text, strlen(rows[i].text), &ticks);

		if (r != rows[i].r || ticks != want)
			fail_msg("\"%s\": got %d, %" PRIu64 ", want %d, %" PRIu64, rows[i].text, r,
				 ticks, rows[i].r, want);
	}
}

static void parent(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint32_t pid;
	} rows[] = {
		{ "7 (cat) S 42 7 7 0", 0, 42 },
		{ "1 (init) S 0 1 1", 0, 0 },
		{ "7 (cat) S 4294967295 7", 0, UINT32_MAX },
		/* names that imitate the fields behind them */
		{ "7 (a) S 1 2) R 42 7", 0, 42 },
		{ "7 (a) S 1 () R 42 7", 0, 42 },
		{ "7 (\n) S 1) R 42 7", 0, 42 },
		{ "", -EINVAL, 0 },
		{ "7 (cat)", -EINVAL, 0 },
		{ "7 (cat) ", -EINVAL, 0 },
		{ "7 (cat) S", -EINVAL, 0 },
		{ "7 (cat) S ", -EINVAL, 0 },
		{ "7 (cat) S 4", -EINVAL, 0 }, /* cut off: was it 42? */
		{ "7 cat S 42 7", -EINVAL, 0 },
		{ "7 (cat) S -1 7", -EINVAL, 0 },
		{ "7 (cat) S  42 7", -EINVAL, 0 },
		{ "7 (cat) S 4294967296 7", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint32_t pid = (uint32_t)UNTOUCHED;
		uint32_t want = rows[i].r < 0 ? (uint32_t)UNTOUCHED : rows[i].pid;
		int r = stat_parent_parse(rows[i].text, strlen(rows[i].text), &pid);

		if (r != rows[i].r || pid != want)
			fail_msg("\"%s\": got %d, %" PRIu32 ", want %d, %" PRIu32, rows[i].text, r,
				 pid, rows[i].r, want);
	}
}

static void agrees(void **state)
{
	static const struct {
		uint64_t ticks, start_ns;
		bool want;
	} rows[] = {
		{ 99, 1000000000, true },
		{ 100, 1000000000, true },
		{ 101, 1000000000, true },
		{ 98, 1000000000, false },
		{ 102, 1000000000, false },
		{ 100, 1009999999, true },
		{ 99, 1010000000, false },
		{ 0, 0, true },
		{ 1, 0, true },
		{ 2, 0, false },
		{ UINT64_MAX, 0, false },
		{ 0, UINT64_MAX, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (stat_start_agrees(rows[i].ticks, rows[i].start_ns) != rows[i].want)
			fail_msg("%" PRIu64 " ticks, %" PRIu64 " ns: want %d", rows[i].ticks,
				 rows[i].start_ns, rows[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start),
		cmocka_unit_test(parent),
		cmocka_unit_test(agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
