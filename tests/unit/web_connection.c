// SPDX-License-Identifier: Apache-2.0
/* Who is late is cut off, and nobody else. Who may connect at all: tests/cli/web.bats. */
#include "web/connection.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"

static bool is_cut(int client)
{
	char byte;

	return recv(client, &byte, 1, MSG_DONTWAIT) == 0;
}

static void test_late(void **state)
{
	static struct tally tally;
	static struct connections cs = { .tally = &tally, .asker = -1 };
	struct connection c = { .of = &cs };
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	c.fd = pair[0];
	LIST_INIT(&cs.list);
	assert_int_equal(connections_run(&cs, now_ns), UINT64_MAX);
	LIST_INSERT_HEAD(&cs.list, &c, link);

	connection_is_waiting(&c);
	assert_int_equal(connections_run(&cs, now_ns + 365 * 24 * 3600 * NS_PER_S),
			 now_ns + 365 * 24 * 3600 * NS_PER_S + NS_PER_S);
	assert_false(is_cut(pair[1]));

	connection_is_sending(&c, 64 << 10 << 4); /* 16 s more */
	connections_run(&cs, now_ns + 46 * NS_PER_S);
	assert_false(is_cut(pair[1]));
	connection_is_idle(&c);
	connections_run(&cs, now_ns + 60 * NS_PER_S);
	assert_false(is_cut(pair[1]));
	assert_int_equal(tally.count[TALLY_CUT_SLOW_REQUEST], 0);
	connections_run(&cs, now_ns + 62 * NS_PER_S);
	assert_true(is_cut(pair[1]));
	assert_int_equal(tally.count[TALLY_CUT_SLOW_REQUEST], 1);
	/* Once. */
	connections_run(&cs, now_ns + 63 * NS_PER_S);
	assert_int_equal(tally.count[TALLY_CUT_SLOW_REQUEST], 1);

	connection_is_sending(&c, 0);
	connections_run(&cs, clock_ns(CLOCK_MONOTONIC) + 31 * NS_PER_S);
	assert_int_equal(tally.count[TALLY_CUT_SLOW_ANSWER], 1);
	fd_close(&pair[0]);
	fd_close(&pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
