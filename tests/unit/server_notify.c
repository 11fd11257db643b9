// SPDX-License-Identifier: Apache-2.0
#include "profiler/server/notify.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/cleanup.h"

/* What systemd has: a socket by its path, or its abstract name. */
static int listen_at(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t len = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(a.sun_path, name, len);
	if (name[0] == '@')
		a.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&a,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
			 0);
	return fd;
}

static void expect(int fd, const char *want)
{
	char text[512];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	assert_true(n >= 0);
	text[n] = '\0';
	assert_string_equal(text, want);
}

static void tell_and_hear(const char *name)
{
	_cleanup_(fd_close) int fd = listen_at(name);
	struct notify n;
	struct err err;
	char byte;

	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(notify_open(&n, &err), 0);
	notify_send(&n, "READY=1");
	expect(fd, "READY=1");
	notify_send(&n, "STATUS=%d windows", 42);
	expect(fd, "STATUS=42 windows");
	/* Nobody reads: nothing waits. */
	for (int i = 0; i < 100000; i++)
		notify_send(&n, "WATCHDOG=1");
	expect(fd, "WATCHDOG=1");
	/* What can't be whole is not sent. */
	while (recv(fd, &byte, 1, MSG_DONTWAIT) >= 0)
		;
	notify_send(&n, "STATUS=%01000d", 1);
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	notify_release(&n);
	assert_int_equal(n.socket, -1);
	notify_send(&n, "READY=1");
}

static void test_path(void **state)
{
	char folder[] = "/tmp/slowburn-notify-XXXXXX", name[64];

	assert_non_null(mkdtemp(folder));
	snprintf(name, sizeof(name), "%s/notify", folder);
	tell_and_hear(name);
	unlink(name);
	rmdir(folder);
}

static void test_abstract(void **state)
{
	char name[64];

	snprintf(name, sizeof(name), "@slowburn-notify-%d", (int)getpid());
	tell_and_hear(name);
}

static void test_nobody(void **state)
{
	struct notify n;
	struct err err;

	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(notify_open(&n, &err), 0);
	assert_int_equal(n.socket, -1);
	assert_int_equal(n.watchdog_ns, 0);
}

static void test_wrong(void **state)
{
	static const struct {
		const char *name;
		int want;
	} rows[] = {
		{ "", -EINVAL },
		{ "/", -EINVAL },
		{ "@", -EINVAL },
		{ "relative", -EINVAL },
		{ "vsock:2:1234", -EINVAL },
		{ "/nonexistent/notify", -ENOENT },
		{ "@slowburn-nobody-is-there", -ECONNREFUSED },
	};
	char name[200];
	struct notify n;
	struct err err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		setenv("NOTIFY_SOCKET", rows[i].name, 1);
		assert_int_equal(notify_open(&n, &err), rows[i].want);
		assert_int_equal(n.socket, -1);
		assert_non_null(strstr(err.text, "NOTIFY_SOCKET \""));
	}
	memset(name, 'x', sizeof(name) - 1);
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(notify_open(&n, &err), -EINVAL);
}

static void test_watchdog(void **state)
{
	char own[16], name[64];
	const struct {
		const char *us, *pid;
		uint64_t want_ns;
	} rows[] = {
		{ "30000000", NULL, 30000000000ULL },
		{ "30000000", own, 30000000000ULL },
		{ "30000000", "1", 0 },
		{ "30000000", "x", 0 },
		{ "", NULL, 0 },
		{ "-1", NULL, 0 },
		{ "18446744073709551615", NULL, 0 },
		{ NULL, NULL, 0 },
	};

	snprintf(own, sizeof(own), "%d", (int)getpid());
	snprintf(name, sizeof(name), "@slowburn-watchdog-%d", (int)getpid());
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(fd_close) int fd = listen_at(name);
		struct notify n;
		struct err err;

		unsetenv("WATCHDOG_USEC");
		unsetenv("WATCHDOG_PID");
		if (rows[i].us)
			setenv("WATCHDOG_USEC", rows[i].us, 1);
		if (rows[i].pid)
			setenv("WATCHDOG_PID", rows[i].pid, 1);
		setenv("NOTIFY_SOCKET", name, 1);
		assert_int_equal(notify_open(&n, &err), 0);
		assert_int_equal(n.watchdog_ns, rows[i].want_ns);
		notify_release(&n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path),     cmocka_unit_test(test_abstract),
		cmocka_unit_test(test_nobody),   cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_watchdog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
