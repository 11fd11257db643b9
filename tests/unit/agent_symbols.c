// SPDX-License-Identifier: Apache-2.0
/*
 * The symbolizer is this test itself, run with the role as argv[1]: it serves honestly, in the sandbox, unless the
 * first request of the process asks for one of the addresses below, which say how to fail.
 */
#include "profiler/agent/symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/clock.h"
#include "profiler/role/child.h"
#include "profiler/role/role.h"
#include "profiler/role/sandbox.h"
#include "profiler/role/socket.h"
#include "symbolizer/request.h"
#include "tests/unit/agent_starter.h"

/* Offsets that no file has. */
enum {
	DIE = 0x0defaced00,
	HANG,
	LIE_ABOUT_COUNTS,
	LIE_ABOUT_TYPE,
	LIE_WITH_FDS,
	ANSWER_TWICE,
	END_IN_FRAME,
	FLOOD,
};

/* ---- the symbolizer's side ---- */

static int misbehave(uint64_t how)
{
	struct {
		struct symbol_reply reply;
		char strings[1];
	} empty = { .reply.string_bytes = 1 };
	const size_t len = offsetof(__typeof__(empty), strings) + 1;
	const uint32_t endless[2] = { 100, SYMBOLS_MESSAGE_REPLY };
	uint32_t type = SYMBOLS_MESSAGE_REPLY;
	int fd = 2;

	switch (how) {
	case DIE:
		raise(SIGKILL);
		break;
	case HANG:
		pause();
		break;
	case LIE_ABOUT_COUNTS:
		empty.reply.function_count = UINT32_MAX;
		break;
	case LIE_ABOUT_TYPE:
		type = 99;
		break;
	case END_IN_FRAME:
		send(ROLE_CHILD_SOCKET, endless, sizeof(endless), 0);
		_exit(1); /* at once: no sanitizer's last checks */
	case FLOOD:
		send(ROLE_CHILD_SOCKET, (const uint32_t[]){ UINT32_MAX, type }, 8, 0);
		pause();
		break;
	}
	socket_send(ROLE_CHILD_SOCKET, type, &empty, len, how == LIE_WITH_FDS ? &fd : NULL,
		    how == LIE_WITH_FDS, UINT64_MAX);
	if (how == ANSWER_TWICE)
		socket_send(ROLE_CHILD_SOCKET, type, &empty, len, NULL, 0, UINT64_MAX);
	pause();
	return 1;
}

/* The first request is looked at here, the others by the real thing. */
static int role_main(void)
{
	struct buffer reply = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);
	struct socket_message m;
	uint64_t first;

	socket_message_init(&m, 1 << 20);
	if (child_enter() < 0 || socket_receive(ROLE_CHILD_SOCKET, &m, UINT64_MAX) < 0)
		return 1;
	memcpy(&first, m.bytes.data + sizeof(struct symbol_request), sizeof(first));
	if (first >= DIE && first <= FLOOD)
		return misbehave(first);
	if (sandbox_enter(role_find(SYMBOLS_ROLE), NULL) < 0)
		return 1;
	if (request_answer(m.bytes.data, m.bytes.len, m.fds, m.fd_count, &reply) < 0 ||
	    socket_send(ROLE_CHILD_SOCKET, SYMBOLS_MESSAGE_REPLY, reply.data, reply.len, NULL, 0,
			UINT64_MAX) < 0)
		return 1;
	socket_message_release(&m);
	buffer_release(&reply);
	return symbolizer_serve(ROLE_CHILD_SOCKET);
}

/* ---- the agent's ---- */

struct fixture {
	struct test_starter starter;
	struct symbols_client *client;
	struct counters counters;
	struct err err;
	int file; /* this program */
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_true(f->file >= 0);
	test_starter_init(&f->starter);
	assert_int_equal(symbols_client_new(&f->client, &f->starter.starter, &f->counters, &f->err),
			 0);
	symbols_client_set_deadline(f->client, 1000 * NS_PER_MS);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	symbols_client_free(f->client);
	test_starter_release(&f->starter);
	close(f->file);
	free(f);
	return 0;
}

static int symbolizer_pid(struct fixture *f)
{
	return test_starter_pid(&f->starter, SYMBOLS_ROLE);
}

static int ask_file(struct fixture *f, uint64_t offset, struct symbols *s)
{
	const void *bytes;
	uint32_t len;

	f->err.text[0] = '\0';
	return symbols_client_ask(f->client, SYMBOLS_ELF, &f->file, 1, &offset, 1, s, &bytes, &len,
				  &f->err);
}

/* Where `role_main` is in this file: by the difference to the first byte of our own image. */
static uint64_t own_offset(void)
{
	uint64_t address = (uint64_t)(uintptr_t)role_main, found = 0;
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		char *p = line;
		uint64_t start = strtoull(p, &p, 16), end = strtoull(p + 1, &p, 16);

		if (address >= start && address < end)
			found = strtoull(p + 6, NULL, 16) + (address - start);
	}
	fclose(maps);
	return found;
}

static void expect_honest(struct fixture *f)
{
	struct symbols s;
	int r = ask_file(f, own_offset(), &s);

	assert_string_equal(f->err.text, "");
	assert_int_equal(r, 0);
	assert_int_equal(s.reply->status, SYMBOLS_OK);
	assert_int_not_equal(s.answers[0].function, SYMBOLS_NONE);
	assert_string_equal(s.strings + s.functions[s.answers[0].function].name, "role_main");
}

static void test_honest(void **state)
{
	struct fixture *f = *state;
	int pid = symbolizer_pid(f);

	assert_true(pid > 0);
	for (unsigned int i = 0; i < 3; i++)
		expect_honest(f);
	assert_int_equal(symbolizer_pid(f), pid);
	assert_int_equal(counter_get(&f->counters, COUNTER_SYMBOLIZER_FAILED), 0);
}

/* clang-format off */
static const struct {
	uint64_t how;
	int want;
	const char *text;
} failures[] = {
	{ DIE, -EPIPE, "the symbolizer died over a request" },
	{ HANG, -ETIMEDOUT, "the symbolizer gave no answer for 1000 ms" },
	{ LIE_ABOUT_COUNTS, -EINVAL, "the symbolizer answered for 0 addresses of 1" },
	{ LIE_ABOUT_TYPE, -EPROTO, "the symbolizer's answer could not be read: Protocol error" },
	{ LIE_WITH_FDS, -EPROTO, "the symbolizer's answer could not be read: Protocol error" },
	{ END_IN_FRAME, -EPIPE, "the symbolizer died over a request" },
	{ FLOOD, -EPROTO, "the symbolizer's answer could not be read: Protocol error" },
};
/* clang-format on */

/* Each costs the request that it happened to, with a reason, and no other. */
static void test_failures(void **state)
{
	struct fixture *f = *state;
	struct symbols s;

	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		int r = ask_file(f, failures[i].how, &s), pid;

		assert_string_equal(f->err.text, failures[i].text);
		assert_int_equal(r, failures[i].want);
		assert_int_equal(counter_get(&f->counters, COUNTER_SYMBOLIZER_FAILED), i + 1);
		pid = symbolizer_pid(f);
		expect_honest(f);
		assert_int_not_equal(symbolizer_pid(f), pid);
		/* The next failure must be a process's first request. */
		kill(symbolizer_pid(f), SIGKILL);
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	}
}

/* What comes unasked is never taken for the answer to the next question. */
static void test_answers_twice(void **state)
{
	struct fixture *f = *state;
	struct symbols s;

	assert_int_equal(ask_file(f, ANSWER_TWICE, &s), -EINVAL); /* its answer has no addresses */
	expect_honest(f);
}

static void test_killed_between(void **state)
{
	struct fixture *f = *state;
	int pid = symbolizer_pid(f);

	expect_honest(f);
	assert_int_equal(kill(pid, SIGKILL), 0);
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	expect_honest(f);
	assert_int_not_equal(symbolizer_pid(f), pid);
	assert_int_equal(counter_get(&f->counters, COUNTER_SYMBOLIZER_FAILED), 0);
}

static void test_stopped(void **state)
{
	struct fixture *f = *state;
	int pid = symbolizer_pid(f);
	struct symbols s;

	expect_honest(f);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(ask_file(f, own_offset(), &s), -ETIMEDOUT);
	expect_honest(f);
	assert_int_not_equal(symbolizer_pid(f), pid);
}

static void test_interrupted(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(kill(symbolizer_pid(f), SIGINT), 0);
	expect_honest(f);
	assert_int_equal(counter_get(&f->counters, COUNTER_SYMBOLIZER_FAILED), 0);
}

/* Who may not be started now may be, later. */
static void test_refused_start(void **state)
{
	struct fixture *f = *state;
	struct symbols s;

	kill(symbolizer_pid(f), SIGKILL);
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	f->starter.refuse = -EBUSY;
	assert_int_equal(ask_file(f, own_offset(), &s), -EBUSY);
	assert_string_equal(f->err.text, "the symbolizer may not be started now");
	f->starter.refuse = 0;
	assert_int_equal(ask_file(f, own_offset(), &s), -EAGAIN);
	assert_int_equal(counter_get(&f->counters, COUNTER_SYMBOLIZER_FAILED), 2);
	nanosleep(&(struct timespec){ .tv_nsec = 110000000 }, NULL);
	expect_honest(f);
}

static void test_too_many_addresses(void **state)
{
	struct fixture *f = *state;
	const void *bytes;
	struct symbols s;
	uint32_t len;

	assert_int_equal(symbols_client_ask(f->client, SYMBOLS_ELF, &f->file, 1, NULL,
					    SYMBOLS_MAX_ADDRESSES + 1, &s, &bytes, &len, &f->err),
			 -E2BIG);
	expect_honest(f);
}

/* The largest question there is: all its bytes, all its answers. */
static void test_many_addresses(void **state)
{
	struct fixture *f = *state;
	static uint64_t offsets[SYMBOLS_MAX_ADDRESSES];
	const void *bytes;
	struct symbols s;
	struct stat st;
	uint32_t len;

	assert_int_equal(fstat(f->file, &st), 0);
	for (uint32_t i = 0; i < SYMBOLS_MAX_ADDRESSES; i++)
		offsets[i] = i * (uint64_t)st.st_size / SYMBOLS_MAX_ADDRESSES;
	symbols_client_set_deadline(f->client, 10 * NS_PER_S);
	assert_int_equal(symbols_client_ask(f->client, SYMBOLS_ELF, &f->file, 1, offsets,
					    SYMBOLS_MAX_ADDRESSES, &s, &bytes, &len, &f->err),
			 0);
	assert_int_equal(s.reply->answer_count, SYMBOLS_MAX_ADDRESSES);
	assert_ptr_equal(bytes, s.reply);
	assert_true(s.reply->function_count > 10);
}

/* A file that grows short while it is asked about, again and again. */
static void test_truncated_file(void **state)
{
	struct fixture *f = *state;
	uint64_t offset = own_offset();
	struct buffer program = BUFFER_INIT(64 << 20);
	const void *bytes;
	uint32_t len;

	symbols_client_set_deadline(f->client, 10 * NS_PER_S);
	assert_int_equal(buffer_read_fd(&program, f->file), 0);
	for (size_t size = program.len; size > 100; size -= size / 10) {
		int fd = memfd_create("short", MFD_CLOEXEC), r;
		struct symbols s;

		assert_int_equal(fd_write_all(fd, program.data, size), 0);
		r = symbols_client_ask(f->client, SYMBOLS_ELF, &fd, 1, &offset, 1, &s, &bytes, &len,
				       &f->err);
		assert_int_equal(r, 0);
		if (size < program.len)
			assert_int_equal(s.reply->status, SYMBOLS_DAMAGED);
		close(fd);
	}
	buffer_release(&program);
	assert_int_equal(counter_get(&f->counters, COUNTER_SYMBOLIZER_FAILED), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_honest),         TEST(test_failures),
		TEST(test_answers_twice),  TEST(test_killed_between),
		TEST(test_stopped),        TEST(test_interrupted),
		TEST(test_refused_start),  TEST(test_too_many_addresses),
		TEST(test_many_addresses), TEST(test_truncated_file),
	};

	if (argc > 1)
		return strcmp(argv[1], SYMBOLS_ROLE) == 0 ? role_main() : 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
