// SPDX-License-Identifier: Apache-2.0
/*
 * A datagram of lines to a unix socket, by its path or, after "@", its abstract name. libsystemd
 * was refused: it is a library in a privileged process, and this is what it would do.
 */
#include "profiler/server/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/number.h"

#define MAX_TEXT_BYTES 512
#define NS_PER_US 1000ULL

static int connect_to(const char *path, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	_cleanup_(fd_close) int fd = -1;

	if ((path[0] != '/' && path[0] != '@') || !path[1] || len >= sizeof(address.sun_path))
		return err_set(err, -EINVAL, "NOTIFY_SOCKET \"%s\" is not the name of a socket",
			       path);
	memcpy(address.sun_path, path, len);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		return err_errno(err, -errno, "cannot reach NOTIFY_SOCKET \"%s\"", path);
	return take_fd(&fd);
}

static uint64_t watchdog_find(void)
{
	const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t interval, whose;

	if (!us || number_parse(us, strlen(us), UINT64_MAX / NS_PER_US, &interval) < 0)
		return 0;
	if (pid &&
	    (number_parse(pid, strlen(pid), INT32_MAX, &whose) < 0 || whose != (uint64_t)getpid()))
		return 0;
	return interval * NS_PER_US;
}

int notify_open(struct notify *n, struct err *err)
{
	const char *path = getenv("NOTIFY_SOCKET");
	int fd;

	*n = (struct notify)NOTIFY_INIT;
	if (!path)
		return 0;
	fd = connect_to(path, err);
	if (fd < 0)
		return fd;
	n->socket = fd;
	n->watchdog_ns = watchdog_find();
	return 0;
}

void notify_release(struct notify *n)
{
	fd_close(&n->socket);
}

void notify_send(const struct notify *n, const char *fmt, ...)
{
	char text[MAX_TEXT_BYTES];
	va_list args;
	int len;

	if (n->socket < 0)
		return;
	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (len >= 0 && (size_t)len < sizeof(text))
		(void)send(n->socket, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
}
