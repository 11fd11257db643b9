// SPDX-License-Identifier: Apache-2.0
/*
 * The confined processes are the test itself, run with a role's name as argv[1]. Each receives four descriptors, tries
 * everything in a table and sends back what the kernel said; then it waits to be looked at from outside.
 */
#include "tests/unit/role_confined.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/clock.h"
#include "profiler/role/sandbox.h"
#include "profiler/role/socket.h"
#include "profiler/role/supervisor.h"
#include "tests/unit/role_attempts.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- roles that exist only here ---- */

static const struct role_call leaky_calls[] = {
	{ .name = "sendto" },     { .name = "sendmsg" },     { .name = "recvmsg" },
	{ .name = "recvfrom" },   { .name = "ppoll" },       { .name = "brk" },
	{ .name = "mmap" },       { .name = "munmap" },      { .name = "close" },
	{ .name = "exit_group" }, { .name = "open" },        { .name = "kill" },
	{ .name = "ptrace" },     { .name = "setuid" },      { .name = "setgroups" },
	{ .name = "chroot" },     { .name = "mount" },       { .name = "fork" },
	{ .name = "getrandom" },  { .name = "madvise" },     { .name = "futex" },
	{ .name = "write" },      { .name = "sched_yield" }, { .name = "getpid" },
};

static const struct role_calls leaky_groups[] = {
	{ .calls = leaky_calls, .count = COUNT(leaky_calls) },
};

static const struct role_capability kept[] = {
	{ .number = CAP_NET_BIND_SERVICE },
	{ .number = CAP_SYSLOG },
};

static const struct role_limit leaky_limits[] = { { RLIMIT_NPROC, "RLIMIT_NPROC", 0 } };

#define LEAKY                                                                               \
	.limits = leaky_limits, .limit_count = COUNT(leaky_limits), .groups = leaky_groups, \
	.group_count = COUNT(leaky_groups)

static const struct role own_roles[] = {
	{ .name = "leaky", .user = "slowburn-nobody-is-called-that", .fallback_id = 65530, LEAKY },
	{ .name = "daemon", .user = "daemon", .fallback_id = 65530, LEAKY },
	{ .name = "root", .user = "root", .fallback_id = 65530, LEAKY },
	{ .name = "keeper",
	  .user = "slowburn-nobody-is-called-that",
	  .fallback_id = 65530,
	  .capabilities = kept,
	  .capability_count = COUNT(kept),
	  LEAKY },
};

static const struct role *role_of(const char *name)
{
	for (size_t i = 0; i < COUNT(own_roles); i++)
		if (strcmp(own_roles[i].name, name) == 0)
			return &own_roles[i];
	return role_find(name);
}

/* ---- the confined process ---- */

static int confine(const char *name, struct err *err)
{
	const struct role *role = role_of(name);

	return role->crew ? supervisor_confine(name, err) : sandbox_enter(role, err);
}

int confined_main(const char *name)
{
	struct buffer text = BUFFER_INIT(1 << 16);
	struct socket_message m;
	struct err err;

	attempts_aim(getppid());
	if (child_enter() < 0)
		return 77;
	socket_message_init(&m, 16);
	if (confine(name, &err) < 0)
		buffer_printf(&text, "%s", err.text);
	else if (socket_receive(ROLE_CHILD_SOCKET, &m, UINT64_MAX) == 0 &&
		 m.fd_count == ATTEMPT_FDS) {
		attempts_hand(m.fds);
		attempts_compose(name, &text, false);
	}
	if (socket_send(ROLE_CHILD_SOCKET, 1, text.data, text.len, NULL, 0, UINT64_MAX) < 0)
		return 1;
	/* Also when the socket has ended: it is killed, or the test fails. */
	ppoll(NULL, 0, &(struct timespec){ .tv_sec = 10 }, NULL);
	return 1;
}

/* ---- the test's side ---- */

void need_root(void)
{
	if (geteuid() != 0)
		skip();
}

void confined_start(struct child *c, const char *role)
{
	struct err err = { .text = "" };

	child_start(c, role, &err);
	assert_string_equal(err.text, "");
}

void confined_stop(struct child *c)
{
	assert_true(child_kill(c, 5 * NS_PER_S, NULL));
}

void confined_hear(const struct child *c, struct buffer *ret_text)
{
	uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + 20 * NS_PER_S;
	struct socket_message m;
	int handed[ATTEMPT_FDS], pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	handed[READABLE] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	handed[WRITABLE] = memfd_create("writable", MFD_CLOEXEC);
	handed[KALLSYMS] = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	handed[SOCKET] = pair[0];
	socket_message_init(&m, 1 << 16);
	assert_int_equal(socket_send(c->socket, 1, "", 0, handed, ATTEMPT_FDS, deadline), 0);
	assert_int_equal(socket_receive(c->socket, &m, deadline), 0);
	buffer_append(ret_text, m.bytes.data, m.bytes.len);
	buffer_append(ret_text, "", 1);
	assert_int_equal(buffer_error(ret_text), 0);
	socket_message_release(&m);
	for (int i = 0; i < ATTEMPT_FDS; i++)
		close(handed[i]);
	close(pair[1]);
}

void confined_enter(struct child *c, const char *role)
{
	struct buffer text = BUFFER_INIT(1 << 16);

	confined_start(c, role);
	confined_hear(c, &text);
	assert_string_equal(text.data, ""); /* else why it could not be confined */
	buffer_release(&text);
}

void confined_expect(const struct child *c, const char *role)
{
	struct buffer got = BUFFER_INIT(1 << 16), want = BUFFER_INIT(1 << 16);

	confined_hear(c, &got);
	attempts_compose(role, &want, true);
	buffer_append(&want, "", 1);
	assert_string_equal(got.data, want.data);
	buffer_release(&got);
	buffer_release(&want);
}

void confined_line(int pid, const char *file, const char *name, char *ret, size_t size)
{
	char path[64], line[256], *rest = line, *word;
	size_t len = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	f = fopen(path, "re");
	assert_non_null(f);
	do {
		assert_non_null(fgets(line, sizeof(line), f));
	} while (strncmp(line, name, strlen(name)) != 0);
	fclose(f);
	ret[0] = '\0';
	while ((word = strsep(&rest, " \t\n")))
		if (*word && len < size)
			len += (size_t)snprintf(ret + len, size - len, "%s%s", len ? " " : "",
						word);
}

void confined_expect_line(const struct child *c, const char *file, const char *name,
			  const char *want)
{
	char line[512];

	confined_line(c->pid, file, name, line, sizeof(line));
	assert_string_equal(line, want);
}

void apart(int (*f)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		setenv("CMOCKA_TEST_ABORT", "1", 1); /* rather than going on with the next test */
		_exit(f());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}
