// SPDX-License-Identifier: Apache-2.0
/*
 * The periods of a CPU's events: their rates add up, and no two are alike, whatever the dice say.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "profiler/base/clock.h"
#include "profiler/collect/ticker.h"

static const uint32_t dice[][SESSION_EVENTS_PER_CPU] = {
	{ 0, 0, 0, 0 },
	{ UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX },
	{ UINT32_MAX, 0, UINT32_MAX, 0 },
	{ 0, 0, 0, UINT32_MAX },
	{ 1u << 31, 123456789, 987654321, 42 },
};

static void check_periods(const struct ticker *t, uint32_t frequency_hz)
{
	double share = frequency_hz / (double)SESSION_EVENTS_PER_CPU, sum = 0;

	for (int i = 0; i < SESSION_EVENTS_PER_CPU; i++) {
		double rate = (double)NS_PER_S / (double)t->periods_ns[i];

		sum += rate;
		for (int beat = 1; beat <= 6; beat++) {
			double turns = beat * frequency_hz / rate;

			if (fabs(turns - round(turns)) < 0.049)
				fail_msg("%u Hz: event %d has %f Hz, in step after %d",
					 frequency_hz, i, rate, beat);
		}
		if (fabs(rate / share - 1) > 0.20)
			fail_msg("%u Hz: event %d has %f Hz of %f", frequency_hz, i, rate, share);
		for (int j = 0; j < i; j++) {
			double other = (double)NS_PER_S / (double)t->periods_ns[j];

			if (fabs(rate / other - 1) < 0.015)
				fail_msg("%u Hz: events %d and %d have %f and %f Hz", frequency_hz,
					 i, j, rate, other);
		}
	}
	if (fabs(sum / frequency_hz - 1) > 1e-4)
		fail_msg("the rates add up to %f Hz of %u", sum, frequency_hz);
}

static void test_periods(void **state)
{
	static const uint32_t frequencies[] = {
		1, 19, 99, 100, 997, 4999, SESSION_MAX_FREQUENCY_HZ
	};

	for (size_t f = 0; f < sizeof(frequencies) / sizeof(frequencies[0]); f++) {
		for (size_t i = 0; i < sizeof(dice) / sizeof(dice[0]); i++) {
			struct ticker t;

			ticker_init(&t, SESSION_CPU_CLOCK, frequencies[f], dice[i]);
			assert_int_equal(t.count, SESSION_EVENTS_PER_CPU);
			check_periods(&t, frequencies[f]);
		}
	}
}

static void test_cycles_is_one_event(void **state)
{
	struct ticker t;

	ticker_init(&t, SESSION_CYCLES, 99, dice[0]);
	assert_int_equal(t.count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_periods),
		cmocka_unit_test(test_cycles_is_one_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
