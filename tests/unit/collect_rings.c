// SPDX-License-Identifier: Apache-2.0
#include "profiler/collect/rings.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/collect/session.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define KIB (1u << 10)
#define MIB (1u << 20)
#define LEAST_CPU_BYTES (36 * KIB)

static void sizes_that_are_wanted(void **state)
{
	static const struct {
		uint32_t hz, cpus, samples;
	} rows[] = {
		{ 1, 1, 128 * KIB },      { 99, 1, 512 * KIB },  { 99, 2, 1 * MIB },
		{ 99, 8, 4 * MIB },       { 99, 4096, 4 * MIB }, { 20000, 1, 32 * MIB },
		{ 20000, 128, 32 * MIB },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rings r;

		rings_want(&r, rows[i].hz, rows[i].cpus);
		if (r.sample_bytes != rows[i].samples || r.event_bytes != RINGS_MAX_EVENT_BYTES)
			fail_msg("%u Hz, %u CPUs: got %u and %u, want %u and %u", rows[i].hz,
				 rows[i].cpus, r.sample_bytes, r.event_bytes, rows[i].samples,
				 RINGS_MAX_EVENT_BYTES);
	}
}

static bool is_power(uint32_t x)
{
	return x && !(x & (x - 1));
}

/* Whatever the limit: within it, or as small as they get; and not twice as small as need be. */
static void shrunk_to_any_limit(void **state)
{
	static const uint32_t cpus[] = { 1, 2, 7, 8, 9, 64, 128, 1000, 4096 };
	static const uint32_t hz[] = { 1, 99, 999, 20000 };

	for (size_t c = 0; c < COUNT(cpus); c++)
		for (size_t h = 0; h < COUNT(hz); h++)
			for (uint64_t max = 1 << 16; max < 1ULL << 34; max += max / 3) {
				struct rings want, r;
				uint64_t bytes, least = (cpus[c] + 7ULL) * LEAST_CPU_BYTES;

				rings_want(&want, hz[h], cpus[c]);
				r = want;
				rings_shrink(&r, cpus[c], max);
				bytes = rings_bytes(&r, cpus[c]);
				assert_true(is_power(r.sample_bytes) && is_power(r.event_bytes));
				if (bytes > max && bytes > least * 2)
					fail_msg("%u CPUs, %u Hz: %" PRIu64 " of %" PRIu64, cpus[c],
						 hz[h], bytes, max);
				if (rings_bytes(&want, cpus[c]) <= max)
					assert_true(r.sample_bytes == want.sample_bytes &&
						    r.event_bytes == want.event_bytes);
				else if (bytes * 2 < max)
					fail_msg("%u CPUs, %u Hz: only %" PRIu64 " of %" PRIu64,
						 cpus[c], hz[h], bytes, max);
			}
}

static void what_a_session_takes(void **state)
{
	struct session_config config = { .frequency_hz = 99 };
	uint64_t all = session_kernel_bytes(&config, 128), few, filtered;
	struct rings r;

	rings_want(&r, 99, 128);
	assert_true(all > rings_bytes(&r, 128));
	config.ring_bytes_max = all / 4;
	few = session_kernel_bytes(&config, 128);
	if (few > all / 4)
		fail_msg("got %" PRIu64 ", limit %" PRIu64, few, all / 4);
	config.pid_count = 1;
	filtered = session_kernel_bytes(&config, 128);
	if (filtered > all / 4)
		fail_msg("got %" PRIu64 " with a filter, limit %" PRIu64, filtered, all / 4);
	config.ring_bytes_max = 1;
	few = session_kernel_bytes(&config, 128);
	assert_true(few > 0 && few < 32 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_that_are_wanted),
		cmocka_unit_test(shrunk_to_any_limit),
		cmocka_unit_test(what_a_session_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
