// SPDX-License-Identifier: Apache-2.0
/*
 * The children are this test itself: /proc/self/exe with the role as argv[1], which main()
 * dispatches as slowburn's does.
 */
#include "profiler/role/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/role/socket.h"

/* ---- what the children do ---- */

/* One line about each thing that a child should have, or not. */
static void describe(struct buffer *text)
{
	struct sigaction action;
	sigset_t mask;
	struct dirent *entry;
	DIR *fds = opendir("/proc/self/fd");
	int death = 0;
	char name[16] = "";

	for (char **e = environ; *e; e++)
		buffer_printf(text, "env %s\n", *e);
	while (fds && (entry = readdir(fds))) {
		int fd = entry->d_name[0] == '.' ? -1 : (int)strtol(entry->d_name, NULL, 10);

		if (fd >= 0 && fd != dirfd(fds))
			buffer_printf(text, "fd %d%s\n", fd,
				      fcntl(fd, F_GETFD) & FD_CLOEXEC ? " cloexec" : "");
	}
	if (fds)
		closedir(fds);
	for (int s = 1; s < 32; s++) {
		if (sigaction(s, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			buffer_printf(text, "ignores %d\n", s);
	}
	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int s = 1; s < 32; s++) {
		if (sigismember(&mask, s))
			buffer_printf(text, "blocks %d\n", s);
	}
	prctl(PR_GET_PDEATHSIG, &death);
	buffer_printf(text, "dies with %d\n", death);
	prctl(PR_GET_NAME, name);
	buffer_printf(text, "is called %s\n", name);
}

static int role_describe(void)
{
	struct buffer text = BUFFER_INIT(1 << 16);
	int r;

	describe(&text);
	r = socket_send(ROLE_CHILD_SOCKET, 1, text.data, text.len, NULL, 0, UINT64_MAX);
	buffer_release(&text);
	return r < 0;
}

/* Answers every frame with its own, until the socket ends. */
static int role_echo(void)
{
	struct socket_message m;

	socket_message_init(&m, 1 << 16);
	while (socket_receive(ROLE_CHILD_SOCKET, &m, UINT64_MAX) == 0) {
		if (socket_send(ROLE_CHILD_SOCKET, m.type, m.bytes.data, m.bytes.len, NULL, 0,
				UINT64_MAX) < 0)
			break;
	}
	socket_message_release(&m);
	return 0;
}

_Noreturn static int role_hang(void)
{
	for (;;)
		pause();
}

static int role_burn(void)
{
	uint64_t start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	while (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start < 30 * NS_PER_MS)
		;
	return role_echo();
}

/* ---- tests ---- */

static void start(struct child *c, const char *role)
{
	struct err err = { .text = "" };
	int r = child_start(c, role, &err);

	assert_string_equal(err.text, "");
	assert_int_equal(r, 0);
	assert_true(c->pid > 0);
}

static void echo(struct child *c, const char *text)
{
	uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + 5 * NS_PER_S;
	struct socket_message m;

	socket_message_init(&m, 1 << 16);
	assert_int_equal(socket_send(c->socket, 3, text, strlen(text), NULL, 0, deadline), 0);
	assert_int_equal(socket_receive(c->socket, &m, deadline), 0);
	assert_int_equal(m.bytes.len, strlen(text));
	assert_memory_equal(m.bytes.data, text, strlen(text));
	socket_message_release(&m);
}

static void description(char *ret_text, size_t size)
{
	struct socket_message m;
	struct child c;

	start(&c, "describe");
	socket_message_init(&m, 1 << 16);
	assert_int_equal(socket_receive(c.socket, &m, clock_ns(CLOCK_MONOTONIC) + 5 * NS_PER_S), 0);
	snprintf(ret_text, size, "%.*s", (int)m.bytes.len, m.bytes.data);
	socket_message_release(&m);
	child_stop(&c, NULL);
	assert_int_equal(c.pid, 0);
	assert_int_equal(c.socket, -1);
}

static const char clean[] = "env LC_ALL=C\n"
			    "fd 0\nfd 1\nfd 2\nfd 3 cloexec\n"
			    "ignores 2\nignores 15\nignores 25\n"
			    "dies with 9\n"
			    "is called slowburn\n";

static void handler(int s)
{
	(void)s;
}

/* Whatever the parent has, a child has the same few things. */
static void test_clean(void **state)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, handle = { .sa_handler = handler };
	struct sigaction before[2];
	sigset_t mask, old_mask;
	int extra[5];
	char got[4096];

	for (int i = 0; i < 5; i++)
		extra[i] =
			open("/dev/null", O_RDONLY); // without O_CLOEXEC, as a library's might be
	sigaction(SIGHUP, &ignore, &before[0]);
	sigaction(SIGUSR1, &handle, &before[1]);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, &old_mask);
	setenv("LD_PRELOAD", "", 1);
	setenv("DEBUGINFOD_URLS", "http://example.org", 1);
	description(got, sizeof(got));
	assert_string_equal(got, clean);
	sigprocmask(SIG_SETMASK, &old_mask, NULL);
	sigaction(SIGHUP, &before[0], NULL);
	sigaction(SIGUSR1, &before[1], NULL);
	for (int i = 0; i < 5; i++)
		close(extra[i]);
}

/* Sanitizers' options are all that is kept. */
static void test_sanitizer_options(void **state)
{
	char *before = getenv("UBSAN_OPTIONS"), got[4096], want[4096];

	before = before ? strdup(before) : NULL;
	setenv("UBSAN_OPTIONS", "print_stacktrace=1", 1);
	description(got, sizeof(got));
	snprintf(want, sizeof(want), "env LC_ALL=C\nenv UBSAN_OPTIONS=print_stacktrace=1\n%s",
		 clean + strlen("env LC_ALL=C\n"));
	assert_string_equal(got, want);
	unsetenv("UBSAN_OPTIONS");
	if (before)
		setenv("UBSAN_OPTIONS", before, 1);
	free(before);
}

/* With no descriptor of its own open below 3, where the socket pair then lands. */
static void test_closed_standard_descriptors(void **state)
{
	int saved[3];
	struct child c;

	for (int i = 0; i < 3; i++) {
		saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 20);
		close(i);
	}
	start(&c, "echo");
	echo(&c, "hello");
	child_stop(&c, NULL);
	for (int i = 0; i < 3; i++) {
		dup2(saved[i], i);
		close(saved[i]);
	}
}

/* Ctrl-C reaches the whole process group; the child lives as long as its socket. */
static void test_survives_interrupts(void **state)
{
	struct child c;

	start(&c, "echo");
	echo(&c, "before");
	assert_int_equal(kill(c.pid, SIGINT), 0);
	assert_int_equal(kill(c.pid, SIGTERM), 0);
	echo(&c, "after");
	child_stop(&c, NULL);
}

static void test_stop(void **state)
{
	struct rusage usage = { 0 };
	struct child c;
	uint64_t before, took;
	int pid;

	start(&c, "burn");
	echo(&c, "done");
	pid = c.pid;
	before = clock_ns(CLOCK_MONOTONIC);
	child_stop(&c, &usage);
	took = clock_ns(CLOCK_MONOTONIC) - before;
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	assert_true(took < 2 * NS_PER_S);
	assert_true((uint64_t)usage.ru_utime.tv_sec * 1000000 + (uint64_t)usage.ru_utime.tv_usec +
			    (uint64_t)usage.ru_stime.tv_usec >=
		    25000);
	assert_true(usage.ru_maxrss > 0);
	child_stop(&c, &usage); /* twice is harmless */
}

static void test_stop_hanging(void **state)
{
	struct child c;
	uint64_t before, took;
	int pid;

	start(&c, "hang");
	pid = c.pid;
	before = clock_ns(CLOCK_MONOTONIC);
	child_stop(&c, NULL);
	took = clock_ns(CLOCK_MONOTONIC) - before;
	assert_int_equal(kill(pid, 0), -1);
	assert_true(took >= 90 * NS_PER_MS);
	assert_true(took < 2 * NS_PER_S);
}

/* A parent that is killed takes its child with it. */
static void test_dies_with_parent(void **state)
{
	struct socket_message m;
	struct child child;
	int pipe_fds[2], pid = 0, status;
	pid_t parent;

	socket_message_init(&m, 16);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	parent = fork();
	assert_true(parent >= 0);
	if (parent == 0) {
		if (child_start(&child, "hang", NULL) < 0 ||
		    write(pipe_fds[1], &child.pid, sizeof(child.pid)) != sizeof(child.pid))
			_exit(1);
		raise(SIGKILL);
	}
	assert_int_equal(read(pipe_fds[0], &pid, sizeof(pid)), sizeof(pid));
	assert_int_equal(waitpid(parent, &status, 0), parent);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void test_no_descriptors_left(void **state)
{
	struct rlimit before, none;
	struct err err = { .text = "" };
	struct child c;
	int r;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = child_start(&c, "echo", &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(r, -EMFILE);
	assert_string_equal(err.text, "no socket for the echo process: Too many open files");
	assert_int_equal(c.pid, 0);
	assert_int_equal(c.socket, -1);
}

/* The child has no descriptors to spare either: the parent is told why it could not exec. */
static void test_failure_before_exec(void **state)
{
	struct rlimit before, few;
	struct err err = { .text = "" };
	struct child c;
	int r;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 9; /* enough for the pairs, not for a copy at 10 */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	r = child_start(&c, "echo", &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(r, -EINVAL);
	assert_string_equal(err.text, "the echo process could not be started: Invalid argument");
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* and it is reaped */
	assert_int_equal(errno, ECHILD);
}

/* Started by hand, a role has no socket, and says so instead of running wild. */
static void test_enter_without_socket(void **state)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		close_range(3, ~0u, 0);
		execl("/proc/self/exe", "test", "echo", (char *)NULL);
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 77);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_sanitizer_options),
		cmocka_unit_test(test_closed_standard_descriptors),
		cmocka_unit_test(test_survives_interrupts),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_stop_hanging),
		cmocka_unit_test(test_dies_with_parent),
		cmocka_unit_test(test_no_descriptors_left),
		cmocka_unit_test(test_failure_before_exec),
		cmocka_unit_test(test_enter_without_socket),
	};

	if (argc > 1) {
		if (child_enter() < 0)
			return 77;
		return !strcmp(argv[1], "describe") ? role_describe()
		       : !strcmp(argv[1], "hang")   ? role_hang()
		       : !strcmp(argv[1], "burn")   ? role_burn()
						    : role_echo();
	}
	/* The tests say what a child inherits of these, and count descriptors. */
	close_range(3, ~0u, 0);
	unsetenv("ASAN_OPTIONS");
	unsetenv("LSAN_OPTIONS");
	unsetenv("TSAN_OPTIONS");
	unsetenv("UBSAN_OPTIONS");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
