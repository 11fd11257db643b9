// SPDX-License-Identifier: Apache-2.0
#include "profiler/server/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void test_what_can_be_listened_on(void **state)
{
	static const struct {
		const char *where;
		int want;
	} rows[] = {
		{ "127.0.0.1:7799", 0 },
		{ "0.0.0.0:65535", 0 },
		{ "[::1]:0", 0 },
		{ "[fe80::1234:5678:9abc:def0]:80", 0 },
		{ "unix:/run/x", 0 },
		{ "", -EINVAL },
		{ ":7799", -EINVAL },
		{ "7799", -EINVAL },
		{ "localhost:7799", -EINVAL },
		{ "127.0.0.1", -EINVAL },
		{ "127.0.0.1:", -EINVAL },
		{ "127.0.0.1:65536", -EINVAL },
		{ "127.0.0.1:-1", -EINVAL },
		{ "127.0.0.1:80x", -EINVAL },
		{ "127.0.1:80", -EINVAL },
		{ "::1:80", -EINVAL },
		{ "[::1]80", -EINVAL },
		{ "[::1:80", -EINVAL },
		{ "[]:80", -EINVAL },
		{ "[127.0.0.1]:80", -EINVAL },
		{ "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80", -EINVAL },
		{ "unix:", -EINVAL },
		{ "unix:relative", -EINVAL },
		{ "unix:/12345678901234567890123456789012345678901234567890123456789012345678901234"
		  "5678901234567890123456789012345678",
		  -EINVAL },
	};
	struct err err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (listener_check(rows[i].where, &err) != rows[i].want)
			fail_msg("\"%s\": %d is wanted", rows[i].where, rows[i].want);
}

static void test_addresses(void **state)
{
	struct listeners l = { 0 };
	struct err err;
	int one = 0;
	socklen_t len = sizeof(one);

	assert_int_equal(listeners_open(&l, "127.0.0.1:0", (gid_t)-1, &err), 0);
	assert_true(l.items[0].tcp);
	assert_int_equal(strncmp(l.items[0].name, "127.0.0.1:", 10), 0);
	assert_int_not_equal(strcmp(l.items[0].name, "127.0.0.1:0"), 0);
	assert_int_equal(getsockopt(l.items[0].fd, SOL_SOCKET, SO_ACCEPTCONN, &one, &len), 0);
	assert_int_equal(one, 1);
	/* It is ours alone. */
	assert_int_equal(listeners_open(&l, l.items[0].name, (gid_t)-1, &err), -EADDRINUSE);
	assert_int_equal(l.count, 1);
	listeners_release(&l);
	assert_int_equal(l.count, 0);
}

/* What a server that was killed leaves behind is a process that listens, for a moment yet. */
static void test_ending(void **state)
{
	char where[LISTENER_NAME_BYTES];
	struct listeners l = { 0 };
	struct err err;
	pid_t pid;

	assert_int_equal(listeners_open(&l, "127.0.0.1:0", (gid_t)-1, &err), 0);
	memcpy(where, l.items[0].name, sizeof(where));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		usleep(100000);
		_exit(0);
	}
	listeners_release(&l);
	assert_int_equal(listeners_open(&l, where, (gid_t)-1, &err), 0);
	listeners_release(&l);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_too_many(void **state)
{
	struct listeners l = { 0 };
	struct err err;

	for (uint32_t i = 0; i < LISTENER_MAX; i++)
		assert_int_equal(listeners_open(&l, "127.0.0.1:0", (gid_t)-1, &err), 0);
	assert_int_equal(listeners_open(&l, "127.0.0.1:0", (gid_t)-1, &err), -E2BIG);
	listeners_release(&l);
}

static void test_unix(void **state)
{
	char folder[] = "/tmp/slowburn-listener-XXXXXX", where[64], *path = where + 5;
	struct listeners l = { 0 }, second = { 0 };
	struct err err;
	struct stat st;
	int fd;

	assert_non_null(mkdtemp(folder));
	snprintf(where, sizeof(where), "unix:%s/http", folder);
	assert_int_equal(listeners_open(&l, where, getegid(), &err), 0);
	assert_string_equal(l.items[0].name, where);
	assert_false(l.items[0].tcp);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	/* One that is listened on is in nobody's way but the second's. */
	assert_int_equal(listeners_open(&second, where, (gid_t)-1, &err), -EADDRINUSE);
	assert_int_equal(stat(path, &st), 0);
	/* What a server that was killed left behind is. */
	close(l.items[0].fd);
	l.count = 0;
	assert_int_equal(listeners_open(&l, where, (gid_t)-1, &err), 0);
	listeners_release(&l);
	assert_int_equal(stat(path, &st), -1);
	/* And what is no socket stays. */
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(listeners_open(&l, where, (gid_t)-1, &err), -EADDRINUSE);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

/* In a child, whose descriptors 3 and 4 are systemd's. Its exit status: what came of it. */
static int inherit(int first, int second, const char *count)
{
	struct listeners l = { 0 };
	struct err err = { "" };
	char pid[16];
	int status;
	pid_t child = fork();

	if (child == 0) {
		int a = fcntl(first, F_DUPFD, 10), b = fcntl(second, F_DUPFD, 10);

		dup2(a, 3);
		dup2(b, 4);
		snprintf(pid, sizeof(pid), "%d", (int)getpid());
		setenv("LISTEN_PID", pid, 1);
		setenv("LISTEN_FDS", count, 1);
		status = listeners_inherit(&l, &err);
		_exit(status < 0 ? 100 + -status : (int)l.count);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WEXITSTATUS(status);
}

static void test_inherited(void **state)
{
	struct listeners l = { 0 };
	int datagram = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct err err;

	assert_int_equal(listeners_inherit(&l, &err), 0);
	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "1", 1);
	assert_int_equal(listeners_inherit(&l, &err), 0); /* somebody else's */
	assert_int_equal(listeners_open(&l, "127.0.0.1:0", (gid_t)-1, &err), 0);
	assert_int_equal(listeners_open(&l, "[::1]:0", (gid_t)-1, &err), 0);
	assert_int_equal(inherit(l.items[0].fd, l.items[1].fd, "0"), 0);
	assert_int_equal(inherit(l.items[0].fd, l.items[1].fd, "1"), 1);
	assert_int_equal(inherit(l.items[0].fd, l.items[1].fd, "2"), 2);
	assert_int_equal(inherit(l.items[0].fd, l.items[1].fd, "x"), 100 + EINVAL);
	assert_int_equal(inherit(l.items[0].fd, datagram, "2"), 100 + EINVAL);
	listeners_release(&l);
	close(datagram);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_can_be_listened_on),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_ending),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_inherited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
