// SPDX-License-Identifier: Apache-2.0
/*
 * First the header alone, by a call that brings its descriptors, then the bytes, as many calls as that takes: a call never asks for
 * more than the frame has left, so that the next one's descriptors are never taken for this one's.
 *
 * Refused: one larger buffer for many frames, which would save calls, and need to know at which byte a descriptor came.
 */
#include "profiler/role/inbox.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "profiler/base/cleanup.h"

void inbox_init(struct inbox *x, int socket, size_t max_bytes)
{
	*x = (struct inbox){ .socket = socket };
	socket_message_init(&x->message, max_bytes);
}

void inbox_release(struct inbox *x)
{
	socket_message_release(&x->message);
}

/* What one call brought. More than 0: so many bytes; 0: none are there; negative errno. */
static ssize_t outcome(ssize_t n)
{
	if (n > 0)
		return n;
	if (n == 0)
		return -EPIPE;
	if (errno == EAGAIN || errno == EINTR)
		return 0;
	return errno == ECONNRESET ? -EPIPE : -errno;
}

static ssize_t receive_header(struct inbox *x)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(SOCKET_MAX_FDS * sizeof(int))];
	struct iovec iov = { x->header + x->header_len, sizeof(x->header) - x->header_len };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = outcome(recvmsg(x->socket, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT));

	if (n <= 0)
		return n;
	x->header_len += (size_t)n;
	socket_take_descriptors(&x->message, &msg);
	/* The kernel closes what there is no room for, and says so. */
	return msg.msg_flags & MSG_CTRUNC ? -EPROTO : n;
}

static void forget(struct socket_message *m)
{
	for (uint32_t i = 0; i < SOCKET_MAX_FDS; i++)
		fd_close(&m->fds[i]);
	m->fd_count = 0;
	buffer_clear(&m->bytes);
}

/* The header has come: room for what it announces. */
static int begin_bytes(struct inbox *x)
{
	uint32_t len;

	memcpy(&len, x->header, sizeof(len));
	memcpy(&x->message.type, x->header + sizeof(len), sizeof(x->message.type));
	if (len > x->message.bytes.max)
		return -EPROTO;
	return buffer_extend(&x->message.bytes, len) || !len ? 0 : -ENOMEM;
}

static int receive(struct inbox *x)
{
	while (x->header_len < sizeof(x->header)) {
		ssize_t n;
		int r;

		/* A frame begins: the last one has been read. */
		if (!x->header_len)
			forget(&x->message);
		n = receive_header(x);
		if (n <= 0)
			return (int)n;
		r = x->header_len == sizeof(x->header) ? begin_bytes(x) : 0;
		if (r < 0)
			return r;
		x->received = 0;
	}
	while (x->received < x->message.bytes.len) {
		ssize_t n = outcome(recv(x->socket, x->message.bytes.data + x->received,
					 x->message.bytes.len - x->received, MSG_DONTWAIT));

		if (n <= 0)
			return (int)n;
		x->received += (size_t)n;
	}
	x->header_len = 0;
	return 1;
}

int inbox_receive(struct inbox *x)
{
	int r = receive(x);

	if (r < 0)
		forget(&x->message);
	return r;
}
