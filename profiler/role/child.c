// SPDX-License-Identifier: Apache-2.0
/*
 * A child is our own program again, by exec: what the parent had in memory, in its environment,
 * among its descriptors and signal handlers is gone by construction, not by remembering to clean
 * it.
 *
 * Between fork and exec only async-signal-safe calls are made. A close-on-exec pipe tells the
 * parent when exec has happened (end of file) or why not (an errno).
 *
 * Nothing here waits without an end: a process can be in a state (D) in which not even SIGKILL ends it.
 *
 * Refused: posix_spawn, which can neither set PDEATHSIG nor close a range; a pid handed to the
 * child to check its parent after exec: PDEATHSIG set before exec outlives it, and the socket's end
 * would end the child anyway.
 */
#include "profiler/role/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/role/role.h"
#include "profiler/role/sandbox.h"

#define STOP_PATIENCE_NS (100 * NS_PER_MS)
#define KILL_PATIENCE_NS NS_PER_S
/* From fork to exec, on a busy machine; less than whoever asked for it waits (SERVICE_DEADLINE_NS). */
#define EXEC_PATIENCE_MS 4000

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
 * does. A file that has no room for more is an error, no death.
 */
static void signals_reset(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, s == SIGINT || s == SIGTERM || s == SIGXFSZ ? SIG_IGN : SIG_DFL);
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

/*
 * For exec by who isn't root, which keeps ambient ones only. Best effort: without them, the child's
 * sandbox has less to give up.
 */
static void capabilities_pass_on(uint64_t wanted)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	if (syscall(SYS_capget, &header, data) < 0)
		return;
	data[0].inheritable = (uint32_t)wanted & data[0].effective;
	data[1].inheritable = (uint32_t)(wanted >> 32) & data[1].effective;
	if (syscall(SYS_capset, &header, data) < 0)
		return;
	for (unsigned long c = 0; c < 64; c++)
		if (data[c / 32].inheritable >> (c % 32) & 1)
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0);
}

/* What the new process is to be. */
struct order {
	const char *role;
	uint64_t capabilities, memory_bytes;
	bool makes_copies; /* in memory, of a limited size */
	int socket, report;
	pid_t parent;
};

static int limit_lower(int resource, uint64_t bytes)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		return -errno;
	if (limit.rlim_max > bytes)
		limit.rlim_max = bytes;
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	return setrlimit(resource, &limit) < 0 ? -errno : 0;
}

/* Sanitizers reserve more than there is. A copy in memory is a file that no other limit sees. */
static int memory_limit(const struct order *o)
{
	int r = 0;

	if (!o->memory_bytes || ROLE_SANITIZED)
		return 0;
	r = limit_lower(RLIMIT_DATA, o->memory_bytes);
	if (r == 0 && o->makes_copies)
		r = limit_lower(RLIMIT_FSIZE, o->memory_bytes);
	return r;
}

_Noreturn static void child_exec(const struct order *o)
{
	char *environment[KEPT_COUNT + 2];
	char *argv[] = { (char *)"slowburn", (char *)o->role, NULL };
	int report = o->report, r;

	signals_reset();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != o->parent)
		_exit(1); /* it died before the line above: nobody would ever kill us */
	environment_make(environment);
	/* Ours may be on a file system that someone wants to unmount. */
	if (chdir("/") < 0)
		_exit(1);
	r = descriptors_arrange(o->socket, report, &report);
	if (r == 0)
		r = memory_limit(o);
	if (r == 0) {
		capabilities_pass_on(o->capabilities);
		execve("/proc/self/exe", argv, environment);
		r = -errno;
	}
	if (write(report, &r, sizeof(r)) < 0)
		_exit(126);
	_exit(127);
}

/* Forks with all signals blocked: a handler of the parent's must not run in the child. */
static pid_t fork_quietly(const struct order *o)
{
	sigset_t all, before;
	pid_t pid;
	int saved;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		child_exec(o);
	saved = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return pid;
}

/* Waits for the exec. 0, or the negative errno with which it failed. */
static int exec_result(int report)
{
	struct pollfd p = { .fd = report, .events = POLLIN };
	int code, ready;
	ssize_t n;

	do {
		ready = poll(&p, 1, EXEC_PATIENCE_MS);
	} while (ready < 0 && errno == EINTR);
	if (ready <= 0)
		return -ETIMEDOUT;
	do {
		n = read(report, &code, sizeof(code));
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	return n == (ssize_t)sizeof(code) && code < 0 ? code : -EIO;
}

static bool limits_files(const struct role *role)
{
	for (size_t i = 0; i < role->limit_count; i++)
		if (role->limits[i].resource == RLIMIT_FSIZE)
			return role->limits[i].most > 0;
	return false;
}

int child_start_limited(struct child *c, const char *role, uint64_t memory_bytes, struct err *err)
{
	int pair[2] = { -1, -1 }, report[2] = { -1, -1 };
	const struct role *line = role_find(role);
	struct order order = {
		.role = role,
		.capabilities = SANDBOX_CAPABILITIES | (line ? role_capabilities(line) : 0),
		.memory_bytes = memory_bytes,
		.makes_copies = line && limits_files(line),
		.parent = getpid(),
	};
	struct child child = { .socket = -1 };
	int r;

	*c = child;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
	    pipe2(report, O_CLOEXEC) < 0) {
		r = err_errno(err, -errno, "no socket for the %s process", role);
		goto out;
	}
	order.socket = pair[1];
	order.report = report[1];
	child.pid = fork_quietly(&order);
	if (child.pid < 0) {
		r = err_errno(err, -errno, "the %s process could not be forked", role);
		goto out;
	}
	fd_close(&report[1]);
	r = exec_result(report[0]);
	if (r < 0) {
		child_kill(&child, KILL_PATIENCE_NS, NULL);
		err_errno(err, r, "the %s process could not be started", role);
		goto out;
	}
	*c = (struct child){ .pid = child.pid, .socket = take_fd(&pair[0]) };
out:
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	fd_close(&report[0]);
	fd_close(&report[1]);
	return r;
}

int child_start(struct child *c, const char *role, struct err *err)
{
	return child_start_limited(c, role, 0, err);
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

bool child_ended(struct child *c, struct rusage *usage, int *ret_wait_status)
{
	struct rusage used = { 0 };
	int status = 0;
	pid_t pid;

	if (c->pid <= 0)
		return true;
	do {
		pid = wait4(c->pid, &status, WNOHANG, &used);
	} while (pid < 0 && errno == EINTR);
	if (pid == 0)
		return false;
	c->pid = 0;
	if (usage)
		usage_add(usage, &used);
	if (ret_wait_status)
		*ret_wait_status = status;
	return true;
}

/* Waits at most `patience_ns` for it to end by itself. */
static bool await_end(struct child *c, uint64_t patience_ns, struct rusage *usage)
{
	_cleanup_(fd_close) int pidfd = c->pid > 0 ? pidfd_open(c->pid, 0) : -1;
	uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + patience_ns;

	while (!child_ended(c, usage, NULL)) {
		struct pollfd p = { .fd = pidfd, .events = POLLIN };
		uint64_t now = clock_ns(CLOCK_MONOTONIC);
		/* Without a pidfd nobody will wake us. */
		bool blind = pidfd < 0 && deadline - now > NS_PER_MS;
		struct timespec left = clock_left(blind ? now + NS_PER_MS : deadline);

		if (now >= deadline)
			return false;
		/* One that is traced has ended for its tracer first. */
		if (ppoll(&p, 1, &left, NULL) > 0 && !child_ended(c, usage, NULL))
			fd_close(&pidfd);
	}
	return true;
}

bool child_kill(struct child *c, uint64_t patience_ns, struct rusage *usage)
{
	fd_close(&c->socket);
	/* Until it is reaped its pid is nobody else's. */
	if (c->pid > 0)
		kill(c->pid, SIGKILL);
	return await_end(c, patience_ns, usage);
}

void child_stop(struct child *c, struct rusage *usage)
{
	fd_close(&c->socket);
	if (!await_end(c, STOP_PATIENCE_NS, usage))
		child_kill(c, KILL_PATIENCE_NS, usage);
	c->pid = 0;
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
