/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service tells systemd, by the datagrams of sd_notify(3). Without $NOTIFY_SOCKET nothing is
 * told, and nothing fails.
 */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

#include <stdint.h>

#include "profiler/base/err.h"

struct notify {
	int socket; /* connected; -1: nobody wants to know */
	uint64_t watchdog_ns; /* a sign of life is expected this often; 0: none */
};

#define NOTIFY_INIT           \
	{                     \
		.socket = -1, \
	}

/*
 * From $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID. The socket is opened now, as later there
 * is no right to. 0, or negative errno and a sentence: then `n` is as NOTIFY_INIT.
 */
int notify_open(struct notify *n, struct err *err);
void notify_release(struct notify *n);

/* "READY=1", "STATUS=…": lines. Doesn't wait: what the socket has no room for is lost. */
__attribute__((format(printf, 2, 3))) void notify_send(const struct notify *n, const char *fmt,
						       ...);

#endif
