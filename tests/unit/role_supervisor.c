// SPDX-License-Identifier: Apache-2.0
/*
 * The supervised processes are this test itself, run with a role's name as argv[1]: the leader waits,
 * and so does whoever is served, but answers. What the leader asks for is asked here, by a thread.
 *
 * A process that doesn't go when it is killed can't be had without a broken file system; one that is
 * traced looks the same to its parent, who cannot reap it before the tracer has.
 */
#include "profiler/role/supervisor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/role/role.h"
#include "profiler/role/socket.h"
#include "profiler/role/usage.h"

#define BURST 64
#define ABANDONED 4

/* What the served processes are told. */
enum { ECHO = 1, LIMIT, BURN };

/* ---- what the children do ---- */

static int serve(void)
{
	struct socket_message m;
	struct rlimit limit;

	socket_message_init(&m, 1024);
	while (socket_receive(ROLE_CHILD_SOCKET, &m, UINT64_MAX) == 0) {
		uint64_t start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

		while (m.type == BURN &&
		       clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start < 30 * NS_PER_MS)
			;
		getrlimit(RLIMIT_DATA, &limit);
		if (socket_send(ROLE_CHILD_SOCKET, m.type, &limit.rlim_cur, sizeof(limit.rlim_cur),
				NULL, 0, UINT64_MAX) < 0)
			break;
	}
	socket_message_release(&m);
	return 0;
}

/* Ends with the type of the message that it gets; without one it stays, also when its socket ends. */
static int lead(void)
{
	struct socket_message m;
	int status = 0;

	socket_message_init(&m, 1024);
	if (socket_receive(ROLE_CHILD_SOCKET, &m, UINT64_MAX) == 0)
		status = (int)m.type;
	socket_message_release(&m);
	if (!status)
		for (;;)
			pause();
	return status;
}

/* ---- the tests' side ---- */

struct team {
	struct supervisor *s;
	struct starter starter;
	int leader, service;
	/* What the thread that asks is to do, and what came of it. */
	void (*ask)(struct team *);
	const char *role;
	struct started started;
	struct err err;
	struct service_usage usage;
	const char *entry;
	struct service_cache_word word;
	int fd; /* found, or to be kept */
	int r;
	int count;
	bool done;
};

static void team_start(struct team *t, const struct supervisor_memory *memory)
{
	struct err err = { "" };

	*t = (struct team){ .leader = -1, .service = -1, .started.socket = -1 };
	supervisor_new(&t->s, memory, &err);
	supervisor_lead(t->s, "agent", &t->leader, &t->service, &err);
	assert_string_equal(err.text, "");
	t->starter = service_starter(&t->service);
}

static void team_end(struct team *t)
{
	int status;

	fd_close(&t->leader);
	fd_close(&t->service);
	fd_close(&t->started.socket);
	supervisor_free(t->s);
	assert_int_equal(waitpid(-1, &status, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void *ask_main(void *ctx)
{
	struct team *t = ctx;

	t->ask(t);
	__atomic_store_n(&t->done, true, __ATOMIC_RELEASE); /* pairs with ask()'s */
	return NULL;
}

/* Runs `f` in a thread and serves what it asks for. */
static void ask(struct team *t, void (*f)(struct team *))
{
	pthread_t thread;

	t->ask = f;
	t->done = false;
	assert_int_equal(pthread_create(&thread, NULL, ask_main, t), 0);
	while (!__atomic_load_n(&t->done, __ATOMIC_ACQUIRE)) { /* pairs with ask_main()'s */
		struct pollfd p = { .fd = supervisor_fd(t->s), .events = POLLIN };

		if (poll(&p, 1, 1) > 0)
			assert_int_equal(supervisor_serve(t->s), 0);
	}
	pthread_join(thread, NULL);
}

static void ask_start(struct team *t)
{
	fd_close(&t->started.socket);
	t->err.text[0] = '\0';
	t->r = t->starter.start(t->starter.ctx, t->role, &t->started, &t->err);
}

static void ask_until_refused(struct team *t)
{
	for (t->count = 0; t->count < 1000; t->count++) {
		ask_start(t);
		if (t->r < 0)
			break;
	}
}

static void ask_usage(struct team *t)
{
	t->r = service_usage(t->service, &t->usage);
}

static int started(struct team *t, const char *role)
{
	t->role = role;
	ask(t, ask_start);
	assert_string_equal(t->err.text, "");
	assert_int_equal(t->r, 0);
	assert_true(t->started.pid > 0);
	return t->started.pid;
}

/* What a served process says to a message, which is its limit. */
static uint64_t tell(const struct team *t, uint32_t what)
{
	uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + 5 * NS_PER_S, limit = 0;
	struct socket_message m;

	socket_message_init(&m, 1024);
	assert_int_equal(socket_send(t->started.socket, what, "", 0, NULL, 0, deadline), 0);
	assert_int_equal(socket_receive(t->started.socket, &m, deadline), 0);
	assert_int_equal(m.type, what);
	assert_int_equal(m.bytes.len, sizeof(limit));
	memcpy(&limit, m.bytes.data, sizeof(limit));
	socket_message_release(&m);
	return limit;
}

static void test_start(void **state)
{
	static const char *const roles[] = { "opener", "fetcher", "symbolizer" };
	struct team t;

	team_start(&t, NULL);
	for (size_t i = 0; i < 3; i++) {
		started(&t, roles[i]);
		tell(&t, ECHO);
	}
	team_end(&t);
}

static void test_refused(void **state)
{
	static const struct {
		const char *role, *says;
	} cases[] = {
		{ "agent", "there is no served role \"agent\"" },
		{ "supervisor", "there is no served role \"supervisor\"" },
		{ "/bin/sh", "there is no served role \"/bin/sh\"" },
		{ "", "there is no served role \"\"" },
	};
	struct team t;

	team_start(&t, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		t.role = cases[i].role;
		ask(&t, ask_start);
		assert_int_equal(t.r, -EINVAL);
		assert_string_equal(t.err.text, cases[i].says);
	}
	assert_int_equal(supervisor_prepare(t.s, "agent", &t.err), -EINVAL);
	started(&t, "opener"); /* it is served nevertheless */
	team_end(&t);
}

/* One of each role at a time. */
static void test_replaced(void **state)
{
	int first, second, other;
	struct team t;

	team_start(&t, NULL);
	other = started(&t, "symbolizer");
	first = started(&t, "opener");
	second = started(&t, "opener");
	assert_int_not_equal(first, second);
	assert_int_equal(kill(first, 0), -1);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(kill(second, 0), 0);
	assert_int_equal(kill(other, 0), 0);
	tell(&t, ECHO);
	team_end(&t);
}

/* The pids of our children; 0 where the kernel doesn't list them. */
static int children(int *ret, int max)
{
	char path[64], text[1024] = "", *rest = text, *word;
	int count = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	while ((word = strsep(&rest, " ")) && count < max)
		if (*word)
			ret[count++] = (int)strtol(word, NULL, 10);
	return count;
}

static void test_prepared(void **state)
{
	struct team t;
	int pids[8], count, pid;

	team_start(&t, NULL);
	assert_int_equal(supervisor_prepare(t.s, "opener", &t.err), 0);
	assert_int_equal(supervisor_prepare(t.s, "opener", &t.err), 0); /* once is enough */
	count = children(pids, 8);
	pid = started(&t, "opener");
	tell(&t, ECHO);
	if (count) {
		assert_int_equal(count, 2);
		assert_int_equal(pid, pids[1]);
	}
	assert_int_not_equal(pid, started(&t, "opener"));
	team_end(&t);
}

/* One that was prepared and died meanwhile isn't handed out. */
static void test_prepared_and_dead(void **state)
{
	int pids[8];
	struct team t;
	siginfo_t info;

	team_start(&t, NULL);
	assert_int_equal(supervisor_prepare(t.s, "opener", &t.err), 0);
	if (children(pids, 8) != 2) {
		team_end(&t);
		skip();
	}
	kill(pids[1], SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pids[1], &info, WEXITED | WNOWAIT), 0);
	assert_int_not_equal(started(&t, "opener"), pids[1]);
	tell(&t, ECHO);
	team_end(&t);
}

static void test_too_often(void **state)
{
	uint64_t start = clock_ns(CLOCK_MONOTONIC);
	struct team t;

	team_start(&t, NULL);
	t.role = "opener";
	ask(&t, ask_until_refused);
	assert_int_equal(t.r, -EAGAIN);
	assert_string_equal(t.err.text, "the opener was started too often");
	assert_in_range(t.count, BURST, BURST + (clock_ns(CLOCK_MONOTONIC) - start) / NS_PER_S);
	t.role = "symbolizer"; /* all of them are counted together */
	ask(&t, ask_start);
	if (clock_ns(CLOCK_MONOTONIC) - start < NS_PER_S)
		assert_int_equal(t.r, -EAGAIN);
	usleep(1000000);
	started(&t, "opener");
	team_end(&t);
}

/* Keeps `pid` from being reaped until the tracer ends; 0 if that isn't allowed. */
static pid_t trace(int pid)
{
	int pair[2];
	pid_t tracer;
	char ok = 0;

	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	tracer = fork();
	assert_true(tracer >= 0);
	if (tracer == 0) {
		ok = ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0;
		if (write(pair[1], &ok, 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(pair[0], &ok, 1), 1);
	close(pair[0]);
	close(pair[1]);
	if (ok)
		return tracer;
	kill(tracer, SIGKILL);
	waitpid(tracer, NULL, 0);
	return 0;
}

static void untrace(pid_t tracer)
{
	kill(tracer, SIGKILL);
	assert_int_equal(waitpid(tracer, NULL, 0), tracer);
}

static void test_abandoned(void **state)
{
	pid_t tracers[ABANDONED + 1] = { 0 };
	uint64_t before, took;
	struct team t;

	team_start(&t, NULL);
	for (int i = 0; i <= ABANDONED; i++) {
		before = clock_ns(CLOCK_MONOTONIC);
		tracers[i] = trace(started(&t, "fetcher"));
		took = clock_ns(CLOCK_MONOTONIC) - before;
		assert_true(took < NS_PER_S);
		if (!tracers[i]) {
			team_end(&t);
			skip();
		}
	}
	/* Four have been abandoned, the fifth goes as little. */
	t.role = "fetcher";
	ask(&t, ask_start);
	assert_int_equal(t.r, -EBUSY);
	assert_string_equal(t.err.text, "4 processes of the fetcher were killed and don't end");
	started(&t, "opener"); /* another role's are its own */
	ask(&t, ask_usage);
	assert_int_equal(t.r, 0);
	untrace(tracers[2]);
	started(&t, "fetcher");
	tell(&t, ECHO);
	for (int i = 0; i <= ABANDONED; i++)
		if (i != 2)
			untrace(tracers[i]);
	started(&t, "fetcher"); /* reaps them */
	team_end(&t);
}

static void test_usage(void **state)
{
	uint64_t before, own;
	struct team t;

	team_start(&t, NULL);
	started(&t, "opener");
	ask(&t, ask_usage);
	assert_int_equal(t.r, 0);
	before = t.usage.cpu_ns;
	own = usage_memory_bytes(getpid());
	assert_true(before > 0);
	assert_true(t.usage.memory_bytes > own);
	tell(&t, BURN);
	ask(&t, ask_usage);
	assert_true(t.usage.cpu_ns >= before + 29 * NS_PER_MS);
	/* Also what it had used when it was replaced. */
	started(&t, "opener");
	ask(&t, ask_usage);
	assert_true(t.usage.cpu_ns >= before + 29 * NS_PER_MS);
	assert_true(t.usage.cpu_ns < before + 60 * NS_PER_S);
	team_end(&t);
}

static void test_memory(void **state)
{
	const struct supervisor_memory memory[] = {
		{ "symbolizer", 48 << 20 },
		{ "opener", 1ULL << 50 },
		{ NULL, 0 },
	};
	struct rlimit own;
	struct team t;

	assert_int_equal(getrlimit(RLIMIT_DATA, &own), 0);
	team_start(&t, memory);
	started(&t, "symbolizer");
	assert_int_equal(tell(&t, LIMIT), ROLE_SANITIZED ? own.rlim_cur : 48 << 20);
	started(&t, "opener");
	assert_int_equal(tell(&t, LIMIT),
			 ROLE_SANITIZED || own.rlim_cur < 1ULL << 50 ? own.rlim_cur : 1ULL << 50);
	started(&t, "fetcher");
	assert_int_equal(tell(&t, LIMIT), own.rlim_cur);
	team_end(&t);
}

static void await_leader(struct team *t, const char *want)
{
	struct err err = { "" };

	for (int i = 0; i < 5000 && !supervisor_leader_ended(t->s, &err); i++)
		usleep(1000);
	assert_string_equal(err.text, want);
	assert_true(supervisor_leader_ended(t->s, &err)); /* and remembers it */
	assert_string_equal(err.text, want);
}

static void test_leader_ends(void **state)
{
	int pids[8];
	struct team t;

	team_start(&t, NULL);
	assert_false(supervisor_leader_ended(t.s, &t.err));
	assert_int_equal(socket_send(t.leader, 3, "", 0, NULL, 0, UINT64_MAX), 0);
	await_leader(&t, "the agent ended with status 3");
	team_end(&t);

	team_start(&t, NULL);
	if (children(pids, 8) == 1) {
		kill(pids[0], SIGKILL);
		await_leader(&t, "the agent was ended by signal 9 (Killed)");
	}
	team_end(&t);
}

/* What a leader may say that isn't a request; each ends the service. */
/* The next leader starts with nothing of the last one's. */
static void test_dismissed(void **state)
{
	struct err err = { "" };
	int pids[8], opener;
	struct team t;

	team_start(&t, NULL);
	started(&t, "opener");
	opener = t.started.pid;
	assert_int_equal(supervisor_prepare(t.s, "symbolizer", &err), 0);
	assert_int_equal(children(pids, 8), 3);
	assert_int_equal(supervisor_dismiss(t.s), 0);
	assert_int_equal(children(pids, 8), 0);
	assert_int_equal(supervisor_dismiss(t.s), 0);
	fd_close(&t.leader);
	fd_close(&t.service);
	fd_close(&t.started.socket);

	assert_int_equal(supervisor_lead(t.s, "agent", &t.leader, &t.service, &err), 0);
	assert_false(supervisor_leader_ended(t.s, &err));
	started(&t, "opener");
	assert_int_not_equal(t.started.pid, opener);
	assert_int_equal(supervisor_replaced(t.s), 0);
	started(&t, "opener");
	assert_int_equal(supervisor_replaced(t.s), 1);
	assert_int_equal(socket_send(t.leader, 3, "", 0, NULL, 0, UINT64_MAX), 0);
	await_leader(&t, "the agent ended with status 3");
	team_end(&t);
}

static void add_42(void *ctx, struct service_usage *sum)
{
	sum->cpu_ns += *(uint64_t *)ctx;
}

static void test_others_are_counted(void **state)
{
	uint64_t more = 42 * NS_PER_S;
	struct service_usage usage;
	struct team t;

	team_start(&t, NULL);
	supervisor_usage(t.s, &usage);
	assert_in_range(usage.cpu_ns, 0, more - 1);
	supervisor_count_also(t.s, add_42, &more);
	supervisor_usage(t.s, &usage);
	assert_in_range(usage.cpu_ns, more, 2 * more);
	team_end(&t);
}

static void test_nonsense(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int want;
	} cases[] = {
		{ "", 0, -EPIPE },
		{ "\0\0\0\0\x07\0\0\0", 8, -EPROTO }, /* no such request */
		{ "\0\0\0\0\x64\0\0\0", 8, -EPROTO }, /* a reply */
		{ "\x03\0\0\0\x01\0\0\0ab\0", 11, -EPROTO }, /* a NUL in the name */
		{ "\xff\xff\xff\xff\x01\0\0\0", 8, -EPROTO }, /* too long */
		{ "\x03\0\0\0\x01\0\0\0ab", 10, -EPIPE }, /* cut */
	};
	struct team t;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		team_start(&t, NULL);
		assert_int_equal(send(t.service, cases[i].bytes, cases[i].len, 0), cases[i].len);
		fd_close(&t.service);
		assert_int_equal(supervisor_serve(t.s), cases[i].want);
		team_end(&t);
	}
}

static void test_half_a_request(void **state)
{
	uint64_t before;
	struct team t;

	team_start(&t, NULL);
	assert_int_equal(send(t.service, "\x03\0\0", 3, 0), 3);
	before = clock_ns(CLOCK_MONOTONIC);
	assert_int_equal(supervisor_serve(t.s), -EPROTO);
	assert_true(clock_ns(CLOCK_MONOTONIC) - before < 3 * NS_PER_S);
	team_end(&t);
}

static void test_unasked_descriptor(void **state)
{
	struct team t;

	team_start(&t, NULL);
	assert_int_equal(socket_send(t.service, SERVICE_USAGE, "", 0, &t.leader, 1, UINT64_MAX), 0);
	assert_int_equal(supervisor_serve(t.s), -EPROTO);
	team_end(&t);
}

static void ask_find(struct team *t)
{
	t->fd = -1;
	t->r = service_cache_find(t->service, t->entry, &t->fd, &t->word);
}

static void ask_keep(struct team *t)
{
	t->r = service_cache_keep(t->service, t->entry, t->fd, &t->word);
}

static void ask_drop(struct team *t)
{
	t->r = service_cache_drop(t->service, t->entry);
}

static void expect_found(struct team *t, const char *want)
{
	char text[16] = "";

	ask(t, ask_find);
	assert_int_equal(t->r, want ? 0 : -ENOENT);
	if (want) {
		assert_int_equal(pread(t->fd, text, sizeof(text) - 1, 0), strlen(want));
		assert_string_equal(text, want);
	}
	fd_close(&t->fd);
}

static void expect_kept(struct team *t, const char *text, int want)
{
	t->fd = memfd_create("kept", MFD_CLOEXEC);
	assert_int_equal(write(t->fd, text, strlen(text)), strlen(text));
	ask(t, ask_keep);
	assert_int_equal(t->r, want);
	fd_close(&t->fd);
}

/* The cache, as the leader has it. */
static void test_cache(void **state)
{
	char path[] = "/tmp/slowburn-supervisor.XXXXXX";
	struct cache *cache;
	struct team t;
	DIR *dir;

	assert_non_null(mkdtemp(path));
	team_start(&t, NULL);
	t.entry = "a-1";
	ask(&t, ask_find);
	assert_int_equal(t.r, -ENODEV);
	assert_string_equal(t.word.text, "there is no cache");
	supervisor_keep_cache(t.s, NULL, "somebody said no");
	expect_kept(&t, "text", -ENODEV);
	assert_string_equal(t.word.text, "somebody said no");

	assert_int_equal(cache_open(&cache, path, CACHE_DEFAULT_BYTES, NULL), 0);
	supervisor_keep_cache(t.s, cache, "");
	expect_found(&t, NULL);
	assert_string_equal(t.word.text, path);
	expect_kept(&t, "text", 0);
	expect_found(&t, "text");
	expect_kept(&t, "", -EINVAL);
	t.entry = "../../etc/passwd";
	expect_kept(&t, "text", -EINVAL);
	ask(&t, ask_find);
	assert_int_equal(t.r, -EINVAL);
	t.entry = "a-1";
	ask(&t, ask_drop);
	assert_int_equal(t.r, 0);
	expect_found(&t, NULL);
	team_end(&t);
	cache_free(cache);
	dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		t.count++;
	closedir(dir);
	assert_int_equal(t.count, 2); /* . and .. */
	assert_int_equal(rmdir(path), 0);
}

/* What is to be kept comes with one descriptor; a name has no NUL. */
static void test_cache_nonsense(void **state)
{
	static const struct {
		uint32_t what;
		const char *name;
		size_t len;
		uint32_t fds;
	} cases[] = {
		{ SERVICE_CACHE_KEEP, "a", 1, 0 },    { SERVICE_CACHE_KEEP, "a", 1, 2 },
		{ SERVICE_CACHE_FIND, "a", 1, 1 },    { SERVICE_CACHE_DROP, "a", 1, 1 },
		{ SERVICE_CACHE_FIND, "a\0b", 3, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const int fds[] = { 0, 0 };
		struct team t;

		team_start(&t, NULL);
		assert_int_equal(socket_send(t.service, cases[i].what, cases[i].name, cases[i].len,
					     fds, cases[i].fds, UINT64_MAX),
				 0);
		assert_int_equal(supervisor_serve(t.s), -EPROTO);
		team_end(&t);
	}
}

/* A supervisor that is busy costs its deadline. */
static void test_cache_late(void **state)
{
	uint64_t before, took;
	struct team t;

	team_start(&t, NULL);
	t.entry = "a";
	before = clock_ns(CLOCK_MONOTONIC);
	ask_find(&t); /* nobody serves */
	took = clock_ns(CLOCK_MONOTONIC) - before;
	assert_int_equal(t.r, -ETIMEDOUT);
	assert_true(took >= SERVICE_CACHE_DEADLINE_NS && took < 3 * SERVICE_CACHE_DEADLINE_NS);
	assert_int_equal(supervisor_serve(t.s), 0);
	ask(&t, ask_usage); /* what came late is passed over */
	assert_int_equal(t.r, 0);
	team_end(&t);
}

/* Who stays when the sockets end is killed; who can't be is left. */
static void test_end(void **state)
{
	uint64_t before, took;
	pid_t tracer;
	struct team t;

	team_start(&t, NULL); /* its leader stays */
	supervisor_prepare(t.s, "opener", &t.err);
	supervisor_prepare(t.s, "symbolizer", &t.err);
	before = clock_ns(CLOCK_MONOTONIC);
	team_end(&t);
	took = clock_ns(CLOCK_MONOTONIC) - before;
	assert_true(took >= 90 * NS_PER_MS);
	assert_true(took < 2 * NS_PER_S);

	team_start(&t, NULL);
	tracer = trace(started(&t, "fetcher"));
	before = clock_ns(CLOCK_MONOTONIC);
	fd_close(&t.leader);
	supervisor_free(t.s);
	assert_true(clock_ns(CLOCK_MONOTONIC) - before < 2 * NS_PER_S);
	fd_close(&t.service);
	fd_close(&t.started.socket);
	if (tracer)
		untrace(tracer);
	while (waitpid(-1, NULL, 0) > 0)
		;
	supervisor_free(NULL);
}

static void test_limits_checked(void **state)
{
	struct supervisor_memory many[16] = { { NULL, 0 } };
	struct supervisor *s;
	struct err err;

	for (size_t i = 0; i < 15; i++)
		many[i].role = "opener";
	assert_int_equal(supervisor_new(&s, many, &err), -E2BIG);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_prepared),
		cmocka_unit_test(test_prepared_and_dead),
		cmocka_unit_test(test_too_often),
		cmocka_unit_test(test_abandoned),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_leader_ends),
		cmocka_unit_test(test_dismissed),
		cmocka_unit_test(test_others_are_counted),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_half_a_request),
		cmocka_unit_test(test_unasked_descriptor),
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_cache_nonsense),
		cmocka_unit_test(test_cache_late),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_limits_checked),
	};

	if (argc > 1) {
		if (child_enter() < 0)
			return 77;
		return strcmp(argv[1], "agent") == 0 ? lead() : serve();
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
