// SPDX-License-Identifier: Apache-2.0
/*
 * A server whose processes are this test itself, run with a role's name as argv[1]. Each hands its
 * conversation (descriptor 3) to the test and waits to be killed: so the test speaks for all of
 * them, in an order of its own.
 */
#include "profiler/server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/agent/status.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/reader/job.h"
#include "profiler/role/child.h"
#include "profiler/role/socket.h"

#define PATIENCE_NS (5 * NS_PER_S)
#define SILENCE_NS (600 * NS_PER_MS)
#define MAX_WAITING 8

/* ---- what a process does ---- */

static socklen_t address_of(struct sockaddr_un *a, int pid)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   (size_t)snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1,
					    "slowburn-server-%d", pid));
}

struct introduction {
	char role[32];
	int pid;
};

/* Those whom nobody here plays: they wait for their end. */
static int sit(void)
{
	char byte;

	return recv(ROLE_CHILD_SOCKET, &byte, 1, 0) == 0 ? 0 : 1;
}

static int act(const char *role)
{
	struct introduction me = { .pid = getpid() };
	const int conversation = ROLE_CHILD_SOCKET;
	struct sockaddr_un a;
	socklen_t len = address_of(&a, getppid());
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(me.role, sizeof(me.role), "%s", role);
	if (connect(fd, (struct sockaddr *)&a, len) < 0 ||
	    socket_send(fd, 1, &me, sizeof(me), &conversation, 1, UINT64_MAX) < 0)
		return 1;
	for (;;)
		pause();
}

/* ---- the stage ---- */

struct actor {
	struct introduction who;
	int fd; /* its conversation */
	struct socket_message heard;
};

struct stage {
	struct server_config config;
	struct job job;
	struct keeper_job keeper_job;
	struct web_job web_job;
	struct listeners listeners;
	struct notify notify;
	int systemd; /* its end of the notifications */
	pthread_t thread;
	bool joined;
	int door; /* where those who are started come by */
	struct actor waiting[MAX_WAITING];
	uint32_t waiting_count;
	struct actor agent, keeper, web;
	struct err err;
	int r;
};

static volatile int stop_wanted;

static bool stop_came(void)
{
	return __atomic_load_n(&stop_wanted, __ATOMIC_ACQUIRE);
}

static bool no_reload(void)
{
	return false;
}

static void *serve_main(void *ctx)
{
	struct stage *s = ctx;

	s->r = server_run(&s->config, &s->err);
	return NULL;
}

/* The next one who comes by the door. */
static struct actor admit(struct stage *s)
{
	struct pollfd p = { .fd = s->door, .events = POLLIN };
	_cleanup_(fd_close) int fd = -1;
	struct actor a = { .fd = -1 };

	assert_int_equal(poll(&p, 1, 5000), 1);
	fd = accept4(s->door, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	socket_message_init(&a.heard, 1 << 20);
	assert_int_equal(socket_receive(fd, &a.heard, clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS), 0);
	assert_int_equal(a.heard.bytes.len, sizeof(a.who));
	memcpy(&a.who, a.heard.bytes.data, sizeof(a.who));
	a.fd = take_fd(&a.heard.fds[0]);
	return a;
}

/* The next one of this role, whoever comes before. */
static struct actor await(struct stage *s, const char *role)
{
	for (;;) {
		for (uint32_t i = 0; i < s->waiting_count; i++) {
			struct actor a = s->waiting[i];

			if (strcmp(a.who.role, role) != 0)
				continue;
			s->waiting[i] = s->waiting[--s->waiting_count];
			return a;
		}
		assert_in_range(s->waiting_count, 0, MAX_WAITING - 1);
		s->waiting[s->waiting_count++] = admit(s);
	}
}

static void leave(struct actor *a)
{
	fd_close(&a->fd);
	socket_message_release(&a->heard);
}

static void die(struct actor *a)
{
	assert_int_equal(kill(a->who.pid, SIGKILL), 0);
	leave(a);
}

static void say(struct actor *a, uint32_t type, const void *bytes, size_t len)
{
	assert_int_equal(socket_send(a->fd, type, bytes, len, NULL, 0,
				     clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS),
			 0);
}

/* The next message of this type; what is told unasked is passed over. */
static void hear(struct actor *a, uint32_t type, size_t len)
{
	do {
		assert_int_equal(socket_receive(a->fd, &a->heard,
						clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS),
				 0);
	} while (a->heard.type != type && a->heard.type == WEB_STATUS);
	assert_int_equal(a->heard.type, type);
	if (len)
		assert_int_equal(a->heard.bytes.len, len);
}

static void hear_end(struct actor *a)
{
	int r;

	do
		r = socket_receive(a->fd, &a->heard, clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS);
	while (r == 0);
	assert_int_equal(r, -EPIPE);
	leave(a);
}

/* ---- its beginning and its end ---- */

static void agent_comes(struct stage *s)
{
	s->agent = await(s, "agent");
	hear(&s->agent, AGENT_JOB, 0);
	assert_int_equal(s->agent.heard.fd_count, 1);
	say(&s->agent, AGENT_READY, NULL, 0);
	hear(&s->agent, AGENT_GO, 0);
	say(&s->agent, AGENT_SAMPLING, NULL, 0);
}

static void keeper_comes(struct stage *s)
{
	s->keeper = await(s, "storekeeper");
	hear(&s->keeper, KEEPER_JOB, sizeof(struct keeper_job));
	assert_int_equal(s->keeper.heard.fd_count, 1);
	say(&s->keeper, KEEPER_OPENED, NULL, 0);
}

static void web_comes(struct stage *s)
{
	s->web = await(s, "web");
	hear(&s->web, WEB_JOB, sizeof(struct web_job));
	assert_int_equal(s->web.heard.fd_count, 1);
	say(&s->web, WEB_READY, NULL, 0);
}

static void expect_connected(int a, int b)
{
	char byte = 0;

	assert_int_equal(write(a, "x", 1), 1);
	assert_int_equal(read(b, &byte, 1), 1);
	assert_int_equal(byte, 'x');
}

static void pair_up(struct stage *s)
{
	hear(&s->keeper, KEEPER_AGENT, 0);
	hear(&s->agent, AGENT_KEEPER, 0);
	assert_int_equal(s->keeper.heard.fd_count, 1);
	assert_int_equal(s->agent.heard.fd_count, 1);
	expect_connected(s->keeper.heard.fds[0], s->agent.heard.fds[0]);
}

static void open_stage(struct stage *s, uint64_t silence_ns)
{
	struct sockaddr_un a;
	socklen_t len = address_of(&a, getpid());
	const struct log_config log = { .fd = STDERR_FILENO, .level = LOG_ERROR };
	int pair[2];

	*s = (struct stage){ .door = -1 };
	stop_wanted = 0;
	s->door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->door, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(s->door, 16), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
	s->systemd = pair[0];
	s->notify = (struct notify){ .socket = pair[1], .watchdog_ns = 100 * NS_PER_MS };
	s->job = (struct job){ .watch = true,
			       .window_ns = 10 * NS_PER_S,
			       .session.frequency_hz = 99 };
	assert_int_equal(listeners_open(&s->listeners, "127.0.0.1:0", (gid_t)-1, &s->err), 0);
	s->config = (struct server_config){
		.job = &s->job,
		.keeper = &s->keeper_job,
		.store = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), /* no store's file in it */
		.listeners = &s->listeners,
		.web = &s->web_job,
		.notify = &s->notify,
		.no_cache = "a test",
		.silence_ns = silence_ns,
		.stop_came = stop_came,
		.reload_came = no_reload,
	};
	assert_int_equal(log_new(&s->config.log, &log), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve_main, s), 0);
}

static void raise_curtain_for(struct stage *s, uint64_t silence_ns)
{
	open_stage(s, silence_ns);
	agent_comes(s);
	keeper_comes(s);
	pair_up(s);
	web_comes(s);
	hear(&s->web, WEB_STATUS, sizeof(struct web_status));
}

static void raise_curtain(struct stage *s)
{
	raise_curtain_for(s, 0);
}

static void close_stage(struct stage *s)
{
	int status;

	if (!s->joined)
		pthread_join(s->thread, NULL);
	for (uint32_t i = 0; i < s->waiting_count; i++)
		leave(&s->waiting[i]);
	close(s->config.store);
	listeners_release(&s->listeners);
	notify_release(&s->notify);
	close(s->systemd);
	close(s->door);
	log_free(s->config.log);
	/* Nobody is left behind. */
	assert_int_equal(waitpid(-1, &status, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void drop_curtain(struct stage *s)
{
	const struct agent_result ended = { 0 };
	const struct keeper_result closed = { 0 };
	struct agent_status sign = { .time_ns = 1 };

	__atomic_store_n(&stop_wanted, 1, __ATOMIC_RELEASE); /* pairs with stop_came()'s */
	say(&s->agent, AGENT_STATUS, &sign, sizeof(sign));
	hear(&s->agent, AGENT_STOP, 0);
	hear_end(&s->web);
	say(&s->agent, AGENT_STOPPED, NULL, 0);
	say(&s->agent, AGENT_ENDED, &ended, sizeof(ended));
	die(&s->agent);
	hear(&s->keeper, KEEPER_STOP, 0);
	say(&s->keeper, KEEPER_ENDED, &closed, sizeof(closed));
	die(&s->keeper);
	close_stage(s);
	assert_string_equal(s->err.text, "");
	assert_int_equal(s->r, 0);
}

static struct web_status status_of(struct stage *s)
{
	struct web_status status;

	hear(&s->web, WEB_STATUS, sizeof(status));
	memcpy(&status, s->web.heard.bytes.data, sizeof(status));
	return status;
}

/* ---- what it does ---- */

static void expect_notice(struct stage *s, const char *want)
{
	struct pollfd p = { .fd = s->systemd, .events = POLLIN };
	char text[512] = "";

	/* Watchdog and status come when they come. */
	while (strncmp(text, want, strlen(want)) != 0) {
		ssize_t n;

		assert_int_equal(poll(&p, 1, 5000), 1);
		n = recv(s->systemd, text, sizeof(text) - 1, 0);
		assert_true(n > 0);
		text[n] = '\0';
	}
}

static void test_life(void **state)
{
	struct web_status status;
	struct stage s;

	raise_curtain(&s);
	status = status_of(&s);
	assert_int_equal(status.figure[WEB_FIGURE_AGENT_UP], 1);
	assert_int_equal(status.figure[WEB_FIGURE_KEEPER_UP], 1);
	assert_int_equal(status.figure[WEB_FIGURE_FREQUENCY], 99);
	assert_true(status.figure[WEB_FIGURE_STORE_FREE] == WEB_UNKNOWN);
	expect_notice(&s, "READY=1");
	expect_notice(&s, "STATUS=sampling");
	expect_notice(&s, "WATCHDOG=1");
	drop_curtain(&s);
}

static void expect_cut_done(struct stage *s, uint64_t id, int32_t status, uint64_t end_ns)
{
	struct web_cut_done done;

	hear(&s->web, WEB_CUT_DONE, sizeof(done));
	memcpy(&done, s->web.heard.bytes.data, sizeof(done));
	assert_int_equal(done.id, id);
	assert_int_equal(done.status, status);
	assert_int_equal(done.end_ns, end_ns);
}

static void ask_cut(struct stage *s, uint64_t id)
{
	const struct web_cut cut = { .id = id };

	say(&s->web, WEB_CUT, &cut, sizeof(cut));
}

static uint64_t hear_cut(struct stage *s)
{
	struct agent_cut cut;

	hear(&s->agent, AGENT_CUT, sizeof(cut));
	memcpy(&cut, s->agent.heard.bytes.data, sizeof(cut));
	return cut.id;
}

static void window_is_stored(struct stage *s, uint64_t cut_id, uint64_t sequence, int32_t status)
{
	const struct agent_window w = {
		.cut_id = cut_id, .end_ns = sequence * 10, .sequence = sequence, .status = status
	};

	say(&s->agent, AGENT_WINDOW, &w, sizeof(w));
}

/* Answers come in any order, each to who asked. */
static void test_cuts(void **state)
{
	uint64_t first, second;
	struct stage s;

	raise_curtain(&s);
	ask_cut(&s, 7);
	ask_cut(&s, 9);
	first = hear_cut(&s);
	second = hear_cut(&s);
	assert_true(first && second && first != second);
	window_is_stored(&s, second, 1, 0);
	expect_cut_done(&s, 9, 0, 10);
	window_is_stored(&s, 4242, 2, 0); /* of nobody's */
	window_is_stored(&s, first, 3, -ENOSPC);
	expect_cut_done(&s, 7, -ENOSPC, 30);
	for (uint64_t i = 0; i < AGENT_MAX_CUTS; i++)
		ask_cut(&s, 100 + i);
	ask_cut(&s, 1000);
	expect_cut_done(&s, 1000, -EAGAIN, 0);
	for (uint64_t i = 0; i < AGENT_MAX_CUTS; i++)
		(void)hear_cut(&s);
	drop_curtain(&s);
}

static void test_agent_dies(void **state)
{
	struct agent_status status = { .time_ns = 1, .windows_committed = 3 };
	struct web_status told;
	struct stage s;

	raise_curtain(&s);
	status.counters.value[0] = 5;
	say(&s.agent, AGENT_STATUS, &status, sizeof(status));
	ask_cut(&s, 7);
	(void)hear_cut(&s);
	die(&s.agent);
	expect_cut_done(&s, 7, -EPIPE, 0); /* at once: nobody waits for what can't come */
	ask_cut(&s, 8);
	expect_cut_done(&s, 8, -EPIPE, 0);
	told = status_of(&s);
	assert_int_equal(told.figure[WEB_FIGURE_AGENT_UP], 0);
	assert_true(told.figure[WEB_FIGURE_PROCESSES] == WEB_UNKNOWN);
	assert_int_equal(told.counters.value[0], 5);

	agent_comes(&s);
	pair_up(&s);
	status.counters.value[0] = 2;
	say(&s.agent, AGENT_STATUS, &status, sizeof(status));
	do
		told = status_of(&s);
	while (told.counters.value[0] == 5);
	assert_int_equal(told.counters.value[0], 7);
	assert_int_equal(told.figure[WEB_FIGURE_WINDOWS], 6);
	assert_int_equal(told.figure[WEB_FIGURE_AGENT_RESTARTS], 1);
	assert_int_equal(told.figure[WEB_FIGURE_KEEPER_RESTARTS], 0);
	drop_curtain(&s);
}

static void test_keeper_and_web_die(void **state)
{
	struct stage s;

	raise_curtain(&s);
	die(&s.keeper);
	keeper_comes(&s);
	pair_up(&s);
	/* The cut of a web process that has gone is nobody's. */
	ask_cut(&s, 7);
	(void)hear_cut(&s);
	die(&s.web);
	web_comes(&s);
	window_is_stored(&s, 1, 1, 0);
	ask_cut(&s, 7);
	window_is_stored(&s, hear_cut(&s), 2, 0);
	expect_cut_done(&s, 7, 0, 20);
	drop_curtain(&s);
}

/* An agent that hangs is killed; until then it is heard. */
static void test_agent_is_silent(void **state)
{
	const struct agent_status status = { .time_ns = 1 };
	uint64_t start_ns, silent_ns;
	struct stage s;

	raise_curtain_for(&s, SILENCE_NS);
	start_ns = clock_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < 10; i++) {
		usleep(SILENCE_NS / 5 / 1000);
		say(&s.agent, AGENT_STATUS, &status, sizeof(status));
	}
	silent_ns = clock_ns(CLOCK_MONOTONIC);
	assert_true(silent_ns - start_ns > SILENCE_NS);
	hear_end(&s.agent);
	assert_in_range(clock_ns(CLOCK_MONOTONIC) - silent_ns, SILENCE_NS, 10 * SILENCE_NS);
	agent_comes(&s);
	pair_up(&s);
	drop_curtain(&s);
}

/* Whatever somebody says that makes no sense costs him his life, and nobody else anything. */
static void nonsense(uint32_t type, const void *bytes, size_t len)
{
	struct stage s;

	raise_curtain(&s);
	say(&s.web, type, bytes, len);
	hear_end(&s.web);
	web_comes(&s);
	drop_curtain(&s);
}

static void test_nonsense(void **state)
{
	const struct web_reader three = { .id = 1, .range_count = 3 };
	const struct web_cut cut[2] = { { 1 } };

	nonsense(999, NULL, 0);
	nonsense(WEB_CUT, cut, sizeof(*cut) + 1);
	nonsense(WEB_READER, &three, sizeof(three));
}

/* A beginning of a message holds nobody up. */
static void test_half_a_message(void **state)
{
	static const char half[] = { 8, 0, 0, 0, WEB_CUT };
	struct stage s;

	raise_curtain(&s);
	assert_int_equal(write(s.web.fd, half, sizeof(half)), sizeof(half));
	die(&s.keeper);
	keeper_comes(&s);
	pair_up(&s);
	(void)status_of(&s);
	drop_curtain(&s);
}

static int32_t ask_reader(struct stage *s, uint64_t id, uint64_t from_ns, uint64_t to_ns)
{
	const struct web_reader q = { .id = id,
				      .range_count = 1,
				      .ranges = { { from_ns, to_ns } } };
	struct web_reader_reply reply;

	say(&s->web, WEB_READER, &q, sizeof(q));
	hear(&s->web, WEB_READER_REPLY, 0);
	assert_true(s->web.heard.bytes.len >= sizeof(reply));
	memcpy(&reply, s->web.heard.bytes.data, sizeof(reply));
	assert_int_equal(reply.id, id);
	assert_int_equal(s->web.heard.fd_count, reply.status == 0);
	return reply.status;
}

static void test_readers(void **state)
{
	const struct web_reader_left left = { .id = 3 };
	struct actor readers[WEB_MAX_READERS];
	int32_t r = -EAGAIN;
	struct stage s;

	raise_curtain(&s);
	assert_int_equal(ask_reader(&s, 1, 5, 5), -EINVAL);
	for (uint32_t i = 0; i < WEB_MAX_READERS; i++) {
		assert_int_equal(ask_reader(&s, 2 + i, 0, UINT64_MAX), 0);
		readers[i] = await(&s, READER_ROLE);
		expect_connected(s.web.heard.fds[0], readers[i].fd);
	}
	assert_int_equal(ask_reader(&s, 50, 0, UINT64_MAX), -EAGAIN);
	die(&readers[0]);
	for (uint64_t i = 0; i < 500 && r == -EAGAIN; i++) {
		r = ask_reader(&s, 100 + i, 0, UINT64_MAX);
		if (r == -EAGAIN)
			usleep(10000);
	}
	assert_int_equal(r, 0);
	readers[0] = await(&s, READER_ROLE);
	/* One that nobody waits for any more makes room before it is late. */
	say(&s.web, WEB_READER_LEFT, &left, sizeof(left));
	hear_end(&readers[1]);
	for (uint64_t i = 0; i < 500 && (r = ask_reader(&s, 700 + i, 0, UINT64_MAX)) == -EAGAIN;)
		i++, usleep(10000);
	assert_int_equal(r, 0);
	readers[1] = await(&s, READER_ROLE);
	for (uint32_t i = 0; i < WEB_MAX_READERS; i++)
		leave(&readers[i]);
	drop_curtain(&s);
}

/* What doesn't come up the first time is the caller's to hear of. */
static void test_cannot_begin(void **state)
{
	static const char why[] = "another one writes";
	char message[sizeof(struct keeper_result) + sizeof(why)];
	const struct keeper_result result = { .status = -EBUSY };
	struct stage s;

	open_stage(&s, 0);
	agent_comes(&s);
	s.keeper = await(&s, "storekeeper");
	memcpy(message, &result, sizeof(result));
	memcpy(message + sizeof(result), why, sizeof(why));
	say(&s.keeper, KEEPER_ENDED, message, sizeof(message) - 1);
	die(&s.keeper);
	s.web = await(&s, "web");
	leave(&s.web);
	leave(&s.agent);
	close_stage(&s);
	assert_true(s.r < 0);
	assert_string_equal(s.err.text, why);
}

/* Who doesn't do what he is asked holds nobody up for long. */
static void test_stops_without_them(void **state)
{
	uint64_t start_ns;
	struct stage s;

	raise_curtain(&s);
	__atomic_store_n(&stop_wanted, 1, __ATOMIC_RELEASE); /* pairs with stop_came()'s */
	hear(&s.agent, AGENT_STOP, 0);
	start_ns = clock_ns(CLOCK_MONOTONIC);
	pthread_join(s.thread, NULL);
	s.joined = true;
	assert_in_range(clock_ns(CLOCK_MONOTONIC) - start_ns, NS_PER_S, 2500 * NS_PER_MS);
	leave(&s.agent);
	leave(&s.keeper);
	leave(&s.web);
	close_stage(&s);
	assert_int_equal(s.r, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_agent_dies),
		cmocka_unit_test(test_keeper_and_web_die),
		cmocka_unit_test(test_agent_is_silent),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_half_a_message),
		cmocka_unit_test(test_readers),
		cmocka_unit_test(test_cannot_begin),
		cmocka_unit_test(test_stops_without_them),
	};

	if (argc == 2)
		return strcmp(argv[1], "opener") != 0 && strcmp(argv[1], "symbolizer") != 0
			       ? act(argv[1])
			       : sit();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
