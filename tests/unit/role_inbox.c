// SPDX-License-Identifier: Apache-2.0
#include "profiler/role/inbox.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/cleanup.h"

#define MAX_BYTES 1000

struct fixture {
	int pair[2];
	struct inbox inbox;
};

static void begin(struct fixture *f)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, f->pair), 0);
	inbox_init(&f->inbox, f->pair[1], MAX_BYTES);
}

static void end(struct fixture *f)
{
	inbox_release(&f->inbox);
	fd_close(&f->pair[0]);
	fd_close(&f->pair[1]);
}

static void give(struct fixture *f, const void *bytes, size_t len)
{
	assert_int_equal(send(f->pair[0], bytes, len, MSG_NOSIGNAL), len);
}

static void say(struct fixture *f, uint32_t type, const char *text, const int *fds, uint32_t count)
{
	assert_int_equal(socket_send(f->pair[0], type, text, strlen(text), fds, count, UINT64_MAX),
			 0);
}

static void expect(struct fixture *f, uint32_t type, const char *text, uint32_t fd_count)
{
	const struct socket_message *m = &f->inbox.message;

	assert_int_equal(inbox_receive(&f->inbox), 1);
	assert_int_equal(m->type, type);
	assert_int_equal(m->bytes.len, strlen(text));
	assert_memory_equal(m->bytes.data, text, strlen(text));
	assert_int_equal(m->fd_count, fd_count);
}

/* However a frame comes, it is the same one. */
static void test_pieces(void **state)
{
	static const char frame[] = "\3\0\0\0\7\0\0\0abc";
	struct fixture f;

	for (size_t first = 1; first < sizeof(frame) - 1; first++) {
		begin(&f);
		assert_int_equal(inbox_receive(&f.inbox), 0);
		give(&f, frame, first);
		assert_int_equal(inbox_receive(&f.inbox), 0);
		give(&f, frame + first, sizeof(frame) - 1 - first);
		expect(&f, 7, "abc", 0);
		assert_int_equal(inbox_receive(&f.inbox), 0);
		end(&f);
	}
}

static void test_many(void **state)
{
	struct fixture f;

	begin(&f);
	say(&f, 1, "first", NULL, 0);
	say(&f, 2, "", NULL, 0);
	say(&f, 3, "third", NULL, 0);
	expect(&f, 1, "first", 0);
	expect(&f, 2, "", 0);
	expect(&f, 3, "third", 0);
	assert_int_equal(inbox_receive(&f.inbox), 0);
	fd_close(&f.pair[0]);
	assert_int_equal(inbox_receive(&f.inbox), -EPIPE);
	end(&f);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Each frame has its own, and what isn't taken is closed. */
static void test_descriptors(void **state)
{
	struct fixture f;
	int taken, left;

	begin(&f);
	say(&f, 1, "a", NULL, 0);
	say(&f, 2, "b", f.pair, 2);
	say(&f, 3, "c", f.pair, 1);
	say(&f, 4, "d", NULL, 0);
	expect(&f, 1, "a", 0);
	expect(&f, 2, "b", 2);
	taken = take_fd(&f.inbox.message.fds[0]);
	left = f.inbox.message.fds[1];
	expect(&f, 3, "c", 1);
	assert_true(is_open(taken));
	assert_true(fcntl(taken, F_GETFD) & FD_CLOEXEC);
	assert_true(left == f.inbox.message.fds[0] || !is_open(left));
	left = f.inbox.message.fds[0];
	expect(&f, 4, "d", 0);
	assert_false(is_open(left));
	fd_close(&taken);
	end(&f);
}

static void test_too_long(void **state)
{
	const uint32_t most[] = { MAX_BYTES, 1 }, more[] = { MAX_BYTES + 1, 1 };
	char bytes[MAX_BYTES] = { 0 };
	struct fixture f;

	begin(&f);
	give(&f, most, sizeof(most));
	give(&f, bytes, sizeof(bytes));
	assert_int_equal(inbox_receive(&f.inbox), 1);
	give(&f, more, sizeof(more));
	assert_int_equal(inbox_receive(&f.inbox), -EPROTO);
	end(&f);
}

/* The other end goes in the middle of a frame. */
static void test_broken_off(void **state)
{
	struct fixture f;

	begin(&f);
	give(&f, "\3\0\0\0\7\0\0\0ab", 10);
	assert_int_equal(inbox_receive(&f.inbox), 0);
	fd_close(&f.pair[0]);
	assert_int_equal(inbox_receive(&f.inbox), -EPIPE);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),      cmocka_unit_test(test_many),
		cmocka_unit_test(test_descriptors), cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_broken_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
