// SPDX-License-Identifier: Apache-2.0
/* Asking and leaving, and every allocation failing once. What readers answer: tests/cli/web.bats. */
#include "web/questions.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/role/socket.h"
#include "tests/unit/torture.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct tally tally;
static struct conversation conversation = { .socket = -1 };
static const struct web_limits limits = {
	.readers = 1,
	.queued = 2,
	.cache_bytes = 1 << 20,
	.answer_bytes = 1 << 20,
};
static int answers;

static void answered(struct waiter *w, struct answer *a)
{
	assert_null(w->question);
	answers++;
}

static struct answer *ask(struct questions *q, struct waiter *w, const char *name,
			  const char *value)
{
	const struct reader_parameter parameters[] = { { "by", "comm" }, { name, value } };
	const struct question_form form = {
		.endpoint = "top",
		.parameters = parameters,
		.count = COUNT(parameters),
	};

	return questions_ask(q, &form, w, answered);
}

static void test_queue(void **state)
{
	struct waiter w[5] = { 0 };
	struct questions *q;
	struct answer *a;

	assert_int_equal(questions_new(&q, -1, &conversation, &limits, &tally), 0);
	assert_null(ask(q, &w[0], "from", "-1h"));
	assert_null(ask(q, &w[1], "from", "-1h"));
	assert_ptr_equal(w[0].question, w[1].question);
	assert_int_equal(tally.count[TALLY_ANSWERS_SHARED], 1);
	assert_null(ask(q, &w[2], "from", "-2h"));
	assert_null(ask(q, &w[3], "from", "-3h"));
	assert_int_equal(tally.questions, 3);
	a = ask(q, &w[4], "from", "-4h");
	assert_non_null(a);
	assert_null(w[4].question);
	assert_int_equal(tally.count[TALLY_QUESTIONS_REFUSED], 1);
	answer_unref(a);
	waiter_leave(&w[0]);
	assert_int_equal(tally.questions, 3);
	waiter_leave(&w[1]);
	waiter_leave(&w[1]);
	assert_int_equal(tally.questions, 2);
	assert_null(ask(q, &w[4], "from", "-4h"));
	for (size_t i = 2; i < COUNT(w); i++)
		waiter_leave(&w[i]);
	assert_int_equal(tally.questions, 0);
	assert_int_equal(answers, 0);
	questions_free(q);
	assert_int_equal(tally.answer_bytes, 0);
}

/* Those that are no question are no reader's. */
static void test_refused(void **state)
{
	static const char *const froms[] = { "yesterday", "now", "-1", "" };
	struct questions *q;

	assert_int_equal(questions_new(&q, -1, &conversation, &limits, &tally), 0);
	for (size_t i = 0; i < COUNT(froms); i++) {
		struct waiter w;
		struct answer *a = ask(q, &w, "from", froms[i]);

		/* "-1" is a second ago. */
		if (!a != (i == 2))
			fail_msg("from=%s: %s", froms[i], a ? "refused" : "taken");
		answer_unref(a);
		waiter_leave(&w);
	}
	questions_free(q);
}

/* One by one, and each given up when it has waited too long. */
static void test_late(void **state)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	struct socket_message m;
	struct waiter w[2];
	struct questions *q;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	conversation = (struct conversation){ .socket = pair[0] };
	assert_int_equal(questions_new(&q, -1, &conversation, &limits, &tally), 0);
	ask(q, &w[0], "from", "-1h");
	ask(q, &w[1], "from", "-2h");
	answers = 0;
	questions_run(q, now_ns);
	socket_message_init(&m, WEB_MAX_BYTES);
	assert_int_equal(socket_receive(pair[1], &m, now_ns + NS_PER_S), 0);
	assert_int_equal(m.type, WEB_READER);
	assert_int_equal(socket_receive(pair[1], &m, 0), -ETIMEDOUT);
	assert_int_equal(tally.readers, 1);
	questions_run(q, now_ns + 31 * NS_PER_S); /* the one that waits for a reader */
	assert_int_equal(answers, 1);
	assert_null(w[1].question);
	questions_run(q, now_ns + 33 * NS_PER_S);
	assert_int_equal(answers, 2);
	assert_int_equal(tally.readers, 0);
	assert_int_equal(tally.questions, 0);
	questions_free(q);
	socket_message_release(&m);
	conversation = (struct conversation){ .socket = -1 };
	fd_close(&pair[0]);
	fd_close(&pair[1]);
}

/* A client that goes takes its reader with it, which may have much to do yet. */
static void test_left(void **state)
{
	struct web_reader_reply reply = { 0 };
	struct web_reader_left left = { 0 };
	int pair[2], reader[2], epoll = epoll_create1(EPOLL_CLOEXEC);
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	struct socket_message m;
	struct questions *q;
	struct waiter w;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, reader), 0);
	conversation = (struct conversation){ .socket = pair[0] };
	assert_int_equal(questions_new(&q, epoll, &conversation, &limits, &tally), 0);
	ask(q, &w, "from", "-1h");
	questions_run(q, now_ns);
	socket_message_init(&m, WEB_MAX_BYTES);
	assert_int_equal(socket_receive(pair[1], &m, now_ns + NS_PER_S), 0);
	assert_int_equal(m.type, WEB_READER);
	memcpy(&reply.id, m.bytes.data, sizeof(reply.id));
	questions_take_reader(q, &reply, "", &reader[0]);
	assert_int_equal(reader[0], -1);
	waiter_leave(&w);
	assert_int_equal(socket_receive(pair[1], &m, now_ns + NS_PER_S), 0);
	assert_int_equal(m.type, WEB_READER_LEFT);
	assert_int_equal(m.bytes.len, sizeof(left));
	memcpy(&left, m.bytes.data, sizeof(left));
	assert_int_equal(left.id, reply.id);
	assert_int_equal(tally.readers, 0);
	questions_free(q);
	socket_message_release(&m);
	conversation = (struct conversation){ .socket = -1 };
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	fd_close(&reader[1]);
	fd_close(&epoll);
}

static int scenario(void *ctx)
{
	struct questions *q;
	struct waiter w;
	struct answer *a;
	int r = questions_new(&q, -1, &conversation, &limits, &tally);

	if (r < 0)
		return r;
	a = ask(q, &w, "from", "-1h");
	r = a || w.question ? 0 : -ENOMEM;
	answer_unref(a);
	waiter_leave(&w);
	questions_free(q);
	assert_int_equal(tally.questions, 0);
	assert_int_equal(tally.answer_bytes, 0);
	return r;
}

static void test_no_memory(void **state)
{
	assert_true(torture(scenario, NULL) > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue),     cmocka_unit_test(test_refused),
		cmocka_unit_test(test_late),      cmocka_unit_test(test_left),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
