// SPDX-License-Identifier: Apache-2.0
/*
 * Two pipes: the child reads one byte from `go` before it becomes the command (and ends if we do), and
 * writes its errno to `refusal` if it can't, which a successful exec closes. PATH is searched by exec
 * itself, as the invoker: what root could find is of no use. ptrace and SIGSTOP were refused as ways to
 * hold it: both are visible to the command and to its parent.
 */
#include "profiler/command/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/command/interrupt.h"

#define TERM_WAIT_MS 1000

/* The pid of the command that runs, where a signal handler finds it; 0: there is none. */
static volatile sig_atomic_t running;

static int read_retry(int fd, void *bytes, size_t len)
{
	ssize_t n;

	do
		n = read(fd, bytes, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : (int)n;
}

/* In the child, with all signals blocked: our handlers are not for it, nor is a Ctrl-C lost to it. */
_Noreturn static void become(const struct invoker *who, char *const *argv, int go, int refusal,
			     const sigset_t *mask)
{
	char byte;
	int r;

	if (read_retry(go, &byte, 1) != 1)
		_exit(1);
	interrupt_release();
	r = invoker_become(who);
	if (r == 0) {
		sigprocmask(SIG_SETMASK, mask, NULL);
		execvp(argv[0], argv);
		r = -errno;
	}
	(void)!write(refusal, &r, sizeof(r));
	_exit(1);
}

/* Pipes and process; what is the child's of them is closed on return. 0 or negative errno. */
static int hold(struct launch *l, const struct invoker *who, char *const *argv)
{
	_cleanup_(fd_close) int go_read = -1;
	_cleanup_(fd_close) int refusal_write = -1;
	int go[2], refusal[2], saved;
	sigset_t all, mask;

	if (pipe2(go, O_CLOEXEC) < 0)
		return -errno;
	go_read = go[0];
	l->go = go[1];
	if (pipe2(refusal, O_CLOEXEC) < 0)
		return -errno;
	l->refusal = refusal[0];
	refusal_write = refusal[1];

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	l->pid = fork();
	saved = errno;
	if (l->pid == 0) {
		close(l->go); /* or the pipe would not end with us */
		become(who, argv, go_read, refusal_write, &mask);
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	if (l->pid < 0) {
		l->pid = 0;
		return -saved;
	}
	l->pidfd = pidfd_open(l->pid, 0);
	return l->pidfd < 0 ? -errno : 0;
}

int launch_hold(struct launch *l, const struct invoker *who, char *const *argv, struct err *err)
{
	int r;

	*l = (struct launch)LAUNCH_INIT;
	r = hold(l, who, argv);
	return r < 0 ? err_errno(err, r, "cannot start \"%s\"", argv[0]) : 0;
}

int launch_go(struct launch *l, const char *name, struct err *err)
{
	int reason = 0, r;

	r = write(l->go, "", 1) == 1 ? 0 : -errno;
	fd_close(&l->go);
	if (r == 0)
		r = read_retry(l->refusal, &reason, sizeof(reason));
	fd_close(&l->refusal);
	if (r < 0)
		return err_errno(err, r, "cannot start \"%s\"", name);
	if (r > 0)
		return err_errno(err, reason, "cannot run \"%s\"", name);
	running = l->pid;
	return 0;
}

static bool ended_within(const struct launch *l, int timeout_ms)
{
	struct pollfd fd = { .fd = l->pidfd, .events = POLLIN };
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + (uint64_t)timeout_ms * NS_PER_MS;
	int r;

	do
		r = poll(&fd, 1, timeout_ms);
	while (r < 0 && errno == EINTR && clock_ns(CLOCK_MONOTONIC) < end);
	return r > 0;
}

bool launch_ended(const struct launch *l)
{
	return l->pid && ended_within(l, 0);
}

int launch_end(struct launch *l, int *ret_wait_status)
{
	int status;

	if (!launch_ended(l))
		kill(l->pid, SIGTERM);
	if (!ended_within(l, TERM_WAIT_MS))
		return 1;
	running = 0; /* before its pid can be another's */
	if (waitpid(l->pid, &status, 0) < 0)
		return -errno;
	l->pid = 0;
	*ret_wait_status = status;
	return 0;
}

void launch_abandon(void)
{
	if (running)
		kill(running, SIGTERM);
}

void launch_release(struct launch *l)
{
	if (l->pid && l->go >= 0) {
		/* Held still: the end of the pipe ends it. */
		fd_close(&l->go);
		waitpid(l->pid, NULL, 0);
	}
	fd_close(&l->pidfd);
	fd_close(&l->go);
	fd_close(&l->refusal);
	*l = (struct launch)LAUNCH_INIT;
}
