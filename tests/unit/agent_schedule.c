// SPDX-License-Identifier: Apache-2.0
/*
 * Windows by clocks that are a test's own: monotonic time and an offset, which steps or drifts.
 */
#include "profiler/agent/schedule.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "profiler/base/clock.h"

#define WINDOW_NS (10 * NS_PER_S)
#define REAL_NS (1700000000ULL * NS_PER_S) /* a multiple */
#define MONO_NS (5000 * NS_PER_S)
#define MS NS_PER_MS

/* `after` in ms behind MONO_NS, and REAL_NS + first_ms there. */
static void begin(struct schedule *s, uint64_t first_ms)
{
	schedule_begin(s, WINDOW_NS, MONO_NS, REAL_NS + first_ms * MS);
}

/* Ends the window; its end, and start, in ms behind MONO_NS and REAL_NS. */
#define ENDS(s, mono_ms, real_ms)                                          \
	do {                                                               \
		assert_int_equal(schedule_end(s), MONO_NS + (mono_ms)*MS); \
		count = schedule_turn(s, &w, ids);                         \
		assert_int_equal(w.end_ns, MONO_NS + (mono_ms)*MS);        \
		assert_int_equal(w.end_real_ns, REAL_NS + (real_ms)*MS);   \
	} while (0)

static struct schedule_window w;
static uint64_t ids[AGENT_MAX_CUTS];
static uint32_t count;

static void windows_end_on_multiples(void **state)
{
	struct schedule s;

	begin(&s, 3000);
	ENDS(&s, 7000, 10000);
	assert_int_equal(w.start_ns, MONO_NS);
	assert_int_equal(w.start_real_ns, REAL_NS + 3000 * MS);
	ENDS(&s, 17000, 20000);
	assert_int_equal(w.start_ns, MONO_NS + 7000 * MS);
	assert_int_equal(w.start_real_ns, REAL_NS + 10000 * MS);
	begin(&s, 0);
	ENDS(&s, 10000, 10000);
	assert_int_equal(count, 0);
}

/* However clocks are adjusted meanwhile, by what never is a step: on the multiple, and contiguous. */
static void windows_follow_clocks_that_drift(void **state)
{
	struct schedule s;
	int64_t offset_ns = 0;
	uint64_t last_real = REAL_NS + 3000 * MS, last = MONO_NS, now = MONO_NS;

	begin(&s, 3000);
	for (int i = 1; i <= 1000; i++) {
		int64_t drift = (i % 7 - 3) * 50000LL + (i > 500 ? 200000 : -200000);

		while (now < schedule_end(&s)) {
			now += 100 * MS;
			offset_ns += drift / 100;
			schedule_look(&s, now,
				      REAL_NS + 3000 * MS + now - MONO_NS + (uint64_t)offset_ns);
		}
		schedule_turn(&s, &w, ids);
		assert_int_equal(w.start_ns, last);
		assert_int_equal(w.start_real_ns, last_real);
		assert_int_equal(w.end_real_ns, REAL_NS + (uint64_t)i * WINDOW_NS);
		assert_true(w.end_ns > w.start_ns);
		last = w.end_ns;
		last_real = w.end_real_ns;
	}
}

static void a_cut_ends_it_at_once(void **state)
{
	struct schedule s;

	begin(&s, 0);
	assert_int_equal(schedule_cut(&s, 7, MONO_NS + 4000 * MS), 0);
	/* While records up to then are waited for, these come: another window's. */
	assert_int_equal(schedule_cut(&s, 8, MONO_NS + 4010 * MS), 0);
	assert_int_equal(schedule_cut(&s, 9, MONO_NS + 4049 * MS), 0);
	assert_int_equal(schedule_cut(&s, 10, MONO_NS + 4051 * MS), 0);
	ENDS(&s, 4000, 4000);
	assert_int_equal(count, 1);
	assert_int_equal(ids[0], 7);
	/* They share one. */
	ENDS(&s, 4050, 4050);
	assert_int_equal(count, 2);
	assert_int_equal(ids[0], 8);
	assert_int_equal(ids[1], 9);
	ENDS(&s, 4100, 4100);
	assert_int_equal(count, 1);
	assert_int_equal(ids[0], 10);
	ENDS(&s, 10000, 10000);
	assert_int_equal(count, 0);
}

static void a_cut_before_a_multiple_waits_for_it(void **state)
{
	static const struct {
		uint64_t came_ms, end_ms;
		uint32_t done;
	} rows[] = {
		{ 9949, 9949, 1 },   { 9950, 9950, 1 },   { 9951, 10000, 1 },
		{ 10000, 10000, 1 }, { 10001, 10000, 0 },
	};

	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct schedule s;

		begin(&s, 0);
		assert_int_equal(schedule_cut(&s, 1, MONO_NS + rows[i].came_ms * MS), 0);
		ENDS(&s, rows[i].end_ms, rows[i].end_ms);
		assert_int_equal(count, rows[i].done);
	}
}

static void cuts_are_bounded(void **state)
{
	struct schedule s;

	begin(&s, 0);
	for (uint32_t i = 0; i < AGENT_MAX_CUTS; i++)
		assert_int_equal(schedule_cut(&s, i + 1, MONO_NS + 100 * MS + i), 0);
	assert_int_equal(schedule_cut(&s, 99, MONO_NS + 101 * MS), -EAGAIN);
	ENDS(&s, 100, 100);
	assert_int_equal(count, 1);
	assert_int_equal(schedule_cut(&s, 99, MONO_NS + 101 * MS), 0);
	ENDS(&s, 150, 150);
	assert_int_equal(count, AGENT_MAX_CUTS);
	assert_int_equal(ids[AGENT_MAX_CUTS - 1], 99);
}

static void it_is_hastened(void **state)
{
	struct schedule s;

	begin(&s, 0);
	schedule_hasten(&s, MONO_NS + 2000 * MS);
	schedule_hasten(&s, MONO_NS + 2100 * MS);
	ENDS(&s, 2000, 2000);
	ENDS(&s, 10000, 10000);
	schedule_hasten(&s, MONO_NS + 20001 * MS);
	ENDS(&s, 20000, 20000);
	ENDS(&s, 20001, 20001);
	ENDS(&s, 30000, 30000);
}

/* What was before is a window by the clock of then, what is behind it one by that of now. */
static void the_clock_steps(void **state)
{
	static const int64_t steps_ms[] = { 3600000, -3600000, 501, -501, 8 * 3600000 };

	for (uint32_t i = 0; i < sizeof(steps_ms) / sizeof(steps_ms[0]); i++) {
		uint64_t by = (uint64_t)(steps_ms[i] * (int64_t)MS);
		uint64_t then = REAL_NS + 2100 * MS + by;
		struct schedule s;

		begin(&s, 0);
		schedule_look(&s, MONO_NS + 2000 * MS, REAL_NS + 2000 * MS);
		schedule_look(&s, MONO_NS + 2100 * MS, then);
		schedule_look(&s, MONO_NS + 2110 * MS, then + 10 * MS);
		ENDS(&s, 2000, 2000);
		schedule_look(&s, MONO_NS + 2120 * MS, then + 20 * MS);
		schedule_turn(&s, &w, ids);
		assert_int_equal(w.start_ns, MONO_NS + 2000 * MS);
		assert_int_equal(w.start_real_ns, then - 100 * MS);
		assert_int_equal(w.end_real_ns % WINDOW_NS, 0);
		assert_true(w.end_real_ns - w.start_real_ns <= WINDOW_NS);
		assert_int_equal(w.end_real_ns - w.start_real_ns, w.end_ns - w.start_ns);
	}
}

/* Half a second and less is an adjustment; no window ends before it began. */
static void a_small_step_is_none(void **state)
{
	struct schedule s;

	begin(&s, 9900);
	schedule_look(&s, MONO_NS + 50 * MS, REAL_NS + 9950 * MS);
	schedule_look(&s, MONO_NS + 90 * MS, REAL_NS + 9990 * MS - 400 * MS);
	ENDS(&s, 500, 10000);
	assert_int_equal(w.start_real_ns, REAL_NS + 9900 * MS);
	schedule_cut(&s, 1, MONO_NS + 600 * MS);
	schedule_look(&s, MONO_NS + 610 * MS, REAL_NS + 9700 * MS);
	ENDS(&s, 600, 10000);
	assert_int_equal(w.start_real_ns, REAL_NS + 10000 * MS);
}

static void a_step_as_it_begins(void **state)
{
	struct schedule s;

	begin(&s, 0);
	schedule_look(&s, MONO_NS + 10 * MS, REAL_NS + 5010 * MS);
	ENDS(&s, 5000, 10000);
	assert_int_equal(w.start_real_ns, REAL_NS + 5000 * MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_end_on_multiples),
		cmocka_unit_test(windows_follow_clocks_that_drift),
		cmocka_unit_test(a_cut_ends_it_at_once),
		cmocka_unit_test(a_cut_before_a_multiple_waits_for_it),
		cmocka_unit_test(cuts_are_bounded),
		cmocka_unit_test(it_is_hastened),
		cmocka_unit_test(the_clock_steps),
		cmocka_unit_test(a_small_step_is_none),
		cmocka_unit_test(a_step_as_it_begins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
