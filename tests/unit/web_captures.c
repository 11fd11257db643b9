// SPDX-License-Identifier: Apache-2.0
#include "web/captures.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"

#define NOT_DONE 4711

static int status;
static int pair[2];
static struct tally tally;
static struct conversation conversation;
static struct captures captures;

static void done(struct capture *c, int s)
{
	assert_null(c->of);
	assert_int_equal(status, NOT_DONE);
	status = s;
}

static int begin(void **state)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	tally = (struct tally){ 0 };
	conversation = (struct conversation){ .socket = pair[0] };
	captures = (struct captures){ .conversation = &conversation, .tally = &tally, .max = 2 };
	LIST_INIT(&captures.list);
	status = NOT_DONE;
	return 0;
}

static int end(void **state)
{
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	return 0;
}

static void cut_done(uint64_t id, uint64_t end_ns, int code)
{
	const struct web_cut_done cut = { .id = id, .end_ns = end_ns, .status = code };

	captures_cut_done(&captures, &cut);
}

/* From cut to cut, and nothing before its time. */
static void test_whole(void **state)
{
	struct capture c = { 0 };

	assert_int_equal(captures_run(&captures, 0), UINT64_MAX);
	assert_int_equal(captures_begin(&captures, &c, 5 * NS_PER_S, 100, done), 0);
	assert_int_equal(captures_run(&captures, 200), 5 * NS_PER_S + 100);
	cut_done(c.begin_id, 1000, 0);
	assert_int_equal(captures_run(&captures, 5 * NS_PER_S + 99), 5 * NS_PER_S + 100);
	assert_int_equal(c.end_id, 0);
	captures_run(&captures, 5 * NS_PER_S + 100);
	assert_int_not_equal(c.end_id, 0);
	assert_int_not_equal(c.end_id, c.begin_id);
	assert_int_equal(status, NOT_DONE);
	cut_done(c.end_id, 6000, 0);
	assert_int_equal(status, 0);
	assert_int_equal(c.from_ns, 1000);
	assert_int_equal(c.to_ns, 6000);
	assert_int_equal(tally.captures, 0);
	cut_done(c.end_id, 7000, 0); /* of nobody */
}

/* The first window's disk is slow: that delays no second cut. */
static void test_first_is_late(void **state)
{
	struct capture c = { 0 };

	captures_begin(&captures, &c, NS_PER_S, 0, done);
	captures_run(&captures, NS_PER_S);
	cut_done(c.end_id, 6000, 0);
	assert_int_equal(status, NOT_DONE);
	cut_done(c.begin_id, 5000, 0);
	assert_int_equal(status, 0);
}

static void test_failures(void **state)
{
	static const struct {
		uint64_t first_ns, last_ns;
		int first, last;
		int want;
	} rows[] = {
		{ 0, 6000, -EAGAIN, 0, -EAGAIN }, /* not cut */
		{ 5000, 6000, -ENOSPC, 0, 0 }, /* what was before isn't in there */
		{ 5000, 6000, 0, -ENOSPC, -ENOSPC }, { 5000, 0, 0, -EAGAIN, -EAGAIN },
		{ 0, 6000, 0, 0, -EPROTO },          { 5000, 5000, 0, 0, -ETIME },
		{ 5000, 4000, 0, 0, -ETIME },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct capture c = { 0 };

		status = NOT_DONE;
		captures_begin(&captures, &c, NS_PER_S, 0, done);
		cut_done(c.begin_id, rows[i].first_ns, rows[i].first);
		if (status == NOT_DONE) {
			captures_run(&captures, NS_PER_S);
			cut_done(c.end_id, rows[i].last_ns, rows[i].last);
		}
		if (status != rows[i].want)
			fail_msg("row %zu: %d, should be %d", i, status, rows[i].want);
		assert_int_equal(tally.captures, 0);
	}
}

static void test_nobody_answers(void **state)
{
	struct capture c = { 0 };
	uint64_t next_ns;

	captures_begin(&captures, &c, NS_PER_S, 0, done);
	next_ns = captures_run(&captures, NS_PER_S);
	assert_true(next_ns > NS_PER_S && next_ns < 60 * NS_PER_S);
	assert_int_equal(captures_run(&captures, next_ns - 1), next_ns);
	assert_int_equal(status, NOT_DONE);
	assert_int_equal(captures_run(&captures, next_ns), UINT64_MAX);
	assert_int_equal(status, -ETIMEDOUT);
}

static void test_most(void **state)
{
	struct capture c[3] = { 0 };

	assert_int_equal(captures_begin(&captures, &c[0], NS_PER_S, 0, done), 0);
	assert_int_equal(captures_begin(&captures, &c[1], NS_PER_S, 0, done), 0);
	assert_int_equal(captures_begin(&captures, &c[2], NS_PER_S, 0, done), -EBUSY);
	assert_int_equal(tally.count[TALLY_CAPTURES_REFUSED], 1);
	capture_leave(&c[2]); /* it never began */
	capture_leave(&c[0]);
	capture_leave(&c[0]);
	assert_int_equal(tally.count[TALLY_CAPTURES_LEFT], 1);
	assert_int_equal(captures_begin(&captures, &c[2], NS_PER_S, 0, done), 0);
	cut_done(c[0].begin_id, 0, -EAGAIN); /* it has left */
	assert_int_equal(status, NOT_DONE);
	capture_leave(&c[1]);
	capture_leave(&c[2]);
	assert_int_equal(tally.captures, 0);
}

static void test_no_supervisor(void **state)
{
	struct capture c = { 0 };

	fd_close(&pair[1]);
	assert_int_equal(captures_begin(&captures, &c, NS_PER_S, 0, done), -EPIPE);
	assert_true(conversation.over);
	assert_int_equal(tally.captures, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_whole),          TEST(test_first_is_late), TEST(test_failures),
		TEST(test_nobody_answers), TEST(test_most),          TEST(test_no_supervisor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
