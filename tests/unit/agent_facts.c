// SPDX-License-Identifier: Apache-2.0
#include "profiler/agent/facts.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Each field another number, so that no two can be mixed up. */
static const struct facts sample = {
	.profile = {
		.event = "cycles",
		.value_type = "cycles",
		.value_unit = "count",
		.time_ns = 1760000000000000001,
		.duration_ns = 10000000002,
		.period = 10101013,
		.frequency_hz = 99,
		.cpus_profiled = 4,
		.cpus_online = 8,
		.filtered = true,
		.machine_ns = 40000000005,
		.busy_ns = 20000000006,
		.steal_ns = 7,
		.own_cpu_ns = 8000000,
		.own_bpf_ns = 900000,
		.own_memory_bytes = 23000000,
		.own_kernel_bytes = 2900000,
		.memory_kernel_bytes = 1300000,
		.memory_budget_bytes = 268435456,
	},
	.start_ns = 111,
	.end_ns = UINT64_MAX,
};

static void parse(struct facts *f, const char *text)
{
	struct err err = { "" };
	int r = facts_parse(f, text, strlen(text), &err);

	if (r != 0)
		fail_msg("got %d (%s), want 0, for:\n%s", r, err.text, text);
}

static void what_was_written_is_read(void **state)
{
	struct buffer text = BUFFER_INIT(1 << 16);
	struct facts in = sample, out = { 0 };

	for (enum counter id = 0; id < COUNTER_COUNT; id++)
		in.counters.value[id] = id + 1000;
	facts_write(&in, &text);
	assert_int_equal(buffer_error(&text), 0);
	parse(&out, buffer_cstr(&text));
	buffer_release(&text);

	assert_string_equal(out.profile.event, "cycles");
	assert_string_equal(out.profile.value_type, "cycles");
	assert_string_equal(out.profile.value_unit, "count");
	/* All the rest at once, so that a field which is forgotten in the table shows. */
	in.profile.event = out.profile.event;
	in.profile.value_type = out.profile.value_type;
	in.profile.value_unit = out.profile.value_unit;
	assert_memory_equal(&out.profile, &in.profile, sizeof(in.profile));
	assert_int_equal(out.start_ns, 111);
	assert_true(out.end_ns == UINT64_MAX);
}

/* The kernel's counts can't be counted again; what a replay counts itself must not be there twice. */
static void counters_are_in_it_once(void **state)
{
	struct buffer text = BUFFER_INIT(1 << 16);
	struct facts in = sample, out = { 0 };

	for (enum counter id = 0; id < COUNTER_COUNT; id++)
		in.counters.value[id] = id + 1000;
	facts_write(&in, &text);
	parse(&out, buffer_cstr(&text));
	buffer_release(&text);
	for (enum counter id = 0; id < COUNTER_COUNT; id++) {
		bool kept =
			id < (enum counter)BPF_COUNTER_COUNT || id == COUNTER_CPUS_FAILED ||
			id == COUNTER_SAMPLES_MISSED || id == COUNTER_TICKS_MISSED ||
			(id >= COUNTER_DEBUG_FILES_MISSING && id <= COUNTER_DEBUG_FILES_UNASKED) ||
			(id >= COUNTER_LINES_NONE && id <= COUNTER_LINES_LET_GO) ||
			id == COUNTER_CODE_MAPS_UNASKED ||
			(id >= COUNTER_LINE_INDEXES_MADE && id <= COUNTER_LINE_INDEXES_UNKEPT) ||
			id == COUNTER_SYMBOLIZER_FAILED || id == COUNTER_OPENER_FAILED ||
			(id >= COUNTER_UNWIND_REFUSED && id <= COUNTER_UNWIND_FILES_BAD);
		uint64_t got = counter_get(&out.counters, id), want = kept ? id + 1000 : 0;

		if (got != want)
			fail_msg("%s: got %" PRIu64 ", want %" PRIu64, counter_name(id), got, want);
	}
}

static void later_texts_amend_earlier_ones(void **state)
{
	struct facts f = { 0 };

	parse(&f, "event 0\nperiod 5\nfiltered 1\n");
	assert_string_equal(f.profile.event, "cpu-clock");
	assert_string_equal(f.profile.value_unit, "nanoseconds");
	parse(&f, "end_ns 9\n");
	parse(&f, "");
	parse(&f, "period 6\nfiltered 0\nperiod 7\n");
	assert_int_equal(f.profile.period, 7);
	assert_int_equal(f.end_ns, 9);
	assert_int_equal(f.profile.filtered, 0);
	assert_string_equal(f.profile.event, "cpu-clock");
}

static void unknown_names_are_passed_over(void **state)
{
	struct facts f = sample, before = sample;

	parse(&f,
	      "weather 5\ncounter.weather 6\ncounter. 7\nperiodic 8\nperio 9\n 10\nPERIOD 11\n");
	assert_memory_equal(&f, &before, sizeof(f));
}

static void damaged_texts_are_refused(void **state)
{
	static const char *const texts[] = {
		"period",
		"period\n",
		"period 5", /* cut */
		"period \n",
		"period  5\n",
		"period 5 \n",
		"period -5\n",
		"period 5\n\n",
		"\n",
		"period 0x5\n",
		"period 18446744073709551616\n",
		"period 4611686018427387905\n", /* 2^62 + 1 */
		"event 2\n",
		"event 18446744073709551615\n",
		"event cpu-clock\n",
		"frequency_hz 1000001\n",
		"cpus_online 65537\n",
		"cpus_profiled 4294967297\n",
		"counter.samples_sent 72057594037927937\n", /* 2^56 + 1 */
		"period\n5 \n",
	};

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct facts f = { 0 };
		struct err err = { "" };
		int r = facts_parse(&f, texts[i], strlen(texts[i]), &err);

		if (r != -EINVAL || !*err.text)
			fail_msg("\"%s\": got %d and \"%s\", want %d and a sentence", texts[i], r,
				 err.text, -EINVAL);
		assert_int_equal(facts_parse(&f, texts[i], strlen(texts[i]), NULL), -EINVAL);
	}
}

static void the_ends_of_ranges_are_in_them(void **state)
{
	struct facts f = { 0 };

	parse(&f, "period 4611686018427387904\nfrequency_hz 1000000\ncpus_online 65536\nevent 1\n"
		  "counter.samples_sent 72057594037927936\nend_ns 18446744073709551615\n");
	assert_true(f.profile.period == 1ULL << 62);
	assert_int_equal(f.profile.frequency_hz, 1000000);
	assert_int_equal(f.profile.cpus_online, 65536);
	assert_true(f.counters.value[COUNTER_SAMPLES_SENT] == 1ULL << 56);
}

/* Whatever is cut off a text, the rest is read or refused, and all that is read was in it. */
static void cut_texts_are_read_or_refused(void **state)
{
	struct buffer text = BUFFER_INIT(1 << 16);
	uint32_t good = 0;

	facts_write(&sample, &text);
	for (size_t len = 0; len <= text.len; len++) {
		struct facts f = { 0 };
		char *exact = malloc(len + 1);
		int r;

		assert_non_null(exact);
		memcpy(exact, text.data, len);
		r = facts_parse(&f, exact, len, NULL);
		free(exact);
		if (r != (len == 0 || text.data[len - 1] == '\n' ? 0 : -EINVAL))
			fail_msg("cut to %zu of %zu: got %d", len, text.len, r);
		good += r == 0;
	}
	assert_true(good > 15);
	buffer_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(counters_are_in_it_once),
		cmocka_unit_test(later_texts_amend_earlier_ones),
		cmocka_unit_test(unknown_names_are_passed_over),
		cmocka_unit_test(damaged_texts_are_refused),
		cmocka_unit_test(the_ends_of_ranges_are_in_them),
		cmocka_unit_test(cut_texts_are_read_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
