/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections: how many there may be, whose they are, and how long each may take over what it does. They are accepted here, and then
 * libmicrohttpd's; what is taken from it again is only the socket's ends (shutdown(2)).
 */
#ifndef WEB_CONNECTION_H
#define WEB_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <microhttpd.h>

#include "web/access.h"
#include "web/control.h"
#include "web/source.h"
#include "web/tally.h"

struct connections;

struct connection {
	LIST_ENTRY(connection) link;
	struct connections *of;
	int fd; /* libmicrohttpd's */
	struct peer peer;
	bool trusted; /* by uid */
	uint64_t late_ns; /* CLOCK_MONOTONIC: when it is cut */
	enum tally_id late; /* as what */
};

struct listener {
	struct source source;
	struct connections *of;
};

struct connections {
	const struct access *access; /* borrowed */
	struct tally *tally; /* borrowed */
	struct MHD_Daemon *daemon; /* borrowed */
	uint32_t max, untrusted;
	int asker; /* peer.h; owned, or -1 */
	struct connection *arriving; /* being handed over */
	LIST_HEAD(, connection) list;
	struct listener listeners[WEB_MAX_LISTENERS];
	uint32_t listener_count;
};

/* Takes the listening sockets, which may be such that block. 0 or negative errno. */
int connections_listen(struct connections *cs, int epoll, int *fds, uint32_t count);
void connections_release(struct connections *cs);

/* libmicrohttpd's MHD_NotifyConnectionCallback; `cls` is the connections. */
void connections_notify(void *cls, struct MHD_Connection *mhd, void **context,
			enum MHD_ConnectionNotificationCode code);

/* The one that a request came by. */
struct connection *connection_of(struct MHD_Connection *mhd);

/* The request is here, and is being thought about: it may take as long as that takes. */
void connection_is_waiting(struct connection *c);
/* The answer is being sent; it may take long if it is long. */
void connection_is_sending(struct connection *c, uint64_t bytes);
/* The answer was sent; the next request may take its time. */
void connection_is_idle(struct connection *c);

/* Cuts who is late. Returns when to be called next (CLOCK_MONOTONIC), or UINT64_MAX. */
uint64_t connections_run(struct connections *cs, uint64_t now_ns);

#endif
