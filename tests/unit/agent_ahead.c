// SPDX-License-Identifier: Apache-2.0
#include "profiler/agent/ahead.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/base/clock.h"

#define T0 (1000 * NS_PER_S)

struct bench {
	struct ahead ahead;
	struct opener_text plan[AHEAD_MAX_TEXTS];
	struct buffer reply;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	ahead_init(&b->ahead);
	buffer_init(&b->reply, OPENER_MAX_REPLY_BYTES);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	ahead_release(&b->ahead);
	buffer_release(&b->reply);
	free(b);
	return 0;
}

/* Lists pids 1 to `count`. */
static void list(struct bench *b, uint32_t count, uint64_t now_ns)
{
	struct buffer text = BUFFER_INIT(1 << 24);

	for (uint32_t pid = 1; pid <= count; pid++)
		buffer_printf(&text, "%u\n", pid);
	ahead_list(&b->ahead, text.data, text.len, now_ns);
	buffer_release(&text);
}

/* Asks as if it were answered: "WHAT PID" for the first `answered`, -EAGAIN for the others. */
static uint32_t ask(struct bench *b, enum process_text what, uint32_t pid, uint64_t now_ns,
		    uint32_t answered)
{
	uint32_t count = ahead_plan(&b->ahead, what, pid, now_ns, b->plan);

	assert_in_range(count, 1, AHEAD_MAX_TEXTS);
	assert_int_equal(b->plan[0].what, what);
	assert_int_equal(b->plan[0].pid, pid);
	buffer_clear(&b->reply);
	for (uint32_t i = 0; i < count; i++) {
		struct opener_result head = { .status = i < answered ? 0 : -EAGAIN };
		char text[32] = "";

		if (i < answered)
			head.len = (uint32_t)snprintf(text, sizeof(text), "%u %u", b->plan[i].what,
						      b->plan[i].pid);
		buffer_append(&b->reply, &head, sizeof(head));
		buffer_append(&b->reply, text, head.len);
	}
	assert_int_equal(ahead_fill(&b->ahead, b->plan, count, &b->reply, now_ns), 0);
	return count;
}

static void expect_first(struct bench *b, const char *want)
{
	struct buffer out = BUFFER_INIT(1000);

	assert_int_equal(ahead_first(&b->ahead, &out), 0);
	assert_string_equal(buffer_cstr(&out), want);
	buffer_release(&out);
}

/* NULL: it isn't there. */
static void expect_taken(struct bench *b, enum process_text what, uint32_t pid, uint64_t now_ns,
			 const char *want)
{
	struct buffer out = BUFFER_INIT(1000);
	int r = 4711;
	bool taken = ahead_take(&b->ahead, what, pid, now_ns, &out, &r);

	if (taken != !!want)
		fail_msg("%d of %u: got \"%s\", want \"%s\"", what, pid,
			 taken ? buffer_cstr(&out) : "(none)", want ? want : "(none)");
	if (want) {
		assert_int_equal(r, 0);
		assert_string_equal(buffer_cstr(&out), want);
	}
	buffer_release(&out);
}

static void one_by_one(void **state)
{
	struct bench *b = *state;

	list(b, 5, T0);
	assert_int_equal(ask(b, PROCESS_TEXT_STAT, 1, T0, 5), 5);
	expect_first(b, "1 1");
	expect_taken(b, PROCESS_TEXT_STAT, 1, T0, NULL); /* once */
	expect_taken(b, PROCESS_TEXT_MAPS, 2, T0, NULL);
	expect_taken(b, PROCESS_TEXT_STAT, 2, T0, "1 2");
	expect_taken(b, PROCESS_TEXT_STAT, 2, T0, NULL);
	expect_taken(b, PROCESS_TEXT_STAT, 5, T0, "1 5");
	expect_taken(b, PROCESS_TEXT_STAT, 3, T0, "1 3"); /* in any order */
	expect_taken(b, PROCESS_TEXT_STAT, 6, T0, NULL);
	/* The list is through. */
	assert_int_equal(ask(b, PROCESS_TEXT_STAT, 4, T0, 1), 1);
}

/* A whole machine is a handful of requests, however many fit in a reply. */
static void requests(void **state)
{
	static const struct {
		uint32_t processes, answered, want;
	} rows[] = {
		{ 1, 32, 1 },    { 32, 32, 1 },   { 33, 32, 2 },
		{ 500, 32, 16 }, { 500, 10, 50 }, { 500, 1, 500 },
	};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t asked = 0;

		list(b, rows[i].processes, T0);
		for (uint32_t pid = 1; pid <= rows[i].processes; pid++) {
			struct buffer out = BUFFER_INIT(1000);
			int r = 0;

			if (!ahead_take(&b->ahead, PROCESS_TEXT_MAPS, pid, T0, &out, &r)) {
				ask(b, PROCESS_TEXT_MAPS, pid, T0, rows[i].answered);
				r = ahead_first(&b->ahead, &out);
				asked++;
			}
			assert_int_equal(r, 0);
			assert_int_equal(strtoul(buffer_cstr(&out) + 2, NULL, 10), pid);
			buffer_release(&out);
		}
		if (asked != rows[i].want)
			fail_msg("%u processes, %u fit: %u requests, want %u", rows[i].processes,
				 rows[i].answered, asked, rows[i].want);
	}
}

static void mappings_and_identity(void **state)
{
	struct bench *b = *state;

	assert_int_equal(ask(b, PROCESS_TEXT_MAPS, 9, T0, 2), 2);
	expect_first(b, "0 9");
	expect_taken(b, PROCESS_TEXT_STAT, 9, T0, "1 9");
	assert_int_equal(ask(b, PROCESS_TEXT_STAT, 9, T0, 1), 1);
	assert_int_equal(ask(b, PROCESS_TEXT_CGROUP, 9, T0, 1), 1);
	assert_int_equal(ask(b, PROCESS_TEXT_ROOT, 9, T0, 1), 1);
	assert_int_equal(ask(b, PROCESS_TEXT_PIDS, 0, T0, 1), 1);
}

static void nothing_old(void **state)
{
	struct bench *b = *state;
	const uint64_t age = AHEAD_MAX_AGE_NS;

	list(b, 5, T0);
	ask(b, PROCESS_TEXT_STAT, 1, T0, 5);
	expect_taken(b, PROCESS_TEXT_STAT, 2, T0 + age - 1, "1 2");
	expect_taken(b, PROCESS_TEXT_STAT, 3, T0 + age, NULL);
	/* Nor by an old list. */
	list(b, 5, T0);
	assert_int_equal(ask(b, PROCESS_TEXT_STAT, 1, T0 + age, 1), 1);
	list(b, 500, T0);
	assert_int_equal(ask(b, PROCESS_TEXT_STAT, 1, T0 + age - 1, 2), 32);
	assert_int_equal(ask(b, PROCESS_TEXT_STAT, 3, T0 + 2 * age - 2, 2), 32);
	assert_int_equal(ask(b, PROCESS_TEXT_STAT, 5, T0 + 3 * age - 2, 2), 1);
}

static void off_the_list(void **state)
{
	struct bench *b = *state;

	list(b, 100, T0);
	assert_int_equal(ask(b, PROCESS_TEXT_STAT, 18, T0, 1), 1); /* too many were passed over */
	assert_int_equal(ask(b, PROCESS_TEXT_STAT, 17, T0, 100), 32);
	assert_int_equal(ask(b, PROCESS_TEXT_STAT, 17, T0, 1), 1);
	list(b, 100, T0);
	ahead_forget(&b->ahead);
	assert_int_equal(ask(b, PROCESS_TEXT_STAT, 1, T0, 1), 1);
	/* A list beyond the limit is used as far as it goes. */
	list(b, AHEAD_MAX_PIDS + 10, T0);
	assert_int_equal(b->ahead.pid_count, AHEAD_MAX_PIDS);
}

static void refused(void **state)
{
	const struct opener_result good = { .len = 2 }, gone = { .status = -ESRCH };
	const struct opener_text texts[] = { { 0, 1 }, { 0, 2 } };
	struct bench *b = *state;
	struct buffer out = BUFFER_INIT(1000);
	int r = 0;

	for (size_t len = 0; len <= 20; len++) {
		buffer_clear(&b->reply);
		buffer_append(&b->reply, &good, sizeof(good));
		buffer_append(&b->reply, "ab", 2);
		buffer_append(&b->reply, &gone, sizeof(gone));
		buffer_append(&b->reply, "surplus", 8);
		b->reply.len = len;
		r = ahead_fill(&b->ahead, texts, 2, &b->reply, T0);
		if (r != (len == 18 ? 0 : -EPROTO))
			fail_msg("%zu bytes: got %d", len, r);
		if (len != 18)
			assert_false(ahead_take(&b->ahead, 0, 1, T0, &out, &r));
	}
	r = ahead_fill(&b->ahead, texts, 1, &b->reply, T0);
	assert_int_equal(r, -EPROTO);
	buffer_release(&out);
}

/* An error that was foreseen is given out as one; a text that is too long is cut. */
static void statuses(void **state)
{
	const struct opener_result good = { .len = 2 }, gone = { .status = -ESRCH };
	const struct opener_text texts[] = { { 0, 1 }, { 0, 2 } };
	struct bench *b = *state;
	struct buffer out = BUFFER_INIT(1);
	int r = 0;

	buffer_append(&b->reply, &good, sizeof(good));
	buffer_append(&b->reply, "ab", 2);
	buffer_append(&b->reply, &gone, sizeof(gone));
	assert_int_equal(ahead_fill(&b->ahead, texts, 2, &b->reply, T0), 0);
	assert_int_equal(b->reply.len, 0);
	assert_int_equal(ahead_first(&b->ahead, &out), 0);
	assert_string_equal(out.data[0] == 'a' && out.len == 1 ? "cut" : "not cut", "cut");
	assert_true(ahead_take(&b->ahead, 0, 2, T0, &out, &r));
	assert_int_equal(r, -ESRCH);
	buffer_release(&out);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_by_one),  TEST(requests),     TEST(mappings_and_identity),
		TEST(nothing_old), TEST(off_the_list), TEST(refused),
		TEST(statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
