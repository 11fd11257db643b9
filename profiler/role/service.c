// SPDX-License-Identifier: Apache-2.0
/*
 * One frame there, one back (role/socket.h). The supervisor has more rights than who asks, so that
 * what it says is believed; that it is a whole message is checked all the same.
 */
#include "profiler/role/service.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/role/socket.h"

/* Asks, and receives a reply of at least `least` bytes in *reply, which is the caller's to release. */
static int ask(int socket, enum service_message what, const char *bytes, size_t least,
	       struct socket_message *reply)
{
	uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + SERVICE_DEADLINE_NS;
	int r;

	socket_message_init(reply, SERVICE_MAX_BYTES);
	r = socket_send(socket, what, bytes, strlen(bytes), NULL, 0, deadline);
	if (r == 0)
		r = socket_receive(socket, reply, deadline);
	if (r == 0 && (reply->type != SERVICE_REPLY || reply->bytes.len < least))
		r = -EPROTO;
	return r;
}

static int start_result(struct socket_message *reply, const char *role, struct started *ret,
			struct err *err)
{
	struct service_start_reply head;
	size_t said = reply->bytes.len - sizeof(head);

	memcpy(&head, reply->bytes.data, sizeof(head));
	if (head.status < 0)
		return err_set(err, head.status, "%.*s", (int)said,
			       reply->bytes.data + sizeof(head));
	if (head.status > 0 || head.pid <= 0 || reply->fd_count != 1)
		return err_errno(err, -EPROTO, "the supervisor started no %s", role);
	*ret = (struct started){ .socket = take_fd(&reply->fds[0]), .pid = head.pid };
	return 0;
}

static int start(void *ctx, const char *role, struct started *ret, struct err *err)
{
	const int *socket = ctx;
	struct socket_message reply;
	int r = ask(*socket, SERVICE_START, role, sizeof(struct service_start_reply), &reply);

	if (r < 0)
		err_errno(err, r, "the supervisor doesn't answer");
	else
		r = start_result(&reply, role, ret, err);
	socket_message_release(&reply);
	return r;
}

struct starter service_starter(const int *socket)
{
	return (struct starter){ .ctx = (void *)socket, .start = start };
}

int service_usage(int socket, struct service_usage *ret)
{
	struct socket_message reply;
	int r = ask(socket, SERVICE_USAGE, "", sizeof(*ret), &reply);

	if (r == 0)
		memcpy(ret, reply.bytes.data, sizeof(*ret));
	socket_message_release(&reply);
	return r;
}
