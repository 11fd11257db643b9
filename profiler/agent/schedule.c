// SPDX-License-Identifier: Apache-2.0
/*
 * The present window's start is kept in both clocks, and a multiple of window_ns is counted from the one that was told. So the next
 * window begins on the multiple itself, though the clocks drift. What shows a step is the difference of the clocks since the last
 * look: CLOCK_MONOTONIC stands still while the machine is suspended, and nobody sets it.
 *
 * Refused: a timer of CLOCK_REALTIME that is cancelled by steps (TFD_TIMER_CANCEL_ON_SET): it says nothing of a suspend.
 */
#include "profiler/agent/schedule.h"

#include <errno.h>

/* A window that would be shorter, as the clocks drifted, is part of the next. */
#define LEAST_NS 1000000ULL

void schedule_begin(struct schedule *s, uint64_t window_ns, uint64_t now_ns, uint64_t real_ns)
{
	*s = (struct schedule){
		.window_ns = window_ns,
		.start_ns = now_ns,
		.start_real_ns = real_ns,
		.offset_ns = (int64_t)(real_ns - now_ns),
		.looked_ns = now_ns,
	};
}

void schedule_look(struct schedule *s, uint64_t now_ns, uint64_t real_ns)
{
	int64_t offset = (int64_t)(real_ns - now_ns), by = offset - s->offset_ns;

	/* One at a time: a second one is seen when the window of the first has ended. */
	if (s->stepped)
		return;
	if (by > (int64_t)SCHEDULE_STEP_NS || by < -(int64_t)SCHEDULE_STEP_NS) {
		s->next_offset_ns = offset;
		s->stepped = s->looked_ns > s->start_ns;
		if (s->stepped)
			return;
		/* It has only begun. */
		s->start_real_ns = s->start_ns + (uint64_t)offset;
	}
	s->offset_ns = offset;
	s->looked_ns = now_ns;
}

int schedule_cut(struct schedule *s, uint64_t id, uint64_t now_ns)
{
	if (s->cut_count == AGENT_MAX_CUTS)
		return -EAGAIN;
	s->cuts[s->cut_count++] = (struct schedule_cut){ id, now_ns };
	return 0;
}

void schedule_hasten(struct schedule *s, uint64_t now_ns)
{
	if (!s->hasten_ns)
		s->hasten_ns = now_ns;
}

/* The multiple of window_ns that ends it; *ret_real is itself. */
static uint64_t multiple(const struct schedule *s, uint64_t *ret_real)
{
	uint64_t real = (s->start_real_ns / s->window_ns + 1) * s->window_ns;

	if (real - (uint64_t)s->offset_ns < s->start_ns + LEAST_NS)
		real += s->window_ns;
	*ret_real = real;
	return real - (uint64_t)s->offset_ns;
}

uint64_t schedule_end(const struct schedule *s)
{
	uint64_t real, end = multiple(s, &real), cut;

	if (s->stepped)
		return s->looked_ns;
	if (s->hasten_ns && s->hasten_ns < end)
		end = s->hasten_ns;
	if (!s->cut_count)
		return end;
	cut = s->start_ns + AGENT_CUT_SHARE_NS;
	if (cut < s->cuts[0].came_ns)
		cut = s->cuts[0].came_ns;
	/* What ends by itself so soon need not end twice. */
	return end < cut + AGENT_CUT_SHARE_NS ? end : cut;
}

static uint32_t cuts_done(struct schedule *s, uint64_t end_ns, uint64_t ret_ids[AGENT_MAX_CUTS])
{
	uint32_t done = 0;

	while (done < s->cut_count && s->cuts[done].came_ns <= end_ns) {
		ret_ids[done] = s->cuts[done].id;
		done++;
	}
	for (uint32_t i = done; i < s->cut_count; i++)
		s->cuts[i - done] = s->cuts[i];
	s->cut_count -= done;
	return done;
}

uint32_t schedule_turn(struct schedule *s, struct schedule_window *ret,
		       uint64_t ret_ids[AGENT_MAX_CUTS])
{
	uint64_t end = schedule_end(s), real;
	bool on_time = multiple(s, &real) == end && !s->stepped;

	if (!on_time)
		real = end + (uint64_t)s->offset_ns;
	/* Clocks that are adjusted may have it end before it began. */
	if (real < s->start_real_ns)
		real = s->start_real_ns;
	*ret = (struct schedule_window){ s->start_ns, end, s->start_real_ns, real };
	if (s->stepped) {
		s->offset_ns = s->next_offset_ns;
		s->stepped = false;
		real = end + (uint64_t)s->offset_ns;
	}
	if (s->hasten_ns <= end)
		s->hasten_ns = 0;
	s->start_ns = end;
	s->start_real_ns = real;
	return cuts_done(s, end, ret_ids);
}
