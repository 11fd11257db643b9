// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's part: its job that goes on, its windows, and the cuts that somebody waits for. A cut
 * that the agent took with it is answered when it has gone: nobody waits for longer than he must.
 */
#include "profiler/server/state.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"

void watch_start(struct server *s)
{
	_cleanup_(buffer_release) struct buffer bytes = BUFFER_INIT(JOB_MAX_BYTES);
	int r = member_start(&s->agent);

	if (r < 0)
		return;
	job_write(s->config->job, &bytes);
	if (buffer_error(&bytes)) {
		member_lost(&s->agent, "can't be told its job");
		return;
	}
	(void)member_tell(&s->agent, AGENT_JOB, bytes.data, bytes.len, &s->agent.service, 1);
	fd_close(&s->agent.service);
	/* They start up while it loads BPF. What fails here is tried again when it is asked for. */
	(void)supervisor_prepare(s->supervisor, "opener", NULL);
	(void)supervisor_prepare(s->supervisor, "symbolizer", NULL);
}

void watch_stop(struct server *s)
{
	(void)member_tell(&s->agent, AGENT_STOP, NULL, 0, NULL, 0);
}

/* ---- cuts ---- */

void watch_cut(struct server *s, uint64_t web_id)
{
	struct agent_cut cut = { .id = s->cut_id + 1 };

	if (s->agent.state != MEMBER_UP || s->phase != SERVER_RUNNING) {
		front_cut_done(s, web_id, -EPIPE, 0);
		return;
	}
	if (s->cut_count == AGENT_MAX_CUTS) {
		front_cut_done(s, web_id, -EAGAIN, 0);
		return;
	}
	s->cuts[s->cut_count++] = (struct server_cut){ .id = ++s->cut_id, .web_id = web_id };
	/* If it has gone, watch_gone() answers. */
	(void)member_tell(&s->agent, AGENT_CUT, &cut, sizeof(cut), NULL, 0);
}

static void cut_answered(struct server *s, const struct agent_window *w)
{
	for (uint32_t i = 0; i < s->cut_count; i++) {
		uint64_t web_id = s->cuts[i].web_id;

		if (s->cuts[i].id != w->cut_id)
			continue;
		s->cuts[i] = s->cuts[--s->cut_count];
		front_cut_done(s, web_id, w->status, w->end_ns);
		return;
	}
}

uint64_t watch_windows(const struct server *s)
{
	return s->windows > s->status.windows_committed ? s->windows : s->status.windows_committed;
}

void watch_gone(struct server *s)
{
	while (s->cut_count)
		front_cut_done(s, s->cuts[--s->cut_count].web_id, -EPIPE, 0);
	for (uint32_t i = 0; i < COUNTER_COUNT; i++)
		s->past.value[i] += s->status.counters.value[i];
	s->past_cpu_ns += s->status.own_cpu_ns;
	s->past_windows += watch_windows(s);
	s->windows = 0;
	s->status = (struct agent_status){ 0 };
	s->paired = false;
}

/* ---- what it says ---- */

static bool is_whole(struct member *m, size_t bytes)
{
	if (m->inbox.message.bytes.len == bytes)
		return true;
	member_lost(m, "can't be understood");
	return false;
}

static void window(struct server *s)
{
	struct agent_window w;

	if (!is_whole(&s->agent, sizeof(w)))
		return;
	memcpy(&w, s->agent.inbox.message.bytes.data, sizeof(w));
	if (w.cut_id)
		cut_answered(s, &w);
	else if (w.status == 0)
		s->windows++;
	if (w.status == 0 && w.sequence >= s->last.sequence) {
		s->last = w;
		front_tell_status(s);
	} else if (w.status < 0 && !w.cut_id) {
		log_write(s->log, LOG_EVENT_WINDOW_LOST, NULL, 0,
			  "a window of %" PRIu64 " samples was not stored: %s", w.samples,
			  strerror(-w.status));
	}
}

static void ended(struct server *s)
{
	struct agent_result result;

	if (s->agent.inbox.message.bytes.len < sizeof(result)) {
		member_lost(&s->agent, "can't be understood");
		return;
	}
	memcpy(&result, s->agent.inbox.message.bytes.data, sizeof(result));
	if (result.status < 0)
		err_set(&s->agent.why, 0, "the agent ended: %s",
			member_text(&s->agent, sizeof(result)));
	member_lost(&s->agent, NULL);
}

static void sampling(struct server *s)
{
	s->agent_came = true;
	member_up(&s->agent);
	keeper_pair(s);
}

void watch_hear(struct server *s)
{
	struct member *m = &s->agent;

	if (!member_hear(m))
		return;
	switch (m->inbox.message.type) {
	case AGENT_READY:
		(void)member_tell(m, AGENT_GO, NULL, 0, NULL, 0);
		break;
	case AGENT_SAMPLING:
		sampling(s);
		break;
	case AGENT_STATUS:
		if (is_whole(m, sizeof(s->status)))
			memcpy(&s->status, m->inbox.message.bytes.data, sizeof(s->status));
		break;
	case AGENT_WINDOW:
		window(s);
		break;
	case AGENT_SAID:
		log_write(s->log, LOG_EVENT_AGENT_SAID, NULL, 0, "%s", member_text(m, 0));
		break;
	case AGENT_PROGRESS:
	case AGENT_STOPPED:
		break;
	case AGENT_ENDED:
		ended(s);
		break;
	default:
		member_lost(m, "can't be understood");
	}
}
