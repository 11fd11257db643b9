// SPDX-License-Identifier: Apache-2.0
/*
 * A child is our own program again, by exec: what the parent had in memory, in its environment,
 * among its descriptors and signal handlers is gone by construction, not by remembering to clean
 * it.
 *
 * Between fork and exec only async-signal-safe calls are made. A close-on-exec pipe tells the
 * parent when exec has happened (end of file) or why not (an errno).
 *
 * Refused: posix_spawn, which can neither set PDEATHSIG nor close a range; a pid handed to the
 * child to check its parent after exec: PDEATHSIG set before exec outlives it, and the socket's end
 * would end the child anyway.
 */
#include "profiler/role/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"

#define STOP_PATIENCE_NS (100 * NS_PER_MS)

/*
 * The variables that a child keeps: how sanitizers behave is for whoever started the test to say.
 */
static const char *const kept_variables[] = {
	"ASAN_OPTIONS",
	"LSAN_OPTIONS",
	"TSAN_OPTIONS",
	"UBSAN_OPTIONS",
};

#define KEPT_COUNT (sizeof(kept_variables) / sizeof(kept_variables[0]))

/* Pointers into our own environment, "LC_ALL=C" first. */
static void environment_make(char *ret_environment[KEPT_COUNT + 2])
{
	size_t n = 0;

	ret_environment[n++] = (char *)"LC_ALL=C";
	for (size_t i = 0; i < KEPT_COUNT; i++) {
		size_t len = strlen(kept_variables[i]);

		for (char **e = environ; e && *e; e++) {
			if (strncmp(*e, kept_variables[i], len) == 0 && (*e)[len] == '=') {
				ret_environment[n++] = *e;
				break;
			}
		}
	}
	ret_environment[n] = NULL;
}

/*
 * Caught signals go back to their default with exec; ignored ones and the mask would stay. Ctrl-C
 * goes to the whole process group: the parent decides what it means, a child ends when its socket
 * does.
 */
static void signals_reset(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, s == SIGINT || s == SIGTERM ? SIG_IGN : SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Descriptors: 0 and 1 are nothing, 2 stays, 3 is the socket, `report` goes away with exec. */
static int descriptors_arrange(int socket, int report, int *ret_report)
{
	int null, high_socket, high_report;

	/* First out of the way of 0 to 4, wherever the parent got them. */
	high_socket = fcntl(socket, F_DUPFD_CLOEXEC, 10);
	high_report = fcntl(report, F_DUPFD_CLOEXEC, 10);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (high_socket < 0 || high_report < 0 || null < 0)
		return -errno;
	if (dup2(null, 0) < 0 || dup2(null, 1) < 0)
		return -errno;
	if (fcntl(2, F_GETFD) < 0 && dup2(null, 2) < 0)
		return -errno;
	if (dup2(high_socket, ROLE_CHILD_SOCKET) < 0)
		return -errno;
	if (dup3(high_report, ROLE_CHILD_SOCKET + 1, O_CLOEXEC) < 0)
		return -errno;
	if (close_range(ROLE_CHILD_SOCKET + 2, ~0u, 0) < 0)
		return -errno;
	*ret_report = ROLE_CHILD_SOCKET + 1;
	return 0;
}

_Noreturn static void child_exec(const char *role, int socket, int report, pid_t parent)
{
	char *environment[KEPT_COUNT + 2];
	char *argv[] = { (char *)"slowburn", (char *)role, NULL };
	int r;

	signals_reset();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1); /* it died before the line above: nobody would ever kill us */
	environment_make(environment);
	r = descriptors_arrange(socket, report, &report);
	if (r == 0) {
		execve("/proc/self/exe", argv, environment);
		r = -errno;
	}
	if (write(report, &r, sizeof(r)) < 0)
		_exit(126);
	_exit(127);
}

/* Forks with all signals blocked: a handler of the parent's must not run in the child. */
static pid_t fork_quietly(const char *role, int socket, int report)
{
	sigset_t all, before;
	pid_t parent = getpid(), pid;
	int saved;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		child_exec(role, socket, report, parent);
	saved = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return pid;
}

/* Waits for the exec. 0, or the negative errno with which it failed. */
static int exec_result(int report)
{
	int code;
	ssize_t n;

	do {
		n = read(report, &code, sizeof(code));
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	return n == (ssize_t)sizeof(code) && code < 0 ? code : -EIO;
}

static void reap(pid_t pid, struct rusage *ret_usage)
{
	while (wait4(pid, NULL, 0, ret_usage) < 0 && errno == EINTR)
		;
}

int child_start(struct child *c, const char *role, struct err *err)
{
	int pair[2] = { -1, -1 }, report[2] = { -1, -1 };
	struct rusage unused;
	pid_t pid;
	int r;

	*c = (struct child){ .socket = -1 };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
	    pipe2(report, O_CLOEXEC) < 0) {
		r = err_errno(err, -errno, "no socket for the %s process", role);
		goto out;
	}
	pid = fork_quietly(role, pair[1], report[1]);
	if (pid < 0) {
		r = err_errno(err, -errno, "the %s process could not be forked", role);
		goto out;
	}
	fd_close(&report[1]);
	r = exec_result(report[0]);
	if (r < 0) {
		reap(pid, &unused);
		err_errno(err, r, "the %s process could not be started", role);
		goto out;
	}
	*c = (struct child){ .pid = pid, .socket = take_fd(&pair[0]) };
out:
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	fd_close(&report[0]);
	fd_close(&report[1]);
	return r;
}

static void timeval_add(struct timeval *sum, const struct timeval *t)
{
	sum->tv_sec += t->tv_sec;
	sum->tv_usec += t->tv_usec;
	if (sum->tv_usec >= 1000000) {
		sum->tv_usec -= 1000000;
		sum->tv_sec++;
	}
}

static void usage_add(struct rusage *sum, const struct rusage *u)
{
	timeval_add(&sum->ru_utime, &u->ru_utime);
	timeval_add(&sum->ru_stime, &u->ru_stime);
	if (u->ru_maxrss > sum->ru_maxrss)
		sum->ru_maxrss = u->ru_maxrss;
	sum->ru_minflt += u->ru_minflt;
	sum->ru_majflt += u->ru_majflt;
	sum->ru_nvcsw += u->ru_nvcsw;
	sum->ru_nivcsw += u->ru_nivcsw;
}

/* Waits at most `patience_ns` for the process to end by itself. */
static void await_end(pid_t pid, uint64_t patience_ns)
{
	_cleanup_(fd_close) int pidfd = pidfd_open(pid, 0);
	uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + patience_ns;

	while (pidfd >= 0) {
		struct pollfd p = { .fd = pidfd, .events = POLLIN };
		uint64_t now = clock_ns(CLOCK_MONOTONIC);
		struct timespec left;

		if (now >= deadline)
			return;
		left.tv_sec = (time_t)((deadline - now) / NS_PER_S);
		left.tv_nsec = (long)((deadline - now) % NS_PER_S);
		if (ppoll(&p, 1, &left, NULL) > 0)
			return;
	}
}

void child_stop(struct child *c, struct rusage *usage)
{
	struct rusage ended = { 0 };

	fd_close(&c->socket);
	if (c->pid <= 0)
		return;
	await_end(c->pid, STOP_PATIENCE_NS);
	/*
	 * Harmless if it has ended: it is a zombie until the next line, so its pid is nobody
	 * else's.
	 */
	kill(c->pid, SIGKILL);
	reap(c->pid, &ended);
	c->pid = 0;
	if (usage)
		usage_add(usage, &ended);
}

int child_enter(void)
{
	int domain;
	socklen_t len = sizeof(domain);

	if (getsockopt(ROLE_CHILD_SOCKET, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0)
		return -errno;
	if (domain != AF_UNIX)
		return -EPROTOTYPE;
	if (fcntl(ROLE_CHILD_SOCKET, F_SETFD, FD_CLOEXEC) < 0 ||
	    close_range(ROLE_CHILD_SOCKET + 1, ~0u, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	/* exec of /proc/self/exe would leave us with the name "exe" in everybody's process list. */
	if (prctl(PR_SET_NAME, "slowburn") < 0)
		return -errno;
	return 0;
}
