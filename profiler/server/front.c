// SPDX-License-Identifier: Apache-2.0
/*
 * The web process's part. It talks with strangers, so that nothing it says is believed: what it may
 * ask for is a cut, a reader and a line in the log, each of which has its maximum. Answers that
 * belong to one that has gone are dropped.
 */
#include "profiler/server/state.h"

#include <errno.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"

void front_start(struct server *s)
{
	const struct listeners *l = s->config->listeners;
	int fds[LISTENER_MAX];

	_Static_assert(LISTENER_MAX <= WEB_MAX_LISTENERS, "it takes all");
	for (uint32_t i = 0; i < l->count; i++)
		fds[i] = l->items[i].fd;
	if (member_start(&s->web) == 0)
		(void)member_tell(&s->web, WEB_JOB, s->config->web, sizeof(*s->config->web), fds,
				  l->count);
}

void front_gone(struct server *s)
{
	/* The agent may answer them yet: nobody is told. */
	s->cut_count = 0;
	readers_kill(&s->readers);
}

void front_cut_done(struct server *s, uint64_t web_id, int32_t status, uint64_t end_ns)
{
	const struct web_cut_done done = { .id = web_id, .status = status, .end_ns = end_ns };

	(void)member_tell(&s->web, WEB_CUT_DONE, &done, sizeof(done), NULL, 0);
}

void front_tell_status(struct server *s)
{
	struct web_status status;

	if (s->web.state != MEMBER_UP)
		return;
	figures_fill(s, &status);
	(void)member_tell(&s->web, WEB_STATUS, &status, sizeof(status), NULL, 0);
}

/* ---- what it asks for ---- */

static int start_reader(struct server *s, const struct web_reader *q, int *ret_socket,
			struct err *err)
{
	struct store_files_range ranges[STORE_FILES_MAX_RANGES];

	if (s->phase != SERVER_RUNNING)
		return err_set(err, -EPIPE, "the server ends");
	for (uint32_t i = 0; i < q->range_count; i++) {
		ranges[i] = (struct store_files_range){ q->ranges[i].from_ns, q->ranges[i].to_ns };
		if (ranges[i].from_ns >= ranges[i].to_ns)
			return err_set(err, -EINVAL, "a range that is empty");
	}
	return readers_start(&s->readers, q->id, ranges, q->range_count, ret_socket, err);
}

static void reader(struct server *s, const struct web_reader *q)
{
	char message[sizeof(struct web_reader_reply) + sizeof(struct err)];
	struct web_reader_reply head = { .id = q->id };
	_cleanup_(fd_close) int socket = -1;
	struct err err = { "" };
	size_t said;

	head.status = start_reader(s, q, &socket, &err);
	if (head.status < 0 && head.status != -EAGAIN)
		log_write(s->log, LOG_EVENT_READER_FAILED, NULL, 0, "no reader was started: %s",
			  err.text);
	said = head.status < 0 ? strlen(err.text) : 0;
	memcpy(message, &head, sizeof(head));
	memcpy(message + sizeof(head), err.text, said);
	(void)member_tell(&s->web, WEB_READER_REPLY, message, sizeof(head) + said, &socket,
			  socket >= 0);
}

static void asked_for_reader(struct server *s)
{
	const struct buffer *b = &s->web.inbox.message.bytes;
	struct web_reader q;

	if (b->len != sizeof(q)) {
		member_lost(&s->web, "can't be understood");
		return;
	}
	memcpy(&q, b->data, sizeof(q));
	if (q.range_count < 1 || q.range_count > STORE_FILES_MAX_RANGES)
		member_lost(&s->web, "can't be understood");
	else
		reader(s, &q);
}

static void asked_for_cut(struct server *s)
{
	const struct buffer *b = &s->web.inbox.message.bytes;
	struct web_cut cut;

	if (b->len != sizeof(cut)) {
		member_lost(&s->web, "can't be understood");
		return;
	}
	memcpy(&cut, b->data, sizeof(cut));
	watch_cut(s, cut.id);
}

static void left_reader(struct server *s)
{
	const struct buffer *b = &s->web.inbox.message.bytes;
	struct web_reader_left left;

	if (b->len != sizeof(left)) {
		member_lost(&s->web, "can't be understood");
		return;
	}
	memcpy(&left, b->data, sizeof(left));
	readers_leave(&s->readers, left.id);
}

void front_hear(struct server *s)
{
	struct member *m = &s->web;

	if (!member_hear(m))
		return;
	switch (m->inbox.message.type) {
	case WEB_READY:
		s->web_came = true;
		member_up(m);
		front_tell_status(s);
		break;
	case WEB_CUT:
		asked_for_cut(s);
		break;
	case WEB_READER:
		asked_for_reader(s);
		break;
	case WEB_READER_LEFT:
		left_reader(s);
		break;
	case WEB_LOG:
		log_write(s->log, LOG_EVENT_WEB_SAID, NULL, 0, "%s", member_text(m, 0));
		if (!s->web_came)
			err_set(&m->why, 0, "the web process: %s", member_text(m, 0));
		break;
	default:
		member_lost(m, "can't be understood");
	}
}
