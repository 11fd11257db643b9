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

/* Of the last request. */
static uint16_t last_number;

struct question {
	enum service_message what;
	const char *text;
	int fd; /* goes with it; -1: none */
	size_t least; /* bytes of the reply */
	uint64_t deadline_ns;
};

/* Asks, and receives a reply in *reply, which is the caller's to release. */
static int ask(int socket, const struct question *q, struct socket_message *reply)
{
	uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + q->deadline_ns;
	uint32_t number = (uint32_t)++last_number << SERVICE_NUMBER_SHIFT;
	int r;

	socket_message_init(reply, SERVICE_MAX_BYTES);
	r = socket_send(socket, number | q->what, q->text, strlen(q->text), &q->fd, q->fd >= 0,
			deadline);
	while (r == 0) {
		r = socket_receive(socket, reply, deadline);
		if (r == 0 && (reply->type & ~SERVICE_MESSAGE_MASK) == number)
			break;
	}
	if (r == 0 && (reply->type != (number | SERVICE_REPLY) || reply->bytes.len < q->least))
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
	const struct question q = { SERVICE_START, role, -1, sizeof(struct service_start_reply),
				    SERVICE_DEADLINE_NS };
	struct socket_message reply;
	int r = ask(*socket, &q, &reply);

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
	const struct question q = { SERVICE_USAGE, "", -1, sizeof(*ret), SERVICE_DEADLINE_NS };
	struct socket_message reply;
	int r = ask(socket, &q, &reply);

	if (r == 0)
		memcpy(ret, reply.bytes.data, sizeof(*ret));
	socket_message_release(&reply);
	return r;
}

/* ---- the cache ---- */

static int ask_cache(int socket, enum service_message what, const char *name, int fd, int *ret_fd,
		     struct service_cache_word *ret_word)
{
	const struct question q = { what, name, fd, sizeof(struct service_cache_reply),
				    SERVICE_CACHE_DEADLINE_NS };
	struct service_cache_reply head;
	struct socket_message reply;
	int r = ask(socket, &q, &reply);

	ret_word->text[0] = '\0';
	if (r == 0) {
		size_t said = reply.bytes.len - sizeof(head);

		memcpy(&head, reply.bytes.data, sizeof(head));
		memcpy(ret_word->text, reply.bytes.data + sizeof(head), said);
		ret_word->text[said] = '\0';
		r = head.status <= 0 ? head.status : -EPROTO;
	}
	if (r == 0 && reply.fd_count != (ret_fd ? 1 : 0))
		r = -EPROTO;
	if (r == 0 && ret_fd)
		*ret_fd = take_fd(&reply.fds[0]);
	socket_message_release(&reply);
	return r;
}

int service_cache_find(int socket, const char *name, int *ret_fd,
		       struct service_cache_word *ret_word)
{
	return ask_cache(socket, SERVICE_CACHE_FIND, name, -1, ret_fd, ret_word);
}

int service_cache_keep(int socket, const char *name, int memory,
		       struct service_cache_word *ret_word)
{
	return ask_cache(socket, SERVICE_CACHE_KEEP, name, memory, NULL, ret_word);
}

int service_cache_drop(int socket, const char *name)
{
	struct service_cache_word unused;

	return ask_cache(socket, SERVICE_CACHE_DROP, name, -1, NULL, &unused);
}
