// SPDX-License-Identifier: Apache-2.0
/*
 * The question goes out by one call, since it is smaller than a socket's memory; its answer comes
 * in pieces, whenever we look (role/inbox.h). What it costs is read from the process's own clock,
 * which everybody may read: it is to be bounded by the CPU time that it takes, and not by how long
 * it waits for a CPU that all others get first.
 *
 * Refused: a thread that waits. It would need locks around all that names are put into, or copies
 * of it.
 */
#include "profiler/agent/line_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/agent/line_index.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/role/inbox.h"

/* There is room, or something is wrong. */
#define SEND_NS (100 * NS_PER_MS)
#define MAX_REPLY_BYTES (8u << 20)

/* clock_getcpuclockid(3)'s, which would make another call for it. */
#define CLOCK_OF_PROCESS(pid) ((clockid_t)(~(unsigned int)(pid) << 3 | 2))

struct line_reader {
	const struct starter *starter; /* borrowed */
	struct line_index index;
	struct inbox inbox;
	struct buffer request;
	int socket; /* -1: not running */
	int pid;
	uint64_t started_ns, asked_ns; /* CLOCK_MONOTONIC */
	uint64_t cpu_at_ask_ns; /* of the present process */
	uint64_t cpu_before_ns; /* of those that have gone */
	/* Of the question: */
	bool asked;
	uint32_t count;
	uint32_t fd_count;
	int fds[2]; /* borrowed until it is answered */
};

int line_reader_new(struct line_reader **ret, const struct starter *starter, int service,
		    struct counters *counters)
{
	struct line_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->starter = starter;
	r->socket = -1;
	line_index_init(&r->index, service, counters);
	inbox_init(&r->inbox, -1, MAX_REPLY_BYTES);
	buffer_init(&r->request,
		    sizeof(struct lines_request) + LINE_READER_MAX_ADDRESSES * sizeof(uint64_t));
	*ret = r;
	return 0;
}

void line_reader_free(struct line_reader *r)
{
	if (!r)
		return;
	line_reader_stop(r);
	line_index_release(&r->index);
	inbox_release(&r->inbox);
	buffer_release(&r->request);
	free(r);
}

/* ---- what it costs ---- */

/* Of the present process: one that has gone without being asked after has no clock any more. */
uint64_t line_reader_process_ns(const struct line_reader *r)
{
	uint64_t most = r->socket < 0 ? 0 : clock_ns(CLOCK_MONOTONIC) - r->started_ns;
	struct timespec t;
	uint64_t ns;

	if (r->socket < 0 || clock_gettime(CLOCK_OF_PROCESS(r->pid), &t) < 0)
		return most;
	ns = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
	return ns < most ? ns : most;
}

uint64_t line_reader_question_ns(const struct line_reader *r)
{
	uint64_t now_ns = line_reader_process_ns(r);

	return now_ns > r->cpu_at_ask_ns ? now_ns - r->cpu_at_ask_ns : 0;
}

uint64_t line_reader_cpu_ns(const struct line_reader *r)
{
	return r->cpu_before_ns + line_reader_process_ns(r);
}

/* ---- the process ---- */

static int start(struct line_reader *r)
{
	struct started started;
	int e;

	if (r->socket >= 0)
		return 0;
	e = r->starter->start(r->starter->ctx, BACKGROUND_SYMBOLS_ROLE, &started, NULL);
	if (e < 0)
		return e;
	r->socket = started.socket;
	r->pid = started.pid;
	r->started_ns = clock_ns(CLOCK_MONOTONIC);
	return 0;
}

bool line_reader_runs(const struct line_reader *r)
{
	return r->socket >= 0;
}

/* What comes next is another one's, from its first byte on. */
static void drop(struct line_reader *r)
{
	r->cpu_before_ns += line_reader_process_ns(r);
	fd_close(&r->socket);
	inbox_release(&r->inbox);
	inbox_init(&r->inbox, -1, MAX_REPLY_BYTES);
}

/* The question has its answer, or will have none. */
static void settle(struct line_reader *r, uint32_t flags, bool failed)
{
	if (r->asked)
		line_index_end(&r->index, r->fds, r->fd_count, flags, failed);
	r->asked = false;
}

void line_reader_stop(struct line_reader *r)
{
	settle(r, 0, false);
	if (r->socket >= 0)
		drop(r);
}

/* ---- questions ---- */

static int request_send(struct line_reader *r, const uint64_t *vaddrs, uint32_t count)
{
	struct lines_request head = { .count = count };
	int fds[SOCKET_MAX_FDS], e;
	uint32_t fd_count;

	head.with = line_index_begin(&r->index, r->fds, r->fd_count, fds, &fd_count);
	r->asked = true;
	buffer_clear(&r->request);
	buffer_append(&r->request, &head, sizeof(head));
	buffer_append(&r->request, vaddrs, count * sizeof(*vaddrs));
	e = buffer_error(&r->request);
	if (e == 0)
		e = socket_send(r->socket, SYMBOLS_MESSAGE_LINES, r->request.data, r->request.len,
				fds, fd_count, clock_ns(CLOCK_MONOTONIC) + SEND_NS);
	return e;
}

int line_reader_ask(struct line_reader *r, const int *fds, uint32_t fd_count,
		    const uint64_t *vaddrs, uint32_t count)
{
	int e;

	if (count > LINE_READER_MAX_ADDRESSES || fd_count > sizeof(r->fds) / sizeof(r->fds[0]))
		return -E2BIG;
	e = start(r);
	if (e < 0)
		return e;
	r->asked_ns = clock_ns(CLOCK_MONOTONIC);
	r->cpu_at_ask_ns = line_reader_process_ns(r);
	r->count = count;
	r->fd_count = fd_count;
	memcpy(r->fds, fds, fd_count * sizeof(*fds));
	r->inbox.socket = r->socket;
	e = request_send(r, vaddrs, count);
	if (e < 0)
		line_reader_stop(r);
	return e;
}

bool line_reader_is_asked(const struct line_reader *r)
{
	return r->asked;
}

/* What can't be believed is as bad as no answer. */
static int reply_check(struct line_reader *r, struct lines_answers *ret)
{
	const struct socket_message *m = &r->inbox.message;

	if (m->fd_count || m->type != SYMBOLS_MESSAGE_LINES_REPLY)
		return -EPROTO;
	return lines_check(m->bytes.data, m->bytes.len, r->count, ret, NULL);
}

int line_reader_poll(struct line_reader *r, struct lines_answers *ret)
{
	int e;

	if (!r->asked)
		return 0;
	e = inbox_receive(&r->inbox);
	if (e == 0)
		return 0;
	if (e == 1)
		e = reply_check(r, ret) < 0 ? -EPROTO : 1;
	settle(r, e == 1 ? ret->reply->flags : 0, e < 0);
	if (e < 0)
		drop(r);
	return e;
}
