// SPDX-License-Identifier: Apache-2.0
/*
 * The symbolizer is expected to fail (agent/peer.h). What is particular to it: its replies are checked
 * whole before any of it is believed, and a request that it failed over is not repeated.
 */
#include "profiler/agent/symbols.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/agent/line_index.h"
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
	struct line_index index;
	const struct peer_hurry *hurry; /* borrowed, or NULL */
};

/* A request of any kind, and how its reply is checked. */
struct question {
	uint32_t type, reply_type;
	const void *head;
	size_t head_bytes;
	const uint64_t *addresses;
	const struct symbol_moment *moments; /* one for each, or NULL */
	uint32_t count;
	const int *fds;
	uint32_t fd_count;
	uint64_t deadline_ns;
	bool is_lines; /* which may take long, and be given up */
	/* 0 and *ret, of the kind that it is; or negative errno and a sentence. */
	int (*check)(const struct question *q, const struct buffer *reply, void *ret,
		     struct err *err);
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
	line_index_init(&c->index, -1, counters);
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
	line_index_release(&c->index);
	buffer_release(&c->request);
	free(c);
}

void symbols_client_set_deadline(struct symbols_client *c, uint64_t ns)
{
	c->deadline_ns = ns;
}

void symbols_client_keep_indexes(struct symbols_client *c, int service)
{
	line_index_release(&c->index);
	line_index_init(&c->index, service, c->counters);
}

void symbols_client_on_hurry(struct symbols_client *c, const struct peer_hurry *hurry)
{
	c->hurry = hurry;
}

/* ---- asking ---- */

static int request_build(struct symbols_client *c, const struct question *q, struct err *err)
{
	int r;

	buffer_clear(&c->request);
	buffer_append(&c->request, q->head, q->head_bytes);
	buffer_append(&c->request, q->addresses, q->count * sizeof(*q->addresses));
	if (q->moments)
		buffer_append(&c->request, q->moments, q->count * sizeof(*q->moments));
	r = buffer_error(&c->request);
	return r < 0 ? err_errno(err, r, "the symbolizer could not be asked") : 0;
}

/* What can't be believed is as bad as no answer. */
static int reply_check(struct symbols_client *c, const struct question *q, void *ret,
		       struct err *err)
{
	const struct socket_message *reply = &c->symbolizer.reply;
	int r;

	if (reply->fd_count)
		r = err_errno(err, -EPROTO, "the symbolizer's answer could not be read");
	else
		r = q->check(q, &reply->bytes, ret, err);
	if (r < 0)
		peer_disbelieve(&c->symbolizer);
	return r;
}

/* What takes long, or is wanted no more, is no failure of whoever reads a file's lines. */
static bool is_given_up(int r)
{
	return r == -ETIMEDOUT || r == -ECANCELED;
}

static int ask(struct symbols_client *c, const struct question *q, void *ret, struct err *err)
{
	int r = request_build(c, q, err);

	if (r < 0)
		return r;
	c->symbolizer.hurry = q->is_lines ? c->hurry : NULL;
	r = peer_ask(&c->symbolizer, q->type, &c->request, q->fds, q->fd_count, q->reply_type,
		     q->deadline_ns, err);
	if (r == 0)
		r = reply_check(c, q, ret, err);
	if (r < 0 && !(q->is_lines && is_given_up(r)))
		counter_add(c->counters, COUNTER_SYMBOLIZER_FAILED, 1);
	return r;
}

static int count_check(uint32_t count, uint32_t most, struct err *err)
{
	if (count <= most)
		return 0;
	return err_set(err, -E2BIG, "the symbolizer was asked for %u addresses, at most %u", count,
		       most);
}

/* ---- names ---- */

static int check_symbols(const struct question *q, const struct buffer *reply, void *ret,
			 struct err *err)
{
	return symbols_check(reply->data, reply->len, q->count, ret, err);
}

static int ask_symbols(struct symbols_client *c, struct question *q, enum symbol_space space,
		       struct symbols *ret, const void **ret_bytes, uint32_t *ret_len,
		       struct err *err)
{
	const struct symbol_request request = { .space = space, .count = q->count };
	int r;

	q->type = SYMBOLS_MESSAGE_REQUEST;
	q->reply_type = SYMBOLS_MESSAGE_REPLY;
	q->head = &request;
	q->head_bytes = sizeof(request);
	q->check = check_symbols;
	r = ask(c, q, ret, err);
	q->head = NULL;
	if (r < 0)
		return r;
	*ret_bytes = c->symbolizer.reply.bytes.data;
	*ret_len = (uint32_t)c->symbolizer.reply.bytes.len;
	return 0;
}

int symbols_client_ask(struct symbols_client *c, enum symbol_space space, const int *fds,
		       uint32_t fd_count, const uint64_t *addresses, uint32_t count,
		       struct symbols *ret, const void **ret_bytes, uint32_t *ret_len,
		       struct err *err)
{
	struct question q = {
		.addresses = addresses,
		.count = count,
		.fds = fds,
		.fd_count = fd_count,
		.deadline_ns = c->deadline_ns * (space == SYMBOLS_KERNEL ? KERNEL_PATIENCE : 1),
	};
	int r = count_check(count, SYMBOLS_MAX_ADDRESSES, err);

	return r < 0 ? r : ask_symbols(c, &q, space, ret, ret_bytes, ret_len, err);
}

int symbols_client_ask_code(struct symbols_client *c, const int *fds, uint32_t fd_count,
			    const uint64_t *addresses, const struct symbol_moment *moments,
			    uint32_t count, struct symbols *ret, const void **ret_bytes,
			    uint32_t *ret_len, struct err *err)
{
	struct question q = {
		.addresses = addresses,
		.moments = moments,
		.count = count,
		.fds = fds,
		.fd_count = fd_count,
		.deadline_ns = c->deadline_ns,
	};
	int r = count_check(count, SYMBOLS_MAX_CODE_ADDRESSES, err);

	return r < 0 ? r : ask_symbols(c, &q, SYMBOLS_CODE, ret, ret_bytes, ret_len, err);
}

/* ---- unwind tables ---- */

static int check_unwind(const struct question *q, const struct buffer *reply, void *ret,
			struct err *err)
{
	return unwind_check(reply->data, reply->len, q->head, ret, err);
}

int symbols_client_unwind(struct symbols_client *c, int fd, const struct unwind_request *request,
			  struct unwind_answer *ret, struct err *err)
{
	const struct question q = {
		.type = SYMBOLS_MESSAGE_UNWIND,
		.reply_type = SYMBOLS_MESSAGE_UNWIND_REPLY,
		.head = request,
		.head_bytes = sizeof(*request),
		.fds = &fd,
		.fd_count = 1,
		.deadline_ns = c->deadline_ns,
		.check = check_unwind,
	};

	return ask(c, &q, ret, err);
}

/* ---- debug files ---- */

static int check_debug(const struct question *q, const struct buffer *reply, void *ret,
		       struct err *err)
{
	return debug_check(reply->data, reply->len, ret, err);
}

int symbols_client_debug(struct symbols_client *c, enum debug_question question, const int *fds,
			 uint32_t fd_count, struct debug_reply *ret, struct err *err)
{
	const struct debug_request request = { .question = question };
	const struct question q = {
		.type = SYMBOLS_MESSAGE_DEBUG,
		.reply_type = SYMBOLS_MESSAGE_DEBUG_REPLY,
		.head = &request,
		.head_bytes = sizeof(request),
		.fds = fds,
		.fd_count = fd_count,
		.deadline_ns = c->deadline_ns,
		.check = check_debug,
	};

	return ask(c, &q, ret, err);
}

/* ---- lines ---- */

static int check_lines(const struct question *q, const struct buffer *reply, void *ret,
		       struct err *err)
{
	return lines_check(reply->data, reply->len, q->count, ret, err);
}

int symbols_client_lines(struct symbols_client *c, const int *fds, uint32_t fd_count,
			 const uint64_t *addresses, uint32_t count, uint64_t deadline_ns,
			 struct lines_answers *ret, struct err *err)
{
	struct lines_request request = { .count = count };
	int with_index[SOCKET_MAX_FDS];
	struct question q = {
		.type = SYMBOLS_MESSAGE_LINES,
		.reply_type = SYMBOLS_MESSAGE_LINES_REPLY,
		.head = &request,
		.head_bytes = sizeof(request),
		.addresses = addresses,
		.count = count,
		.fds = with_index,
		.deadline_ns = deadline_ns,
		.is_lines = true,
		.check = check_lines,
	};
	int r = count_check(count, SYMBOLS_MAX_ADDRESSES, err);

	if (r < 0)
		return r;
	request.with = line_index_begin(&c->index, fds, fd_count, with_index, &q.fd_count);
	r = ask(c, &q, ret, err);
	line_index_end(&c->index, fds, fd_count, r == 0 ? ret->reply->flags : 0,
		       r < 0 && !is_given_up(r) && c->symbolizer.asked);
	return r;
}

const char *symbols_client_index(const struct symbols_client *c)
{
	return c->index.result;
}

bool symbols_client_asked(const struct symbols_client *c)
{
	return c->symbolizer.asked;
}
