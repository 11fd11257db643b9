// SPDX-License-Identifier: Apache-2.0
#include "profiler/base/number.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define UNTOUCHED 0xdeadbeefULL

static void check(const char *text, int r, uint64_t value, int want_r, uint64_t want)
{
	if (want_r < 0)
		want = UNTOUCHED;
	if (r != want_r || value != want)
		fail_msg("\"%s\": got %d and %" PRIu64 ", want %d and %" PRIu64, text, r, value,
			 want_r, want);
}

static void decimals(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		int r;
		uint64_t value;
	} rows[] = {
		{ "0", 0, 0, 0 },
		{ "7", UINT64_MAX, 0, 7 },
		{ "007", UINT64_MAX, 0, 7 },
		{ "99", 99, 0, 99 },
		{ "100", 99, -ERANGE, 0 },
		{ "18446744073709551614", UINT64_MAX, 0, UINT64_MAX - 1 },
		{ "18446744073709551615", UINT64_MAX, 0, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, -ERANGE, 0 },
		{ "18446744073709551620", UINT64_MAX, -ERANGE, 0 },
		{ "99999999999999999999999", UINT64_MAX, -ERANGE, 0 },
		{ "00000000000000000000000000001", 1, 0, 1 },
		{ "", UINT64_MAX, -EINVAL, 0 },
		{ " 1", UINT64_MAX, -EINVAL, 0 },
		{ "1 ", UINT64_MAX, -EINVAL, 0 },
		{ "1\n", UINT64_MAX, -EINVAL, 0 },
		{ "+1", UINT64_MAX, -EINVAL, 0 },
		{ "-1", UINT64_MAX, -EINVAL, 0 },
		{ "0x10", UINT64_MAX, -EINVAL, 0 },
		{ "1.5", UINT64_MAX, -EINVAL, 0 },
		{ "/", UINT64_MAX, -EINVAL, 0 }, /* the character before '0' */
		{ ":", UINT64_MAX, -EINVAL, 0 }, /* the character behind '9' */
		{ "1\xb2", UINT64_MAX, -EINVAL, 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t value = UNTOUCHED;
		int r = number_parse(rows[i].text, strlen(rows[i].text), rows[i].max, &value);

		check(rows[i].text, r, value, rows[i].r, rows[i].value);
	}
}

/* A piece of a line: neither the digit behind it counts nor a NUL within it ends it. */
static void decimals_end_at_their_length(void **state)
{
	uint64_t value = UNTOUCHED;
	int r = number_parse("123", 2, UINT64_MAX, &value);

	check("12", r, value, 0, 12);
	value = UNTOUCHED;
	r = number_parse("1\0002", 3, UINT64_MAX, &value);
	check("1\\0002", r, value, -EINVAL, 0);
}

static void hexadecimals(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t value;
	} rows[] = {
		{ "0", 0, 0 },
		{ "9", 0, 9 },
		{ "a", 0, 10 },
		{ "F", 0, 15 },
		{ "7fff00000000", 0, 0x7fff00000000 },
		{ "ffffffffffffffff", 0, UINT64_MAX },
		{ "10000000000000000", -ERANGE, 0 },
		{ "0000ffffffffffffffff", 0, UINT64_MAX },
		{ "", -EINVAL, 0 },
		{ "0x1", -EINVAL, 0 },
		{ "g", -EINVAL, 0 },
		{ "`", -EINVAL, 0 },
		{ "@", -EINVAL, 0 },
		{ "G", -EINVAL, 0 },
		{ "/", -EINVAL, 0 },
		{ ":", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t value = UNTOUCHED;
		int r = number_parse_hex(rows[i].text, strlen(rows[i].text), &value);

		check(rows[i].text, r, value, rows[i].r, rows[i].value);
	}
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t ns;
	} rows[] = {
		{ "0", 0, 0 },
		{ "0s", 0, 0 },
		{ "10", 0, 10000000000 },
		{ "1.5", 0, 1500000000 },
		{ "10s", 0, 10000000000 },
		{ "1m", 0, 60000000000 },
		{ "1h30m", 0, 5400000000000 },
		{ "1h0m30.5s", 0, 3630500000000 },
		{ "250ms", 0, 250000000 },
		{ "3us", 0, 3000 },
		{ "3\u00b5s", 0, 3000 },
		{ "3\u03bcs", 0, 3000 },
		{ "1ns", 0, 1 },
		{ "0.5s", 0, 500000000 },
		{ "0.1h", 0, 360000000000 },
		{ "0.9ns", 0, 0 },
		{ "0.0000000019s", 0, 1 },
		{ "1.0000000009999s", 0, 1000000000 },
		{ "1s1s", 0, 2000000000 },
		{ "10000h", 0, 36000000000000000 },
		{ "10000h1ns", -ERANGE, 0 },
		{ "10001h", -ERANGE, 0 },
		{ "36000000000000000ns", 0, 36000000000000000 },
		{ "36000000000000001ns", -ERANGE, 0 },
		{ "99999999999999999999s", -ERANGE, 0 },
		{ "9999h9999h", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ ".5s", -EINVAL, 0 },
		{ "1.s", -EINVAL, 0 },
		{ "1.", -EINVAL, 0 },
		{ "1.5.5", -EINVAL, 0 },
		{ "1h30", -EINVAL, 0 }, /* minutes or seconds? */
		{ "10s5", -EINVAL, 0 },
		{ "-1s", -EINVAL, 0 },
		{ "+1s", -EINVAL, 0 },
		{ " 1s", -EINVAL, 0 },
		{ "1 s", -EINVAL, 0 },
		{ "1s ", -EINVAL, 0 },
		{ "1d", -EINVAL, 0 },
		{ "1S", -EINVAL, 0 },
		{ "1min", -EINVAL, 0 },
		{ "1e3", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "inf", -EINVAL, 0 },
		{ "1\u00b5", -EINVAL, 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t ns = UNTOUCHED;
		int r = duration_parse(rows[i].text, &ns);

		check(rows[i].text, r, ns, rows[i].r, rows[i].ns);
	}
}

static void sizes(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t bytes;
	} rows[] = {
		{ "0", 0, 0 },
		{ "67108864", 0, 64 << 20 },
		{ "64K", 0, 64 << 10 },
		{ "256M", 0, 256 << 20 },
		{ "256m", 0, 256 << 20 },
		{ "300MiB", 0, 300 << 20 },
		{ "1g", 0, 1 << 30 },
		{ "2T", 0, 2ULL << 40 },
		{ "16777215T", 0, 16777215ULL << 40 },
		{ "16777216T", -ERANGE, 0 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551615K", -ERANGE, 0 },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "M", -EINVAL, 0 },
		{ "1MB", -EINVAL, 0 },
		{ "1Mi", -EINVAL, 0 },
		{ "1MiBs", -EINVAL, 0 },
		{ "1 M", -EINVAL, 0 },
		{ " 1M", -EINVAL, 0 },
		{ "-1M", -EINVAL, 0 },
		{ "1.5G", -EINVAL, 0 },
		{ "1E", -EINVAL, 0 },
		{ "1k\n", -EINVAL, 0 },
		{ "1\x0b", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t bytes = UNTOUCHED;
		int r = size_parse(rows[i].text, &bytes);

		check(rows[i].text, r, bytes, rows[i].r, rows[i].bytes);
	}
}

static void cpu_lists(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint16_t bits;
	} rows[] = {
		{ "0", 0, 0x0001 },
		{ "11", 0, 0x0800 },
		{ "0-3,7", 0, 0x008f },
		{ "7,0-3", 0, 0x008f },
		{ "5-5", 0, 0x0020 },
		{ "0-11", 0, 0x0fff },
		{ "1,1,1", 0, 0x0002 },
		{ "12", -ERANGE, 0 },
		{ "0-12", -ERANGE, 0 },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "0-18446744073709551615", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ ",", -EINVAL, 0 },
		{ "1,", -EINVAL, 0 },
		{ ",1", -EINVAL, 0 },
		{ "1,,2", -EINVAL, 0 },
		{ "-", -EINVAL, 0 },
		{ "1-", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "3-1", -EINVAL, 0 },
		{ "1-2-3", -EINVAL, 0 },
		{ "1 2", -EINVAL, 0 },
		{ "0\n", -EINVAL, 0 },
		{ "0-7:2/4", -EINVAL, 0 },
		{ "all", -EINVAL, 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		/* 12 bits, then a byte that isn't ours. */
		uint8_t bits[3] = { 0xaa, 0xaa, 0xaa };
		int r = cpu_list_parse(rows[i].text, strlen(rows[i].text), bits, 12);
		unsigned int got = bits[0] | (unsigned int)bits[1] << 8;
		unsigned int want = rows[i].r < 0 ? 0xaaaa : rows[i].bits;

		if (r != rows[i].r || got != want || bits[2] != 0xaa)
			fail_msg("\"%s\": got %d, %#x and %#x behind it, want %d, %#x and 0xaa",
				 rows[i].text, r, got, bits[2], rows[i].r, want);
	}
}

static void cpu_list_without_cpus(void **state)
{
	uint8_t bits = 0xaa;

	assert_int_equal(cpu_list_parse("0", 1, &bits, 0), -ERANGE);
	assert_int_equal(bits, 0xaa);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decimals),
		cmocka_unit_test(decimals_end_at_their_length),
		cmocka_unit_test(hexadecimals),
		cmocka_unit_test(durations),
		cmocka_unit_test(sizes),
		cmocka_unit_test(cpu_lists),
		cmocka_unit_test(cpu_list_without_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
