// SPDX-License-Identifier: Apache-2.0
#include "profiler/role/socket.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"

struct pair {
	int a, b;
	struct socket_message message; /* what b receives: at most 1 MiB */
};

static void pair_open(struct pair *p)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	p->a = fds[0];
	p->b = fds[1];
	socket_message_init(&p->message, 1 << 20);
}

static void pair_close(struct pair *p)
{
	socket_message_release(&p->message);
	fd_close(&p->a);
	fd_close(&p->b);
}

static uint64_t in_ms(uint64_t ms)
{
	return clock_ns(CLOCK_MONOTONIC) + ms * NS_PER_MS;
}

static int open_count(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void test_frame(void **state)
{
	struct pair p;

	pair_open(&p);
	assert_int_equal(socket_send(p.a, 7, "hello", 5, NULL, 0, in_ms(1000)), 0);
	assert_int_equal(socket_send(p.a, 8, NULL, 0, NULL, 0, in_ms(1000)), 0);
	assert_int_equal(socket_receive(p.b, &p.message, in_ms(1000)), 0);
	assert_int_equal(p.message.type, 7);
	assert_int_equal(p.message.bytes.len, 5);
	assert_memory_equal(p.message.bytes.data, "hello", 5);
	assert_int_equal(p.message.fd_count, 0);
	assert_int_equal(socket_receive(p.b, &p.message, UINT64_MAX), 0);
	assert_int_equal(p.message.type, 8);
	assert_int_equal(p.message.bytes.len, 0);
	pair_close(&p);
}

/* Descriptors arrive as new ones to the same file, close-on-exec; the next frame closes them. */
static void test_descriptors(void **state)
{
	struct pair p;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), before;
	const int fds[SOCKET_MAX_FDS] = { null, null, null, null };
	struct stat want, got;

	assert_true(null >= 0);
	pair_open(&p);
	before = open_count();
	assert_int_equal(socket_send(p.a, 1, "x", 1, fds, SOCKET_MAX_FDS, in_ms(1000)), 0);
	assert_int_equal(socket_send(p.a, 2, "y", 1, fds, 1, in_ms(1000)), 0);
	assert_int_equal(socket_send(p.a, 3, "z", 1, NULL, 0, in_ms(1000)), 0);
	assert_int_equal(socket_receive(p.b, &p.message, in_ms(1000)), 0);
	assert_int_equal(p.message.fd_count, SOCKET_MAX_FDS);
	assert_int_equal(fstat(null, &want), 0);
	for (uint32_t i = 0; i < SOCKET_MAX_FDS; i++) {
		assert_int_not_equal(p.message.fds[i], null);
		assert_int_equal(fstat(p.message.fds[i], &got), 0);
		assert_int_equal(got.st_ino, want.st_ino);
		assert_int_equal(fcntl(p.message.fds[i], F_GETFD), FD_CLOEXEC);
	}
	assert_int_equal(open_count(), before + SOCKET_MAX_FDS);
	assert_int_equal(socket_receive(p.b, &p.message, in_ms(1000)), 0);
	assert_int_equal(p.message.fd_count, 1);
	assert_int_equal(p.message.fds[1], -1);
	assert_int_equal(open_count(), before + 1);
	assert_int_equal(socket_receive(p.b, &p.message, in_ms(1000)), 0);
	assert_int_equal(p.message.fd_count, 0);
	assert_int_equal(open_count(), before);
	assert_int_equal(socket_send(p.a, 1, "x", 1, fds, SOCKET_MAX_FDS + 1, in_ms(1000)),
			 -EPROTO);
	pair_close(&p);
	close(null);
}

/* Sends `bytes` with `count` descriptors, as no honest peer would. */
static void send_raw(int socket, const void *bytes, size_t len, int fd, uint32_t count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(16 * sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = (void *)bytes, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (count) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		for (uint32_t i = 0; i < count; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(int));
	}
	assert_int_equal(sendmsg(socket, &msg, MSG_NOSIGNAL), len);
}

static void test_surplus_descriptors(void **state)
{
	const uint32_t empty[2] = { 0, 1 };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), before;
	struct pair p;

	pair_open(&p);
	before = open_count();
	send_raw(p.a, empty, sizeof(empty), null, SOCKET_MAX_FDS + 1);
	assert_int_equal(socket_receive(p.b, &p.message, in_ms(1000)), -EPROTO);
	assert_int_equal(open_count(), before);
	pair_close(&p);

	/* With the body instead of the header: never received. */
	pair_open(&p);
	before = open_count();
	send_raw(p.a, (const uint32_t[]){ 4, 1 }, 8, null, 1);
	send_raw(p.a, "body", 4, null, 3);
	assert_int_equal(socket_receive(p.b, &p.message, in_ms(1000)), 0);
	assert_int_equal(p.message.fd_count, 1);
	assert_int_equal(open_count(), before + 1);
	pair_close(&p);
	close(null);
}

static const struct {
	const char *name;
	size_t len;
	bool closes;
	uint32_t words[4];
	int want;
} broken[] = {
	{ "nothing", 0, false, { 0 }, -ETIMEDOUT },
	{ "the end", 0, true, { 0 }, -EPIPE },
	{ "half a header", 4, false, { 8 }, -ETIMEDOUT },
	{ "half a header and the end", 4, true, { 8 }, -EPIPE },
	{ "half a body", 12, false, { 8, 1, 2 }, -ETIMEDOUT },
	{ "half a body and the end", 12, true, { 8, 1, 2 }, -EPIPE },
	{ "longer than wanted", 8, false, { (1 << 20) + 1, 1 }, -EPROTO },
	{ "longer than anything", 8, false, { UINT32_MAX, 1 }, -EPROTO },
	{ "as long as wanted", 8, false, { 1 << 20, 1 }, -ETIMEDOUT },
};

static void test_broken_frames(void **state)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		char got[100], want[100];
		struct pair p;
		int r, before;

		pair_open(&p);
		if (broken[i].len)
			send_raw(p.a, broken[i].words, broken[i].len, null, 1);
		if (broken[i].closes)
			fd_close(&p.a);
		before = open_count();
		r = socket_receive(p.b, &p.message, in_ms(30));
		snprintf(got, sizeof(got), "%s: %d", broken[i].name, r);
		snprintf(want, sizeof(want), "%s: %d", broken[i].name, broken[i].want);
		assert_string_equal(got, want);
		assert_int_equal(p.message.fd_count, 0); /* and what came is closed */
		assert_int_equal(open_count(), before);
		pair_close(&p);
	}
	close(null);
}

/* A byte at a time, across every border within a frame. */
static void *send_slowly(void *socket)
{
	const unsigned char frame[] = { 5, 0, 0, 0, 9, 0, 0, 0, 'h', 'e', 'l', 'l', 'o' };

	for (size_t i = 0; i < sizeof(frame); i++) {
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
		send(*(int *)socket, &frame[i], 1, MSG_NOSIGNAL);
	}
	return NULL;
}

/*
 * A peer that never lets us wait. Each byte has a descriptor, behind which a recv() ends, so that all
 * of them are there but come one by one: more than the time allows is not taken.
 */
static void test_deadline_without_waiting(void **state)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct pair p;

	pair_open(&p);
	send_raw(p.a, (const uint32_t[]){ 5, 1 }, 8, null, 0);
	for (int i = 0; i < 5; i++)
		send_raw(p.a, "x", 1, null, 1);
	assert_int_equal(socket_receive(p.b, &p.message, 1), -ETIMEDOUT);
	pair_close(&p);

	/* What is there in one piece is taken at any time. */
	pair_open(&p);
	send_raw(p.a, (const uint32_t[]){ 5, 1 }, 8, null, 0);
	send_raw(p.a, "xxxxx", 5, null, 0);
	assert_int_equal(socket_receive(p.b, &p.message, 1), 0);
	pair_close(&p);
	close(null);
}

static void on_signal(int signal)
{
	(void)signal;
}

static void test_slow_sender(void **state)
{
	struct itimerval every = { .it_interval.tv_usec = 1000, .it_value.tv_usec = 1000 };
	struct sigaction action = { .sa_handler = on_signal };
	struct pair p;
	pthread_t thread;

	pair_open(&p);
	/* Signals (Ctrl-C, a timer) interrupt every wait, and change nothing. */
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &every, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, send_slowly, &p.a), 0);
	assert_int_equal(socket_receive(p.b, &p.message, in_ms(5000)), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL), 0);
	assert_int_equal(p.message.type, 9);
	assert_int_equal(p.message.bytes.len, 5);
	assert_memory_equal(p.message.bytes.data, "hello", 5);
	pthread_join(thread, NULL);
	pair_close(&p);
}

static void *receive_one(void *arg)
{
	struct pair *p = arg;

	return (void *)(intptr_t)socket_receive(p->b, &p->message, in_ms(5000));
}

/* More than any socket buffer holds. */
static void test_large_frame(void **state)
{
	char *bytes = malloc(1 << 20);
	struct pair p;
	pthread_t thread;
	void *r;

	assert_non_null(bytes);
	for (size_t i = 0; i < 1 << 20; i++)
		bytes[i] = (char)(i * 7);
	pair_open(&p);
	assert_int_equal(pthread_create(&thread, NULL, receive_one, &p), 0);
	assert_int_equal(socket_send(p.a, 1, bytes, 1 << 20, NULL, 0, in_ms(5000)), 0);
	assert_int_equal(pthread_join(thread, &r), 0);
	assert_int_equal((intptr_t)r, 0);
	assert_int_equal(p.message.bytes.len, 1 << 20);
	assert_memory_equal(p.message.bytes.data, bytes, 1 << 20);
	pair_close(&p);
	free(bytes);
}

/* Nobody reads: the sender gives up at its deadline. The reader has gone: no SIGPIPE. */
static void test_deaf_receiver(void **state)
{
	char *bytes = calloc(1, 1 << 20);
	uint64_t start = clock_ns(CLOCK_MONOTONIC), took;
	struct pair p;

	assert_non_null(bytes);
	pair_open(&p);
	assert_int_equal(socket_send(p.a, 1, bytes, 1 << 20, NULL, 0, in_ms(50)), -ETIMEDOUT);
	took = clock_ns(CLOCK_MONOTONIC) - start;
	assert_true(took >= 50 * NS_PER_MS);
	assert_true(took < 2 * NS_PER_S);
	fd_close(&p.b);
	assert_int_equal(socket_send(p.a, 1, bytes, 1 << 20, NULL, 0, in_ms(1000)), -EPIPE);
	pair_close(&p);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frame),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_surplus_descriptors),
		cmocka_unit_test(test_broken_frames),
		cmocka_unit_test(test_deadline_without_waiting),
		cmocka_unit_test(test_slow_sender),
		cmocka_unit_test(test_large_frame),
		cmocka_unit_test(test_deaf_receiver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
