/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Framed messages with file descriptors over a stream socket pair between our own processes.
 *
 *	u32 len, u32 type, len bytes; descriptors travel with the first byte
 *
 * Either side may be compromised: lengths are bounded by the receiver, surplus descriptors are
 * closed, and nothing waits longer than its deadline.
 */
#ifndef ROLE_SOCKET_H
#define ROLE_SOCKET_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buffer.h"

#define SOCKET_MAX_FDS 4

struct socket_message {
	uint32_t type;
	int fds[SOCKET_MAX_FDS]; /* owned by the receiver; -1 where there is none */
	uint32_t fd_count;
	struct buffer bytes; /* its max bounds what is accepted */
};

void socket_message_init(struct socket_message *m, size_t max_bytes);
/* Closes descriptors, frees bytes. */
void socket_message_release(struct socket_message *m);

/*
 * `deadline_ns`: CLOCK_MONOTONIC, or UINT64_MAX. Both: 0, -ETIMEDOUT, -EPIPE (the other end is
 * gone), -EPROTO (not a frame, or too long), -ENOMEM or another negative errno; after any failure
 * the socket is of no more use.
 */
int socket_send(int socket, uint32_t type, const void *bytes, size_t len, const int *fds,
		uint32_t fd_count, uint64_t deadline_ns);
int socket_receive(int socket, struct socket_message *ret, uint64_t deadline_ns);

struct msghdr;

/* Takes over every descriptor in `msg`. Those that don't fit in the message are closed. */
void socket_take_descriptors(struct socket_message *m, struct msghdr *msg);

#endif
