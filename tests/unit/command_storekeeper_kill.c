// SPDX-License-Identifier: Apache-2.0
/*
 * The storekeeper, killed at random moments: each window is in the store once, what was committed is never lost, and the limit
 * holds.
 */
#include "profiler/storekeeper/protocol.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/command_storekeeper_process.h"

#define KILLS 200

/* The storekeeper, killed at random moments while windows come as fast as it takes them. */
static void test_kills(void **state)
{
	struct keeper_job job = job_for_ever();
	uint64_t seed = 11, windows, samples;
	struct test_store t;
	struct agent a;

	(void)state;
	test_store_new(&t);
	agent_new(&a);
	for (uint32_t i = 0; i < KILLS; i++) {
		struct keeper k;
		uint64_t end;

		archive_connect(a.archive, keeper_start(&k, t.path, &job));
		end = in(test_random(&seed) % (12 * NS_PER_MS));
		do {
			if (held(&a) < ARCHIVE_MAX_WINDOWS / 2)
				agent_append(&a, 20, 450 * NS_PER_S);
		} while (agent_poll(&a) == 0 && clock_ns(CLOCK_MONOTONIC) < end);
		keeper_kill(&k);
		if (i % 20)
			continue;
		samples = stored(&t, &windows, NULL);
		if (samples < a.samples_committed || windows < a.committed)
			fail_msg("kill %u: %llu samples, committed %llu", i,
				 (unsigned long long)samples,
				 (unsigned long long)a.samples_committed);
	}
	(void)agent_poll(&a);
	{
		struct keeper k;

		archive_connect(a.archive, keeper_start(&k, t.path, &job));
		agent_settle(&a);
		keeper_stop(&k);
	}
	/* Each window once: those, too, that were written when nobody could say so any more. */
	assert_int_equal(a.committed, a.appended);
	assert_int_equal(a.samples_committed, a.samples_appended);
	assert_int_equal(stored(&t, &windows, NULL), a.samples_appended);
	assert_int_equal(windows, a.appended);
	assert_int_equal(counter_get(&a.counters, COUNTER_WINDOWS_DROPPED_STORE), 0);
	verify(&t);
	print_message("%llu windows\n", (unsigned long long)windows);
	assert_true(windows > KILLS / 10);
	agent_free(&a);
	test_store_release(&t);
}

/* A month of few windows and little room: at each kill the bytes are within their limit, whatever was being made. */
static void test_limit(void **state)
{
	struct keeper_job job = job_for_ever();
	uint64_t seed = 12, rolled_up = 0, expired = 0, windows;
	struct test_store t;
	struct agent a;

	(void)state;
	test_store_new(&t);
	agent_new(&a);
	job.max_bytes = STORE_MIN_BYTES;
	job.figures_ns = 20 * NS_PER_MS;
	for (uint32_t i = 0; i < 50; i++) {
		uint64_t until = a.at + test_random(&seed) % (30 * HOUR);
		struct keeper k;

		archive_connect(a.archive, keeper_start(&k, t.path, &job));
		while (a.at < until) {
			struct pollfd p = { .fd = k.child.socket, .events = POLLIN };

			agent_append(&a, 200, 1800 * NS_PER_S);
			agent_settle(&a);
			while (poll(&p, 1, 0) > 0)
				assert_int_equal(hear(&k), KEEPER_FIGURES);
			assert_in_range(k.figures.bytes, 0, STORE_MIN_BYTES);
		}
		/* What it has done since the last ones isn't told. */
		keeper_kill(&k);
		rolled_up += k.figures.rolled_up;
		expired += k.figures.expired_by_bytes;
		assert_in_range(test_store_bytes(&t), 0, STORE_MIN_BYTES);
	}
	assert_int_equal(a.committed, a.appended);
	assert_in_range(stored(&t, &windows, NULL), 1, a.samples_appended - 1);
	assert_true(rolled_up > 0 && expired > 0);
	verify(&t);
	print_message("%llu days, %llu files rolled up, %llu given up\n",
		      (unsigned long long)((a.at - TEST_EPOCH_NS) / (24 * HOUR)),
		      (unsigned long long)rolled_up, (unsigned long long)expired);
	agent_free(&a);
	test_store_release(&t);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kills),
		cmocka_unit_test(test_limit),
	};
	int status;

	if (storekeeper_main(argc, argv, &status))
		return status;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
