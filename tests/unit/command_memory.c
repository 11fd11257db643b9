// SPDX-License-Identifier: Apache-2.0
#include "profiler/command/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MIB ((uint64_t)1 << 20)
#define UNTOUCHED 77

static void what_people_write(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t bytes;
		const char *says;
	} rows[] = {
		{ "256M", 0, 256 * MIB, "" },
		{ "1G", 0, 1024 * MIB, "" },
		{ "300MiB", 0, 300 * MIB, "" },
		{ "67108864", 0, 64 * MIB, "" },
		{ "64m", 0, 64 * MIB, "" },
		{ "67108863", -EINVAL, UNTOUCHED, "\"67108863\" is too little: 64M is the least" },
		{ "63M", -EINVAL, UNTOUCHED, "\"63M\" is too little" },
		{ "0", -EINVAL, UNTOUCHED, "\"0\" is too little" },
		{ "", -EINVAL, UNTOUCHED, "\"\" is not a size such as 256M" },
		{ "256MB", -EINVAL, UNTOUCHED, "\"256MB\" is not a size" },
		{ "-1G", -EINVAL, UNTOUCHED, "\"-1G\" is not a size" },
		{ "99999999T", -EINVAL, UNTOUCHED, "\"99999999T\" is not a size" },
		{ "all", -EINVAL, UNTOUCHED, "\"all\" is not a size" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t bytes = UNTOUCHED;
		struct err err = { "" };
		int r = memory_take(&bytes, memory_options[0].key, rows[i].text, &err);

		if (r != rows[i].r || bytes != rows[i].bytes || !strstr(err.text, rows[i].says))
			fail_msg("\"%s\": got %d, %" PRIu64 ", \"%s\"; want %d, %" PRIu64
				 ", \"%s\"",
				 rows[i].text, r, bytes, err.text, rows[i].r, rows[i].bytes,
				 rows[i].says);
	}
}

static void other_options_are_not_taken(void **state)
{
	uint64_t bytes = UNTOUCHED;

	assert_int_equal(memory_take(&bytes, 'p', "256M", NULL), 1);
	assert_int_equal(memory_take(&bytes, 0, "256M", NULL), 1);
	assert_int_equal(bytes, UNTOUCHED);
}

/* Rings give way before anything is refused, and then what they take is within their share. */
static void rings_shrink_to_their_share(void **state)
{
	static const struct {
		uint64_t asked_mib;
		uint32_t cpus, hz;
	} rows[] = {
		{ 0, 2, 99 },     { 0, 128, 99 },  { 0, 128, 20000 },  { 64, 2, 99 },
		{ 64, 2, 20000 }, { 64, 128, 99 }, { 64, 128, 20000 }, { 1024, 1024, 999 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct session_config s = { .frequency_hz = rows[i].hz };
		struct budget b;
		struct err err = { "" };
		int r = memory_divide(rows[i].asked_mib * MIB, UINT64_MAX, rows[i].cpus, &s, &b,
				      &err);

		if (r < 0)
			fail_msg("row %zu: %s", i, err.text);
		assert_int_equal(s.ring_bytes_max, b.total / 4);
		if (b.kernel > b.total / 4 || b.kernel != session_kernel_bytes(&s, rows[i].cpus))
			fail_msg("row %zu: %" PRIu64 " of %" PRIu64 " for the kernel", i, b.kernel,
				 b.total);
	}
}

static void on_this_machine(void **state)
{
	struct job job = { .session.frequency_hz = 99 };
	struct err err = { "" };

	if (memory_share(256 * MIB, &job, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(job.budget.total, 256 * MIB);
	assert_true(job.session.ring_bytes_max > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_people_write),
		cmocka_unit_test(other_options_are_not_taken),
		cmocka_unit_test(rings_shrink_to_their_share),
		cmocka_unit_test(on_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
