// SPDX-License-Identifier: Apache-2.0
/*
 * The storekeeper's part. Windows go from the agent to it by a socket of their own, which each new
 * one of the two needs anew: no byte of them comes by here.
 */
#include "profiler/server/state.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"

void keeper_start(struct server *s)
{
	s->past_expired += s->figures.expired_by_age + s->figures.expired_by_bytes;
	s->figures = (struct keeper_figures){ 0 };
	s->figures_known = false;
	if (member_start(&s->keeper) == 0)
		(void)member_tell(&s->keeper, KEEPER_JOB, s->config->keeper,
				  sizeof(*s->config->keeper), &s->config->store, 1);
}

void keeper_pair(struct server *s)
{
	_cleanup_(fd_close) int ours = -1;
	_cleanup_(fd_close) int its = -1;
	int pair[2];

	if (s->paired || s->agent.state != MEMBER_UP || s->keeper.state != MEMBER_UP)
		return;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return; /* tried again with the next message of either */
	ours = pair[0];
	its = pair[1];
	/* One that is lost on the way is started again, and they are paired then. */
	s->paired = true;
	if (member_tell(&s->keeper, KEEPER_AGENT, NULL, 0, &ours, 1) < 0 ||
	    member_tell(&s->agent, AGENT_KEEPER, NULL, 0, &its, 1) < 0)
		s->paired = false;
}

void keeper_stop(struct server *s)
{
	(void)member_tell(&s->keeper, KEEPER_STOP, NULL, 0, NULL, 0);
}

static void ended(struct server *s)
{
	const struct buffer *b = &s->keeper.inbox.message.bytes;
	struct keeper_result result;

	if (b->len < sizeof(result)) {
		member_lost(&s->keeper, "can't be understood");
		return;
	}
	memcpy(&result, b->data, sizeof(result));
	if (result.status < 0)
		err_set(&s->keeper.why, 0, "%s", member_text(&s->keeper, sizeof(result)));
	member_lost(&s->keeper, NULL);
}

static void figures(struct server *s)
{
	const struct buffer *b = &s->keeper.inbox.message.bytes;

	if (b->len != sizeof(s->figures)) {
		member_lost(&s->keeper, "can't be understood");
		return;
	}
	memcpy(&s->figures, b->data, sizeof(s->figures));
	s->figures_known = true;
}

void keeper_hear(struct server *s)
{
	struct member *m = &s->keeper;

	if (!member_hear(m))
		return;
	switch (m->inbox.message.type) {
	case KEEPER_OPENED:
		s->keeper_came = true;
		member_up(m);
		break;
	case KEEPER_FIGURES:
		figures(s);
		break;
	case KEEPER_SAID:
		log_write(s->log, LOG_EVENT_KEEPER_SAID, NULL, 0, "%s", member_text(m, 0));
		break;
	case KEEPER_ENDED:
		ended(s);
		break;
	default:
		member_lost(m, "can't be understood");
	}
	keeper_pair(s);
}
