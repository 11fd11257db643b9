// SPDX-License-Identifier: Apache-2.0
/*
 * A request that fails costs that request and the process, never the capture. Its end is the starter's
 * business: the socket is closed, and whoever started it sees to it that it goes.
 *
 * Refused: asking again after a failure. What broke it once would do it twice.
 */
#include "profiler/agent/peer.h"

#include <errno.h>
#include <poll.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"

/* After the starter refused: it counts starts by the second. */
#define START_AGAIN_NS (100 * NS_PER_MS)

void peer_init(struct peer *p, const struct starter *starter, const char *role,
	       size_t max_reply_bytes)
{
	*p = (struct peer){ .starter = starter, .role = role, .socket = -1 };
	socket_message_init(&p->reply, max_reply_bytes);
}

void peer_release(struct peer *p)
{
	fd_close(&p->socket);
	socket_message_release(&p->reply);
}

/* Has it ended, or said something unasked? Then it can't be asked any more. */
static bool is_spent(const struct peer *p)
{
	struct pollfd poll_fd = { .fd = p->socket, .events = POLLIN };

	return poll(&poll_fd, 1, 0) > 0;
}

int peer_start(struct peer *p, struct err *err)
{
	struct started started;
	int r;

	if (p->socket >= 0 && is_spent(p))
		fd_close(&p->socket);
	if (p->socket >= 0)
		return 0;
	if (clock_ns(CLOCK_MONOTONIC) < p->next_start_ns)
		return err_set(err, -EAGAIN, "the %s could not be started a moment ago", p->role);
	r = p->starter->start(p->starter->ctx, p->role, &started, err);
	if (r < 0) {
		p->next_start_ns = clock_ns(CLOCK_MONOTONIC) + START_AGAIN_NS;
		return r;
	}
	p->socket = started.socket;
	return 0;
}

/* Until there is something to receive, or receiving would fail; -ECANCELED. */
static int await(const struct peer *p, uint64_t until_ns)
{
	while (p->hurry) {
		struct pollfd fds[] = { { .fd = p->socket, .events = POLLIN },
					{ .fd = p->hurry->fd, .events = POLLIN } };
		const struct timespec left = clock_left(until_ns);
		int n = ppoll(fds, 2, &left, NULL);

		if (n == 0 || (n < 0 && errno != EINTR) || (n > 0 && fds[0].revents))
			break;
		if (n > 0 && p->hurry->came(p->hurry->ctx))
			return -ECANCELED;
	}
	return 0;
}

static int exchange(struct peer *p, uint32_t type, const struct buffer *request, const int *fds,
		    uint32_t fd_count, uint32_t reply_type, uint64_t deadline_ns, struct err *err)
{
	uint64_t until_ns = clock_ns(CLOCK_MONOTONIC) + deadline_ns;
	int r;

	r = socket_send(p->socket, type, request->data, request->len, fds, fd_count, until_ns);
	if (r == 0)
		r = await(p, until_ns);
	if (r == 0)
		r = socket_receive(p->socket, &p->reply, until_ns);
	if (r == 0 && p->reply.type != reply_type)
		r = -EPROTO;
	switch (r) {
	case 0:
		return 0;
	case -EPIPE:
		return err_set(err, r, "the %s died over a request", p->role);
	case -ETIMEDOUT:
		return err_set(err, r, "the %s gave no answer for %llu ms", p->role,
			       (unsigned long long)(deadline_ns / NS_PER_MS));
	case -ECANCELED:
		return err_set(err, r, "the %s's answer is wanted no more", p->role);
	default:
		return err_errno(err, r, "the %s's answer could not be read", p->role);
	}
}

void peer_disbelieve(struct peer *p)
{
	fd_close(&p->socket);
	p->lost_ns += clock_ns(CLOCK_MONOTONIC) - p->asked_ns;
}

/* What was lost long ago counts no more: in time that is spent otherwise, a tenth of it is given back. */
static void losses_fade(struct peer *p)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	uint64_t faded = p->faded_ns ? (now_ns - p->faded_ns) / 10 : 0;

	p->lost_ns -= faded < p->lost_ns ? faded : p->lost_ns;
	p->faded_ns = now_ns;
}

int peer_ask(struct peer *p, uint32_t type, const struct buffer *request, const int *fds,
	     uint32_t fd_count, uint32_t reply_type, uint64_t deadline_ns, struct err *err)
{
	int r;

	p->asked = false;
	losses_fade(p);
	if (p->lost_ns >= PEER_MAX_LOST_NS)
		return err_set(err, -ETIMEDOUT,
			       "the %s has failed for %llu s of late: it is not asked for a while",
			       p->role, (unsigned long long)(p->lost_ns / NS_PER_S));
	p->asked_ns = clock_ns(CLOCK_MONOTONIC);
	r = peer_start(p, err);
	if (r == 0) {
		p->asked = true;
		r = exchange(p, type, request, fds, fd_count, reply_type, deadline_ns, err);
	}
	if (r < 0)
		peer_disbelieve(p);
	return r;
}
