// SPDX-License-Identifier: Apache-2.0
/*
 * The second cut is made when its time has come, whether the first one's window is stored by then or not: storing takes the disk's
 * time, the capture only the clock's.
 *
 * Refused: one cut for captures of the same moment, since the agent lets those of 50 ms share one.
 */
#include "web/captures.h"

#include <errno.h>

#include "profiler/base/clock.h"

#define PATIENCE_NS (10 * NS_PER_S) /* from a cut to the window's being stored */

int captures_begin(struct captures *cs, struct capture *c, uint64_t duration_ns, uint64_t now_ns,
		   void (*done)(struct capture *c, int status))
{
	int r;

	if (cs->tally->captures >= cs->max) {
		cs->tally->count[TALLY_CAPTURES_REFUSED]++;
		return -EBUSY;
	}
	*c = (struct capture){ .done = done, .due_ns = now_ns + duration_ns };
	r = conversation_cut(cs->conversation, &c->begin_id);
	if (r < 0)
		return r;
	c->of = cs;
	LIST_INSERT_HEAD(&cs->list, c, link);
	cs->tally->captures++;
	cs->tally->count[TALLY_CAPTURES]++;
	return 0;
}

static void take_out(struct capture *c)
{
	LIST_REMOVE(c, link);
	c->of->tally->captures--;
	c->of = NULL;
}

void capture_leave(struct capture *c)
{
	if (!c->of)
		return;
	c->of->tally->count[TALLY_CAPTURES_LEFT]++;
	take_out(c);
}

static void end(struct capture *c, int status)
{
	take_out(c);
	c->done(c, status);
}

void captures_cut_done(struct captures *cs, const struct web_cut_done *cut)
{
	struct capture *c;

	LIST_FOREACH(c, &cs->list, link)
	if (c->begin_id == cut->id || c->end_id == cut->id)
		break;
	if (!c)
		return; /* it was left */
	if (c->begin_id == cut->id)
		c->from_ns = cut->end_ns;
	else
		c->to_ns = cut->end_ns;
	/* What was before the first cut is not ours: whether that is stored doesn't matter. */
	if (!cut->end_ns || (c->end_id == cut->id && cut->status < 0))
		end(c, cut->status < 0 ? cut->status : -EPROTO);
	else if (c->from_ns && c->to_ns)
		end(c, c->from_ns < c->to_ns ? 0 : -ETIME);
}

static void make_second_cut(struct captures *cs, struct capture *c, uint64_t now_ns)
{
	int r = conversation_cut(cs->conversation, &c->end_id);

	c->due_ns = now_ns + PATIENCE_NS;
	if (r < 0)
		end(c, r);
}

uint64_t captures_run(struct captures *cs, uint64_t now_ns)
{
	uint64_t next_ns = UINT64_MAX;
	struct capture *c, *following;

	for (c = LIST_FIRST(&cs->list); c; c = following) {
		following = LIST_NEXT(c, link);
		if (c->due_ns > now_ns) {
			next_ns = c->due_ns < next_ns ? c->due_ns : next_ns;
			continue;
		}
		if (c->end_id)
			end(c, -ETIMEDOUT);
		else
			make_second_cut(cs, c, now_ns);
		if (c->of && c->due_ns < next_ns)
			next_ns = c->due_ns;
	}
	return next_ns;
}
