// SPDX-License-Identifier: Apache-2.0
/*
 * Frames over a stream socket pair. Every call is non-blocking and followed by poll() until the
 * deadline, so that a peer which stops in the middle of a frame, or always has one more byte for us,
 * costs its time and no more.
 *
 * The header and the beginning of a frame's bytes are sent by one call: with two, who waits for the frame is
 * woken by the first and has to wait again.
 *
 * Refused: SOCK_SEQPACKET, which would keep the borders of messages for us, because it must hold a
 * message in one piece in the socket's buffer (212 kB by default; replies are megabytes). A call that receives
 * header and bytes, which may bring the next frame's, too.
 */
#include "profiler/role/socket.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"

struct frame_header {
	uint32_t len, type;
};

_Static_assert(sizeof(struct frame_header) == 8, "the frame's header has no padding");

void socket_message_init(struct socket_message *m, size_t max_bytes)
{
	*m = (struct socket_message){ 0 };
	for (uint32_t i = 0; i < SOCKET_MAX_FDS; i++)
		m->fds[i] = -1;
	buffer_init(&m->bytes, max_bytes);
}

/* Closes what came with the last frame; keeps the memory of its bytes. */
static void message_clear(struct socket_message *m)
{
	for (uint32_t i = 0; i < SOCKET_MAX_FDS; i++)
		fd_close(&m->fds[i]);
	m->fd_count = 0;
	m->type = 0;
	buffer_clear(&m->bytes);
}

void socket_message_release(struct socket_message *m)
{
	message_clear(m);
	buffer_release(&m->bytes);
}

/* Waits until the socket can be read or written, or has failed. 0, -ETIMEDOUT or negative errno. */
static int wait_for(int socket, short events, uint64_t deadline_ns)
{
	for (;;) {
		struct pollfd p = { .fd = socket, .events = events };
		struct timespec left = clock_left(deadline_ns);
		/* Looked at once also when it is late: we may have been stopped, and the answer be there. */
		int n = ppoll(&p, 1, deadline_ns == UINT64_MAX ? NULL : &left, NULL);

		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

/* Behind a part of a frame: has the rest any time left? */
static int check_time(uint64_t deadline_ns)
{
	return clock_ns(CLOCK_MONOTONIC) < deadline_ns ? 0 : -ETIMEDOUT;
}

/* What a failed send or receive means: 0 = try again. */
static int failure(int code, int socket, short events, uint64_t deadline_ns)
{
	switch (code) {
	case EINTR:
	case EAGAIN:
		return wait_for(socket, events, deadline_ns);
	case ECONNRESET:
		return -EPIPE;
	default:
		return -code;
	}
}

static int send_all(int socket, const void *bytes, size_t len, uint64_t deadline_ns)
{
	const char *p = bytes;

	while (len) {
		ssize_t n = send(socket, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r;

		if (n < 0) {
			r = failure(errno, socket, POLLOUT, deadline_ns);
		} else {
			p += n;
			len -= (size_t)n;
			r = len ? check_time(deadline_ns) : 0;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* The header, with the descriptors on its first byte, and what there is room for of the bytes. */
static int send_frame(int socket, const struct frame_header *header, const void *bytes,
		      const int *fds, uint32_t fd_count, uint64_t deadline_ns)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(SOCKET_MAX_FDS * sizeof(int))] = { 0 };
	struct iovec iov[] = {
		{ .iov_base = (void *)header, .iov_len = sizeof(*header) },
		{ .iov_base = (void *)bytes, .iov_len = header->len },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = header->len ? 2 : 1 };
	size_t sent;
	ssize_t n;
	int r;

	if (fd_count) {
		struct cmsghdr *c;

		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
	}
	while ((n = sendmsg(socket, &msg, MSG_NOSIGNAL | MSG_DONTWAIT)) < 0) {
		r = failure(errno, socket, POLLOUT, deadline_ns);
		if (r < 0)
			return r;
	}
	sent = (size_t)n;
	if (sent == sizeof(*header) + header->len)
		return 0;
	r = check_time(deadline_ns);
	if (r == 0 && sent < sizeof(*header)) {
		r = send_all(socket, (const char *)header + sent, sizeof(*header) - sent,
			     deadline_ns);
		sent = sizeof(*header);
	}
	sent -= sizeof(*header);
	return r < 0 ? r
		     : send_all(socket, (const char *)bytes + sent, header->len - sent,
				deadline_ns);
}

int socket_send(int socket, uint32_t type, const void *bytes, size_t len, const int *fds,
		uint32_t fd_count, uint64_t deadline_ns)
{
	struct frame_header header = { .len = (uint32_t)len, .type = type };

	if (len > UINT32_MAX || fd_count > SOCKET_MAX_FDS)
		return -EPROTO;
	return send_frame(socket, &header, bytes, fds, fd_count, deadline_ns);
}

/* Descriptors beyond these would arrive with a plain recv(), which makes the kernel close them. */
static int receive_all(int socket, void *bytes, size_t len, uint64_t deadline_ns)
{
	char *p = bytes;

	while (len) {
		ssize_t n = recv(socket, p, len, MSG_DONTWAIT);
		int r;

		if (n == 0)
			return -EPIPE;
		if (n < 0) {
			r = failure(errno, socket, POLLIN, deadline_ns);
		} else {
			p += n;
			len -= (size_t)n;
			r = len ? check_time(deadline_ns) : 0;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

void socket_take_descriptors(struct socket_message *m, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (m->fd_count < SOCKET_MAX_FDS)
				m->fds[m->fd_count++] = fd;
			else
				fd_close(&fd);
		}
	}
}

static int receive_header(int socket, struct frame_header *header, struct socket_message *m,
			  uint64_t deadline_ns)
{
	/*
	 * Room for no more than we want: the kernel itself closes the surplus and sets MSG_CTRUNC.
	 */
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(SOCKET_MAX_FDS * sizeof(int))];
	struct iovec iov = { .iov_base = header, .iov_len = sizeof(*header) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	for (;;) {
		int r;

		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		n = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (n >= 0)
			break;
		r = failure(errno, socket, POLLIN, deadline_ns);
		if (r < 0)
			return r;
	}
	if (n == 0)
		return -EPIPE;
	socket_take_descriptors(m, &msg);
	if (msg.msg_flags & MSG_CTRUNC)
		return -EPROTO;
	return receive_all(socket, (char *)header + n, sizeof(*header) - (size_t)n, deadline_ns);
}

int socket_receive(int socket, struct socket_message *ret, uint64_t deadline_ns)
{
	struct frame_header header;
	void *bytes;
	int r;

	message_clear(ret);
	r = receive_header(socket, &header, ret, deadline_ns);
	if (r < 0)
		goto refused;
	r = -EPROTO;
	if (header.len > ret->bytes.max)
		goto refused;
	r = -ENOMEM;
	bytes = buffer_extend(&ret->bytes, header.len);
	if (!bytes)
		goto refused;
	r = receive_all(socket, bytes, header.len, deadline_ns);
	if (r < 0)
		goto refused;
	ret->type = header.type;
	return 0;

refused:
	message_clear(ret);
	return r;
}
