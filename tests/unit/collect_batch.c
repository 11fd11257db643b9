// SPDX-License-Identifier: Apache-2.0
/*
 * Records of several sources in, records by time out.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/collect/batch.h"
#include "profiler/collect/decode.h"
#include "tests/unit/torture.h"

/* A sample without frames; `tid` tells it from others. */
static int add_sample(struct batch *b, uint64_t time_ns, uint32_t tid)
{
	struct record_sample s = { .time_ns = time_ns, .tgid = 1, .tid = tid };

	return batch_add(b, BATCH_SAMPLE, &s, sizeof(s));
}

/* An event of no known kind. */
static int add_event(struct batch *b, uint64_t time_ns, uint32_t tid)
{
	struct {
		struct perf_event_header header;
		uint32_t pid, tid;
		uint64_t time;
	} e = { { .type = 1000, .size = sizeof(e) }, 1, tid, time_ns };

	return batch_add(b, BATCH_EVENT, &e, sizeof(e));
}

static uint32_t tid_of(const struct batch_record *r)
{
	const struct record_sample *s;
	struct event e;

	if (r->kind == BATCH_SAMPLE) {
		assert_int_equal(decode_sample(r->bytes, r->len, &s), 0);
		assert_int_equal(s->time_ns, r->time_ns);
		return s->tid;
	}
	assert_int_equal(decode_event(r->bytes, r->len, &e), 0);
	assert_int_equal(e.time_ns, r->time_ns);
	return e.tid;
}

static void expect(struct batch *b, uint64_t until_ns, const uint32_t *tids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct batch_record *r = batch_next(b, until_ns);

		assert_non_null(r);
		assert_int_equal(tid_of(r), tids[i]);
	}
	assert_null(batch_next(b, until_ns));
}

#define EXPECT(b, until, ...)                                               \
	do {                                                                \
		const uint32_t tids[] = { __VA_ARGS__ };                    \
		expect((b), (until), tids, sizeof(tids) / sizeof(tids[0])); \
	} while (0)

static void test_order(void **state)
{
	struct counters counters = { 0 };
	struct batch *b;

	assert_int_equal(batch_new(&b, &counters, 1 << 20), 0);
	assert_null(batch_next(b, UINT64_MAX));
	add_sample(b, 30, 1);
	add_sample(b, 10, 2);
	add_event(b, 30, 3);
	add_event(b, 20, 4);
	add_sample(b, 30, 5);
	EXPECT(b, UINT64_MAX, 2, 4, 3, 1, 5);
	batch_drop(b);
	assert_null(batch_next(b, UINT64_MAX));
	batch_free(b);
}

/* What says that it is of next year isn't kept until then. */
static void test_ahead(void **state)
{
	const uint64_t now_ns = 1000 * BATCH_AHEAD_NS;
	struct counters counters = { 0 };
	struct batch *b;

	assert_int_equal(batch_new(&b, &counters, 1 << 10), 0);
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(add_event(b, UINT64_MAX - i, 1), 0);
		assert_int_equal(add_sample(b, now_ns + BATCH_AHEAD_NS + 1, 2), 0);
		assert_int_equal(add_sample(b, now_ns + i % 3, 3), 0);
		EXPECT(b, now_ns + i % 3, 3);
		batch_drop(b);
		assert_int_equal(counter_get(&counters, COUNTER_EVENTS_MALFORMED), i + 1);
	}
	assert_int_equal(add_sample(b, now_ns + BATCH_AHEAD_NS, 4), 0);
	assert_null(batch_next(b, now_ns));
	batch_drop(b);
	EXPECT(b, UINT64_MAX, 4);
	batch_free(b);
}

/* Copies of stacks give way, as half of the memory is taken: none of the samples does. */
static void test_rests(void **state)
{
	struct {
		struct record_sample s;
		uint64_t leaf;
		struct record_rest rest;
		uint64_t stack[128];
	} whole = { .s = { .tgid = 1,
			   .tid = 1,
			   .user_frames = 1,
			   .stack_end = STACK_END_NO_MAPPING,
			   .flags = RECORD_FLAG_REST },
		    .leaf = 0x1000,
		    .rest = { .bytes = sizeof(whole.stack) } };
	struct counters counters = { 0 };
	const struct batch_record *r;
	uint32_t with = 0, without = 0;
	struct batch *b;

	assert_int_equal(batch_new(&b, &counters, 10 * sizeof(whole)), 0);
	for (whole.s.time_ns = 1; whole.s.time_ns <= 20; whole.s.time_ns++)
		assert_int_equal(batch_add(b, BATCH_SAMPLE, &whole, sizeof(whole)), 0);
	while ((r = batch_next(b, UINT64_MAX))) {
		const struct record_sample *s;

		assert_int_equal(decode_sample(r->bytes, r->len, &s), 0);
		if (decode_rest(s)) {
			assert_memory_equal(decode_rest(s), &whole.rest,
					    sizeof(whole.rest) + sizeof(whole.stack));
			assert_int_equal(without, 0);
			with++;
		} else {
			assert_int_equal(s->flags, RECORD_FLAG_REST_GONE);
			without++;
		}
	}
	assert_int_equal(with, 5);
	assert_int_equal(without, 15);
	assert_int_equal(counter_get(&counters, COUNTER_UNWIND_COPIES_DROPPED), 15);
	assert_int_equal(counter_get(&counters, COUNTER_SAMPLES_DROPPED_MEMORY), 0);
	batch_free(b);
}

static void test_hold_back(void **state)
{
	struct counters counters = { 0 };
	struct batch *b;

	assert_int_equal(batch_new(&b, &counters, 1 << 20), 0);
	add_sample(b, 99, 1);
	add_sample(b, 101, 2);
	add_sample(b, 100, 3);
	add_event(b, 150, 4);
	EXPECT(b, 100, 1, 3);
	batch_drop(b);

	/* What was held back is merged with what comes, also with what is older. */
	add_event(b, 120, 5);
	add_sample(b, 90, 6);
	EXPECT(b, 149, 6, 2, 5);
	batch_drop(b);
	batch_drop(b);
	EXPECT(b, UINT64_MAX, 4);
	batch_free(b);
}

/* Nothing handed out: nothing dropped. */
static void test_drop_nothing(void **state)
{
	struct counters counters = { 0 };
	struct batch *b;

	assert_int_equal(batch_new(&b, &counters, 1 << 20), 0);
	add_sample(b, 100, 1);
	add_sample(b, 50, 2);
	batch_drop(b);
	assert_null(batch_next(b, 49));
	batch_drop(b);
	EXPECT(b, 50, 2);
	EXPECT(b, 100, 1);
	batch_free(b);
}

/* Records of unequal lengths, half of them held back each time: bytes must move with their record. */
static void test_many_rounds(void **state)
{
	struct counters counters = { 0 };
	uint64_t last_ns = 0;
	uint32_t out = 0, in = 0;
	struct batch *b;

	assert_int_equal(batch_new(&b, &counters, 1 << 20), 0);
	for (uint64_t round = 1; round <= 100; round++) {
		const struct batch_record *r;

		for (uint64_t i = 0; i < 20; i++) {
			uint64_t time_ns = round * 1000 + i * 7919 % 1000;

			in++;
			assert_int_equal(
				i % 2 ? add_sample(b, time_ns, in) : add_event(b, time_ns, in), 0);
		}
		while ((r = batch_next(b, round * 1000 + 500))) {
			(void)tid_of(r);
			assert_true(r->time_ns >= last_ns);
			last_ns = r->time_ns;
			out++;
		}
		batch_drop(b);
	}
	while (batch_next(b, UINT64_MAX))
		out++;
	assert_int_equal(out, in);
	batch_free(b);
}

static void test_limit(void **state)
{
	struct counters counters = { 0 };
	struct batch *b;

	/* Room for two samples and one event. */
	assert_int_equal(batch_new(&b, &counters, 2 * sizeof(struct record_sample) + 24), 0);
	assert_int_equal(add_sample(b, 1, 1), 0);
	assert_int_equal(add_sample(b, 2, 2), 0);
	assert_int_equal(add_sample(b, 3, 3), -E2BIG);
	assert_int_equal(counter_get(&counters, COUNTER_SAMPLES_DROPPED_MEMORY), 1);
	assert_int_equal(add_event(b, 4, 4), 0);
	assert_int_equal(add_event(b, 5, 5), -E2BIG);
	assert_int_equal(counter_get(&counters, COUNTER_EVENTS_LOST), 1);
	EXPECT(b, 1, 1);
	batch_drop(b);

	/* There is room again. */
	assert_int_equal(add_sample(b, 1, 6), 0);
	EXPECT(b, UINT64_MAX, 6, 2, 4);
	assert_int_equal(counter_get(&counters, COUNTER_SAMPLES_DROPPED_MEMORY), 1);
	batch_free(b);
}

static void test_malformed(void **state)
{
	uint64_t zeros[8] = { 0 };
	struct counters counters = { 0 };
	struct batch *b;

	assert_int_equal(batch_new(&b, &counters, 1 << 20), 0);
	assert_int_equal(batch_add(b, BATCH_SAMPLE, zeros, sizeof(zeros)), -EINVAL);
	assert_int_equal(batch_add(b, BATCH_EVENT, zeros, sizeof(zeros)), -EINVAL);
	assert_int_equal(batch_add(b, BATCH_EVENT, zeros, 0), -EINVAL);
	assert_int_equal(counter_get(&counters, COUNTER_SAMPLES_MALFORMED), 1);
	assert_int_equal(counter_get(&counters, COUNTER_EVENTS_MALFORMED), 2);
	assert_null(batch_next(b, UINT64_MAX));
	batch_free(b);
	batch_free(NULL);
}

/* A record that there was no memory for is counted and not there; the others are. */
static int add_some(void *ctx)
{
	struct counters counters = { 0 };
	uint32_t in = 0, out = 0;
	struct batch *b;
	int result, r;

	result = batch_new(&b, &counters, 1 << 20);
	if (result < 0)
		return result;
	for (uint32_t i = 0; i < 100; i++) {
		r = add_sample(b, i, i + 1);
		in += r == 0;
		if (r < 0)
			result = r;
	}
	while (batch_next(b, UINT64_MAX))
		out++;
	assert_int_equal(out, in);
	assert_int_equal(counter_get(&counters, COUNTER_SAMPLES_DROPPED_MEMORY), 100 - in);
	batch_free(b);
	return result;
}

static void test_no_memory(void **state)
{
	assert_true(torture(add_some, NULL) >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),        cmocka_unit_test(test_hold_back),
		cmocka_unit_test(test_ahead),        cmocka_unit_test(test_rests),
		cmocka_unit_test(test_drop_nothing), cmocka_unit_test(test_many_rounds),
		cmocka_unit_test(test_limit),        cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
