// SPDX-License-Identifier: Apache-2.0
/*
 * libmicrohttpd's own time-out is about silence: a client that sends a byte now and then has all the time in the world. So each
 * connection has a moment at which what it does must be done: 10 s for a request's header, a minute for the next request, and an answer's size for
 * taking it. Who is late gets its socket shut down, which libmicrohttpd then sees as its end.
 *
 * Refused: limits by address alone. All of a machine's users have the same one, and one of them must not lock out root.
 */
#include "web/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"

#define HEADER_NS (10 * NS_PER_S)
#define IDLE_NS (60 * NS_PER_S)
#define SENDING_NS (30 * NS_PER_S)
#define SENDING_LEAST_BYTES_PER_S (64u << 10)
#define LOOK_NS NS_PER_S /* how often it is looked who is late */
#define ACCEPTED_AT_ONCE 16

struct connection *connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static void expect(struct connection *c, uint64_t in_ns, enum tally_id late)
{
	c->late_ns = clock_ns(CLOCK_MONOTONIC) + in_ns;
	c->late = late;
}

void connection_is_waiting(struct connection *c)
{
	c->late_ns = UINT64_MAX;
}

void connection_is_sending(struct connection *c, uint64_t bytes)
{
	expect(c, SENDING_NS + bytes / SENDING_LEAST_BYTES_PER_S * NS_PER_S, TALLY_CUT_SLOW_ANSWER);
}

void connection_is_idle(struct connection *c)
{
	expect(c, IDLE_NS, TALLY_CUT_SLOW_REQUEST);
}

void connections_notify(void *cls, struct MHD_Connection *mhd, void **context,
			enum MHD_ConnectionNotificationCode code)
{
	struct connections *cs = cls;
	struct connection *c;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = take_ptr(cs->arriving);
		return;
	}
	c = take_ptr(*context);
	if (!c)
		return;
	LIST_REMOVE(c, link);
	cs->tally->connections--;
	if (!c->trusted)
		cs->untrusted--;
	free(c);
}

/* How many does this client have? */
static uint32_t count_of(const struct connections *cs, const struct peer *peer)
{
	const struct connection *c;
	uint32_t n = 0;

	LIST_FOREACH(c, &cs->list, link)
	n += peer_equal(&c->peer, peer);
	return n;
}

/* Is there room for one more of this kind? Those without authority have half of it, and each of them a quarter. */
static bool has_room(struct connections *cs, const struct peer *peer, bool trusted)
{
	enum tally_id reason = TALLY_REFUSED_FULL;
	bool room = cs->tally->connections < cs->max;

	if (room && !trusted) {
		room = cs->untrusted < cs->max / 2;
		if (room && count_of(cs, peer) >= cs->max / 4) {
			room = false;
			reason = TALLY_REFUSED_PEER;
		}
	}
	if (!room)
		cs->tally->count[reason]++;
	return room;
}

static struct connection *connection_new(struct connections *cs, int fd, const struct peer *peer,
					 bool trusted)
{
	struct connection *c = malloc(sizeof(*c));

	if (!c) {
		cs->tally->count[TALLY_REFUSED_FAILED]++;
		return NULL;
	}
	*c = (struct connection){ .of = cs, .fd = fd, .peer = *peer, .trusted = trusted };
	expect(c, HEADER_NS, TALLY_CUT_SLOW_REQUEST);
	LIST_INSERT_HEAD(&cs->list, c, link);
	cs->tally->connections++;
	cs->untrusted += !trusted;
	return c;
}

/* Takes the socket. */
static void hand_over(struct connections *cs, int fd, const struct sockaddr_storage *address,
		      socklen_t len)
{
	struct peer peer;
	bool trusted;

	peer_identify(cs->asker, fd, &peer);
	trusted = access_by_uid(cs->access, &peer);
	cs->arriving = has_room(cs, &peer, trusted) ? connection_new(cs, fd, &peer, trusted) : NULL;
	if (!cs->arriving) {
		close(fd);
		return;
	}
	if (MHD_add_connection(cs->daemon, fd, (const struct sockaddr *)address, len) == MHD_YES) {
		cs->tally->count[TALLY_CONNECTIONS]++;
		return;
	}
	/* It has closed the socket, and may never have said that it had begun. */
	cs->tally->count[TALLY_REFUSED_FAILED]++;
	if (cs->arriving)
		connections_notify(cs, NULL, (void **)&cs->arriving, MHD_CONNECTION_NOTIFY_CLOSED);
}

static void accept_some(struct source *source, uint32_t events)
{
	struct listener *l =
		(struct listener *)((char *)source - offsetof(struct listener, source));

	(void)events;
	for (int i = 0; i < ACCEPTED_AT_ONCE; i++) {
		struct sockaddr_storage address = { 0 };
		socklen_t len = sizeof(address);
		int fd = accept4(source->fd, (struct sockaddr *)&address, &len,
				 SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			return;
		hand_over(l->of, fd, &address, len);
	}
}

static int listen_on(struct connections *cs, int epoll, int *fd)
{
	struct listener *l = &cs->listeners[cs->listener_count];
	int flags = fcntl(*fd, F_GETFL), r;

	if (flags < 0 || fcntl(*fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	l->of = cs;
	r = source_add(&l->source, epoll, *fd, EPOLLIN, accept_some);
	if (r < 0)
		return r;
	take_fd(fd);
	cs->listener_count++;
	return 0;
}

int connections_listen(struct connections *cs, int epoll, int *fds, uint32_t count)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < count; i++)
		r = listen_on(cs, epoll, &fds[i]);
	return r;
}

void connections_release(struct connections *cs)
{
	for (uint32_t i = 0; i < cs->listener_count; i++) {
		int fd = cs->listeners[i].source.fd;

		source_remove(&cs->listeners[i].source);
		fd_close(&fd);
	}
	cs->listener_count = 0;
	fd_close(&cs->asker);
}

uint64_t connections_run(struct connections *cs, uint64_t now_ns)
{
	struct connection *c;

	LIST_FOREACH(c, &cs->list, link)
	{
		if (c->late_ns > now_ns)
			continue;
		cs->tally->count[c->late]++;
		c->late_ns = UINT64_MAX;
		shutdown(c->fd, SHUT_RDWR);
	}
	return LIST_EMPTY(&cs->list) ? UINT64_MAX : now_ns + LOOK_NS;
}
