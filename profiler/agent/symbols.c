// SPDX-License-Identifier: Apache-2.0
/*
 * The symbolizer is expected to fail (agent/peer.h). What is particular to it: its replies are checked
 * whole before any of it is believed, and a request that it failed over is not repeated.
 */
#include "profiler/agent/symbols.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/agent/peer.h"
#include "profiler/base/buffer.h"
#include "profiler/base/clock.h"

/*
 * The largest honest request takes 0.1 s; the rest is for a cold disk and a machine that is busy (that is
 * why it is being profiled), and less than the 2 s that the rings hold. A hostile file can cost as much,
 * once for its names and three times for its unwind table.
 */
#define DEADLINE_NS (1500 * NS_PER_MS)
/* The kernel's own table is nobody's trap, is read at the end, and takes an emulated machine 3 s. */
#define KERNEL_PATIENCE 4

struct symbols_client {
	struct peer symbolizer;
	struct counters *counters; /* borrowed */
	struct buffer request;
	uint64_t deadline_ns;
};

int symbols_client_new(struct symbols_client **ret, const struct starter *starter,
		       struct counters *counters, struct err *err)
{
	struct symbols_client *c;
	int r;

	c = calloc(1, sizeof(*c));
	if (!c)
		return err_errno(err, -ENOMEM, "the symbolizer could not be started");
	c->counters = counters;
	c->deadline_ns = DEADLINE_NS;
	buffer_init(&c->request,
		    sizeof(struct symbol_request) + SYMBOLS_MAX_ADDRESSES * sizeof(uint64_t));
	peer_init(&c->symbolizer, starter, SYMBOLS_ROLE, SYMBOLS_MAX_REPLY_BYTES);
	r = peer_start(&c->symbolizer, err);
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
	peer_release(&c->symbolizer);
	buffer_release(&c->request);
	free(c);
}

void symbols_client_set_deadline(struct symbols_client *c, uint64_t ns)
{
	c->deadline_ns = ns;
}

/* `moments` NULL: the space has none. */
static int build_request(struct symbols_client *c, enum symbol_space space,
			 const uint64_t *addresses, const struct symbol_moment *moments,
			 uint32_t count, struct err *err)
{
	struct symbol_request request = { .space = space, .count = count };

	buffer_clear(&c->request);
	buffer_append(&c->request, &request, sizeof(request));
	buffer_append(&c->request, addresses, count * sizeof(*addresses));
	if (moments)
		buffer_append(&c->request, moments, count * sizeof(*moments));
	if (buffer_error(&c->request) < 0)
		return err_errno(err, buffer_error(&c->request),
				 "%u addresses could not be sent to the symbolizer", count);
	return 0;
}

/* What the last reply says, checked. */
static int reply_check(struct symbols_client *c, uint32_t count, struct symbols *ret,
		       struct err *err)
{
	const struct socket_message *reply = &c->symbolizer.reply;
	int r;

	if (reply->fd_count)
		r = err_errno(err, -EPROTO, "the symbolizer's answer could not be read");
	else
		r = symbols_check(reply->bytes.data, reply->bytes.len, count, ret, err);
	if (r < 0)
		peer_disbelieve(&c->symbolizer);
	return r;
}

/* Sends the request that was built. */
static int request_ask(struct symbols_client *c, const int *fds, uint32_t fd_count,
		       uint64_t deadline_ns, uint32_t count, struct symbols *ret,
		       const void **ret_bytes, uint32_t *ret_len, struct err *err)
{
	struct symbols checked;
	int r = peer_ask(&c->symbolizer, SYMBOLS_MESSAGE_REQUEST, &c->request, fds, fd_count,
			 SYMBOLS_MESSAGE_REPLY, deadline_ns, err);

	if (r == 0)
		r = reply_check(c, count, &checked, err);
	if (r < 0) {
		counter_add(c->counters, COUNTER_SYMBOLIZER_FAILED, 1);
		return r;
	}
	*ret = checked;
	*ret_bytes = c->symbolizer.reply.bytes.data;
	*ret_len = (uint32_t)c->symbolizer.reply.bytes.len;
	return 0;
}

static int too_many(uint32_t count, uint32_t most, struct err *err)
{
	return err_set(err, -E2BIG, "the symbolizer was asked for %u addresses, at most %u", count,
		       most);
}

int symbols_client_ask(struct symbols_client *c, enum symbol_space space, const int *fds,
		       uint32_t fd_count, const uint64_t *addresses, uint32_t count,
		       struct symbols *ret, const void **ret_bytes, uint32_t *ret_len,
		       struct err *err)
{
	uint64_t deadline_ns = c->deadline_ns * (space == SYMBOLS_KERNEL ? KERNEL_PATIENCE : 1);
	int r;

	if (count > SYMBOLS_MAX_ADDRESSES)
		return too_many(count, SYMBOLS_MAX_ADDRESSES, err);
	r = build_request(c, space, addresses, NULL, count, err);
	return r < 0 ? r
		     : request_ask(c, fds, fd_count, deadline_ns, count, ret, ret_bytes, ret_len,
				   err);
}

int symbols_client_ask_code(struct symbols_client *c, const int *fds, uint32_t fd_count,
			    const uint64_t *addresses, const struct symbol_moment *moments,
			    uint32_t count, struct symbols *ret, const void **ret_bytes,
			    uint32_t *ret_len, struct err *err)
{
	int r;

	if (count > SYMBOLS_MAX_CODE_ADDRESSES)
		return too_many(count, SYMBOLS_MAX_CODE_ADDRESSES, err);
	r = build_request(c, SYMBOLS_CODE, addresses, moments, count, err);
	return r < 0 ? r
		     : request_ask(c, fds, fd_count, c->deadline_ns, count, ret, ret_bytes, ret_len,
				   err);
}

static int unwind_reply_check(struct symbols_client *c, const struct unwind_request *request,
			      struct unwind_answer *ret, struct err *err)
{
	const struct socket_message *reply = &c->symbolizer.reply;
	int r;

	if (reply->fd_count)
		r = err_errno(err, -EPROTO, "the symbolizer's answer could not be read");
	else
		r = unwind_check(reply->bytes.data, reply->bytes.len, request, ret, err);
	if (r < 0)
		peer_disbelieve(&c->symbolizer);
	return r;
}

int symbols_client_unwind(struct symbols_client *c, int fd, const struct unwind_request *request,
			  struct unwind_answer *ret, struct err *err)
{
	struct unwind_answer checked;
	int r;

	buffer_clear(&c->request);
	buffer_append(&c->request, request, sizeof(*request));
	r = buffer_error(&c->request);
	if (r < 0)
		return err_errno(err, r, "an unwind table could not be asked for");
	r = peer_ask(&c->symbolizer, SYMBOLS_MESSAGE_UNWIND, &c->request, &fd, 1,
		     SYMBOLS_MESSAGE_UNWIND_REPLY, c->deadline_ns, err);
	if (r == 0)
		r = unwind_reply_check(c, request, &checked, err);
	if (r < 0) {
		counter_add(c->counters, COUNTER_SYMBOLIZER_FAILED, 1);
		return r;
	}
	*ret = checked;
	return 0;
}

int symbols_client_debug(struct symbols_client *c, enum debug_question question, const int *fds,
			 uint32_t fd_count, struct debug_reply *ret, struct err *err)
{
	const struct debug_request request = { .question = question };
	const struct socket_message *reply = &c->symbolizer.reply;
	int r;

	buffer_clear(&c->request);
	buffer_append(&c->request, &request, sizeof(request));
	r = buffer_error(&c->request);
	if (r < 0)
		return err_errno(err, r, "a file's debug file could not be asked for");
	r = peer_ask(&c->symbolizer, SYMBOLS_MESSAGE_DEBUG, &c->request, fds, fd_count,
		     SYMBOLS_MESSAGE_DEBUG_REPLY, c->deadline_ns, err);
	if (r == 0) {
		r = reply->fd_count
			    ? err_errno(err, -EPROTO, "the symbolizer's answer could not be read")
			    : debug_check(reply->bytes.data, reply->bytes.len, ret, err);
		if (r < 0)
			peer_disbelieve(&c->symbolizer);
	}
	if (r < 0)
		counter_add(c->counters, COUNTER_SYMBOLIZER_FAILED, 1);
	return r;
}

static int lines_reply_check(struct symbols_client *c, uint32_t count, struct lines_answers *ret,
			     struct err *err)
{
	const struct socket_message *reply = &c->symbolizer.reply;
	int r;

	if (reply->fd_count)
		r = err_errno(err, -EPROTO, "the symbolizer's answer could not be read");
	else
		r = lines_check(reply->bytes.data, reply->bytes.len, count, ret, err);
	if (r < 0)
		peer_disbelieve(&c->symbolizer);
	return r;
}

int symbols_client_lines(struct symbols_client *c, const int *fds, uint32_t fd_count,
			 const uint64_t *addresses, uint32_t count, uint64_t deadline_ns,
			 struct lines_answers *ret, struct err *err)
{
	struct lines_request request = { .count = count };
	struct lines_answers checked;
	int r;

	if (count > SYMBOLS_MAX_ADDRESSES)
		return err_set(err, -E2BIG, "the symbolizer was asked for %u lines, at most %u",
			       count, SYMBOLS_MAX_ADDRESSES);
	buffer_clear(&c->request);
	buffer_append(&c->request, &request, sizeof(request));
	buffer_append(&c->request, addresses, count * sizeof(*addresses));
	r = buffer_error(&c->request);
	if (r < 0)
		return err_errno(err, r, "lines could not be asked for");
	r = peer_ask(&c->symbolizer, SYMBOLS_MESSAGE_LINES, &c->request, fds, fd_count,
		     SYMBOLS_MESSAGE_LINES_REPLY, deadline_ns, err);
	if (r == 0)
		r = lines_reply_check(c, count, &checked, err);
	if (r < 0) {
		/* A file that takes long is no failure of whoever reads it. */
		counter_add(c->counters, COUNTER_SYMBOLIZER_FAILED, r != -ETIMEDOUT);
		return r;
	}
	*ret = checked;
	return 0;
}

bool symbols_client_asked(const struct symbols_client *c)
{
	return c->symbolizer.asked;
}
