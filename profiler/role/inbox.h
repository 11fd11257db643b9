/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames as in socket.h for who waits for many sockets at once: what has come of a frame is kept until the rest comes, and
 * nothing is waited for. One thread.
 */
#ifndef ROLE_INBOX_H
#define ROLE_INBOX_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/role/socket.h"

struct inbox {
	int socket; /* borrowed */
	struct socket_message message; /* the last one; its descriptors are the receiver's to take */
	uint8_t header[8];
	size_t header_len, received; /* of the frame that is coming */
};

void inbox_init(struct inbox *x, int socket, size_t max_bytes);
/* Not the socket. */
void inbox_release(struct inbox *x);

/*
 * 1: a message has come, and is good until the next call; 0: there is no whole one yet; else as socket_receive(), and the
 * socket is of no more use.
 */
int inbox_receive(struct inbox *x);

#endif
