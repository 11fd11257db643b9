// SPDX-License-Identifier: Apache-2.0
/*
 * The symbolizer is expected to fail: it reads files made by people we don't trust. So a request
 * that fails costs that request and the process, never the capture; and a process that ended while
 * nobody asked it anything (killed for its memory, say) is replaced before the next request is
 * sent, which then is not at fault.
 *
 * Refused: asking again after a failure. What broke the symbolizer once would do it twice.
 */
#include "profiler/agent/symbols.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buffer.h"
#include "profiler/base/clock.h"
#include "profiler/role/child.h"
#include "profiler/role/socket.h"

/*
 * The largest honest request takes 0.1 s; three seconds are for a cold disk and a machine that is
 * busy (that is why it is being profiled). A hostile file can cost as much, once.
 */
#define DEADLINE_NS (3 * NS_PER_S)
/* What failed requests may cost in all: somebody with a thousand such files shall not stop us for an hour. */
#define MAX_LOST_NS (10 * NS_PER_S)

struct symbols_client {
	struct child child;
	struct counters *counters; /* borrowed */
	struct rusage usage; /* of the processes that ended */
	struct buffer request;
	struct socket_message reply;
	uint64_t deadline_ns;
	uint64_t lost_ns; /* on requests that failed */
};

int symbols_client_new(struct symbols_client **ret, struct counters *counters, struct err *err)
{
	struct symbols_client *c;
	int r;

	c = calloc(1, sizeof(*c));
	if (!c)
		return err_errno(err, -ENOMEM, "the symbolizer could not be started");
	c->counters = counters;
	c->child.socket = -1;
	c->deadline_ns = DEADLINE_NS;
	buffer_init(&c->request,
		    sizeof(struct symbol_request) + SYMBOLS_MAX_ADDRESSES * sizeof(uint64_t));
	socket_message_init(&c->reply, SYMBOLS_MAX_REPLY_BYTES);
	r = child_start(&c->child, SYMBOLS_ROLE, err);
	if (r < 0) {
		symbols_client_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void symbols_client_free(struct symbols_client *c)
{
	if (!c)
		return;
	child_stop(&c->child, NULL);
	buffer_release(&c->request);
	socket_message_release(&c->reply);
	free(c);
}

void symbols_client_set_deadline(struct symbols_client *c, uint64_t ns)
{
	c->deadline_ns = ns;
}

/* Has it ended, or said something unasked? Then it can't be asked any more. */
static bool is_spent(const struct child *child)
{
	struct pollfd p = { .fd = child->socket, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

static int ensure_running(struct symbols_client *c, struct err *err)
{
	if (c->child.pid && is_spent(&c->child))
		child_stop(&c->child, &c->usage);
	if (c->child.pid)
		return 0;
	return child_start(&c->child, SYMBOLS_ROLE, err);
}

static int exchange(struct symbols_client *c, const int *fds, uint32_t fd_count, struct err *err)
{
	uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + c->deadline_ns;
	int r;

	r = socket_send(c->child.socket, SYMBOLS_MESSAGE_REQUEST, c->request.data, c->request.len,
			fds, fd_count, deadline);
	if (r == 0)
		r = socket_receive(c->child.socket, &c->reply, deadline);
	if (r == 0 && (c->reply.type != SYMBOLS_MESSAGE_REPLY || c->reply.fd_count))
		r = -EPROTO;
	switch (r) {
	case 0:
		return 0;
	case -EPIPE:
		return err_set(err, r, "the symbolizer died over a request");
	case -ETIMEDOUT:
		return err_set(err, r, "the symbolizer gave no answer for %llu ms",
			       (unsigned long long)(c->deadline_ns / NS_PER_MS));
	default:
		return err_errno(err, r, "the symbolizer's answer could not be read");
	}
}

static int build_request(struct symbols_client *c, enum symbol_space space,
			 const uint64_t *addresses, uint32_t count, struct err *err)
{
	struct symbol_request request = { .space = space, .count = count };

	buffer_clear(&c->request);
	buffer_append(&c->request, &request, sizeof(request));
	buffer_append(&c->request, addresses, count * sizeof(*addresses));
	if (buffer_error(&c->request) < 0)
		return err_errno(err, buffer_error(&c->request),
				 "%u addresses could not be sent to the symbolizer", count);
	return 0;
}

int symbols_client_ask(struct symbols_client *c, enum symbol_space space, const int *fds,
		       uint32_t fd_count, const uint64_t *addresses, uint32_t count,
		       struct symbols *ret, const void **ret_bytes, uint32_t *ret_len,
		       struct err *err)
{
	struct symbols checked;
	uint64_t start_ns;
	int r;

	if (count > SYMBOLS_MAX_ADDRESSES)
		return err_set(err, -E2BIG, "the symbolizer was asked for %u addresses, at most %u",
			       count, SYMBOLS_MAX_ADDRESSES);
	if (c->lost_ns >= MAX_LOST_NS) {
		counter_add(c->counters, COUNTER_SYMBOLIZER_FAILED, 1);
		return err_set(err, -ETIMEDOUT,
			       "the symbolizer has failed for %llu s in all: no more names",
			       (unsigned long long)(c->lost_ns / NS_PER_S));
	}
	r = build_request(c, space, addresses, count, err);
	if (r < 0)
		return r;
	start_ns = clock_ns(CLOCK_MONOTONIC);
	r = ensure_running(c, err);
	if (r == 0)
		r = exchange(c, fds, fd_count, err);
	if (r == 0)
		r = symbols_check(c->reply.bytes.data, c->reply.bytes.len, count, &checked, err);
	if (r < 0) {
		counter_add(c->counters, COUNTER_SYMBOLIZER_FAILED, 1);
		child_stop(&c->child, &c->usage);
		c->lost_ns += clock_ns(CLOCK_MONOTONIC) - start_ns;
		return r;
	}
	*ret = checked;
	*ret_bytes = c->reply.bytes.data;
	*ret_len = (uint32_t)c->reply.bytes.len;
	return 0;
}

int symbols_client_pid(const struct symbols_client *c)
{
	return c->child.pid;
}

void symbols_client_usage(const struct symbols_client *c, struct rusage *usage)
{
	*usage = c->usage;
}
