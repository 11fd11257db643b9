// SPDX-License-Identifier: Apache-2.0
/*
 * Addresses are numbers: a name would be looked up by libraries that read configuration and talk to
 * the network, as root.
 *
 * A unix socket that a killed server left behind is in the way of the next one: it is removed if it
 * is a socket that nobody listens on. The web process of one that was killed this moment listens
 * until it has been ended, too, some milliseconds later: an address in use is tried again for a
 * while. SO_REUSEPORT was refused: a second server would take every other connection of the first.
 */
#include "profiler/server/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/number.h"

#define BACKLOG 1024
#define FIRST_INHERITED 3
#define UNIX_PREFIX "unix:"
#define UNIX_MODE 0660
#define IN_USE_NS (300 * NS_PER_MS)
#define AGAIN_NS (10 * NS_PER_MS)

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_storage storage;
};

/* ---- what is written ---- */

static int unix_parse(const char *path, union address *ret, socklen_t *ret_len)
{
	size_t len = strlen(path);

	if (path[0] != '/' || len >= sizeof(ret->un.sun_path))
		return -EINVAL;
	ret->un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret->un.sun_path, path, len + 1);
	*ret_len = sizeof(ret->un);
	return 0;
}

static int tcp_parse(const char *where, union address *ret, socklen_t *ret_len)
{
	const char *colon = strrchr(where, ':');
	size_t len = colon ? (size_t)(colon - where) : 0;
	char host[INET6_ADDRSTRLEN + 2] = "";
	uint64_t port;

	if (!len || len >= sizeof(host) || number_parse(colon + 1, strlen(colon + 1), 65535, &port))
		return -EINVAL;
	memcpy(host, where, len);
	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		ret->in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
						  .sin6_port = htons((uint16_t)port) };
		*ret_len = sizeof(ret->in6);
		return inet_pton(AF_INET6, host + 1, &ret->in6.sin6_addr) == 1 ? 0 : -EINVAL;
	}
	ret->in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	*ret_len = sizeof(ret->in);
	return inet_pton(AF_INET, host, &ret->in.sin_addr) == 1 ? 0 : -EINVAL;
}

static int parse(const char *where, union address *ret, socklen_t *ret_len, struct err *err)
{
	bool local = strncmp(where, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0;
	int r;

	memset(ret, 0, sizeof(*ret));
	r = local ? unix_parse(where + strlen(UNIX_PREFIX), ret, ret_len)
		  : tcp_parse(where, ret, ret_len);
	return r < 0 ? err_set(err, r,
			       "\"%s\" is no place to listen: one is 127.0.0.1:7799, [::1]:7799 or "
			       "unix:/PATH",
			       where)
		     : 0;
}

int listener_check(const char *where, struct err *err)
{
	union address address;
	socklen_t len = 0;

	return parse(where, &address, &len, err);
}

/* ---- and what it is ---- */

static int name_of(struct listener *l)
{
	union address a = { .any = { .sa_family = AF_UNSPEC } };
	char host[INET6_ADDRSTRLEN] = "";
	socklen_t len = sizeof(a);
	int n;

	if (getsockname(l->fd, &a.any, &len) < 0)
		return -errno;
	l->tcp = a.any.sa_family != AF_UNIX;
	switch (a.any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &a.in.sin_addr, host, sizeof(host));
		n = snprintf(l->name, sizeof(l->name), "%s:%u", host, ntohs(a.in.sin_port));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &a.in6.sin6_addr, host, sizeof(host));
		n = snprintf(l->name, sizeof(l->name), "[%s]:%u", host, ntohs(a.in6.sin6_port));
		break;
	case AF_UNIX:
		n = snprintf(l->name, sizeof(l->name), UNIX_PREFIX "%.*s",
			     (int)sizeof(a.un.sun_path) - 1, a.un.sun_path);
		break;
	default:
		return -EAFNOSUPPORT;
	}
	return n < 0 || (size_t)n >= sizeof(l->name) ? -ENAMETOOLONG : 0;
}

/* ---- opening ---- */

/* Removes a socket that nobody listens on. */
static void stale_remove(const union address *a, socklen_t len)
{
	_cleanup_(fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (fd >= 0 && lstat(a->un.sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
	    connect(fd, &a->any, len) < 0 && errno == ECONNREFUSED)
		unlink(a->un.sun_path);
}

/* Nobody gets in before its mode is right: it listens afterwards. */
static int unix_bind(int fd, const union address *a, socklen_t len, gid_t group)
{
	mode_t before = umask(0177);
	int r = bind(fd, &a->any, len) < 0 ? -errno : 0;

	umask(before);
	if (r == 0 && group != (gid_t)-1 && lchown(a->un.sun_path, (uid_t)-1, group) < 0)
		r = -errno;
	if (r == 0 && chmod(a->un.sun_path, UNIX_MODE) < 0)
		r = -errno;
	return r;
}

static int tcp_bind(int fd, const union address *a, socklen_t len)
{
	const int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	/* [::] is not also 0.0.0.0: what is listened on is what was said. */
	if (a->any.sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
		return -errno;
	return bind(fd, &a->any, len) < 0 ? -errno : 0;
}

static int bind_once(int fd, const union address *a, socklen_t len, gid_t group)
{
	if (a->any.sa_family != AF_UNIX)
		return tcp_bind(fd, a, len);
	stale_remove(a, len);
	return unix_bind(fd, a, len, group);
}

static int bind_patiently(int fd, const union address *a, socklen_t len, gid_t group)
{
	uint64_t until_ns = clock_ns(CLOCK_MONOTONIC) + IN_USE_NS;
	const struct timespec pause = { .tv_nsec = AGAIN_NS };
	int r;

	while ((r = bind_once(fd, a, len, group)) == -EADDRINUSE &&
	       clock_ns(CLOCK_MONOTONIC) < until_ns)
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	return r;
}

static int open_at(struct listener *l, const union address *a, socklen_t len, gid_t group)
{
	int r;

	l->fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return -errno;
	r = bind_patiently(l->fd, a, len, group);
	l->made = a->any.sa_family == AF_UNIX && r == 0;
	if (r == 0 && listen(l->fd, BACKLOG) < 0)
		r = -errno;
	return r < 0 ? r : name_of(l);
}

static void listener_release(struct listener *l)
{
	if (l->made)
		unlink(l->name + strlen(UNIX_PREFIX));
	fd_close(&l->fd);
}

int listeners_open(struct listeners *l, const char *where, gid_t group, struct err *err)
{
	struct listener one = { .fd = -1 };
	union address address;
	socklen_t len = 0;
	int r;

	r = parse(where, &address, &len, err);
	if (r < 0)
		return r;
	if (l->count == LISTENER_MAX)
		return err_set(err, -E2BIG, "cannot listen on \"%s\", too: %u places are possible",
			       where, LISTENER_MAX);
	r = open_at(&one, &address, len, group);
	if (r < 0) {
		listener_release(&one);
		return err_errno(err, r, "cannot listen on \"%s\"", where);
	}
	l->items[l->count++] = one;
	return 0;
}

static int inherit(struct listeners *l, int fd, struct err *err)
{
	struct listener one = { .fd = fd };
	int listens = 0, type = 0, r;
	socklen_t len = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 || !listens)
		return err_set(err, -EINVAL,
			       "descriptor %d of LISTEN_FDS is no stream socket that listens", fd);
	if (l->count == LISTENER_MAX)
		return err_set(err, -E2BIG, "LISTEN_FDS has too many sockets: %u are possible",
			       LISTENER_MAX);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return err_errno(err, -errno, "descriptor %d of LISTEN_FDS", fd);
	r = name_of(&one);
	if (r < 0)
		return err_errno(err, r, "descriptor %d of LISTEN_FDS", fd);
	l->items[l->count++] = one;
	return 0;
}

int listeners_inherit(struct listeners *l, struct err *err)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t whose, count;
	int r = 0;

	if (!pid || !fds || number_parse(pid, strlen(pid), INT32_MAX, &whose) < 0 ||
	    whose != (uint64_t)getpid())
		return 0;
	if (number_parse(fds, strlen(fds), 1024, &count) < 0)
		return err_set(err, -EINVAL, "LISTEN_FDS \"%s\" is not a number", fds);
	for (int i = 0; r == 0 && i < (int)count; i++)
		r = inherit(l, FIRST_INHERITED + i, err);
	return r < 0 ? r : (int)count;
}

void listeners_release(struct listeners *l)
{
	for (uint32_t i = 0; i < l->count; i++)
		listener_release(&l->items[i]);
	l->count = 0;
}
