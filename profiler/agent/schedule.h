/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When windows end. They follow each other without a gap in CLOCK_MONOTONIC, in which samples are; each has the times of CLOCK_REALTIME that it
 * is stored by:
 *
 *	a multiple of window_ns in CLOCK_REALTIME	always
 *	a cut that is asked for				at once, and with it those that come in the 50 ms behind the one before
 *	a step of CLOCK_REALTIME, a suspend		what was before it is a window, what is behind it another
 *
 * So no window is longer than window_ns by more than the drains' distance, and none spans a suspend. It reads no clock. One thread.
 */
#ifndef AGENT_SCHEDULE_H
#define AGENT_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/job.h"

/* Clocks that drift apart by less since the last look are being adjusted, and that is no step. */
#define SCHEDULE_STEP_NS (500 * 1000000ULL)

struct schedule_cut {
	uint64_t id, came_ns;
};

struct schedule {
	uint64_t window_ns;
	uint64_t start_ns, start_real_ns; /* of the present window */
	int64_t offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	uint64_t looked_ns; /* when that was so */
	uint64_t hasten_ns; /* it is to end then; 0: nobody said so */
	bool stepped; /* it ended at `looked_ns`, and the next one has another offset: */
	int64_t next_offset_ns;
	struct schedule_cut cuts[AGENT_MAX_CUTS];
	uint32_t cut_count;
};

/* A window. */
struct schedule_window {
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
	uint64_t start_real_ns, end_real_ns;
};

void schedule_begin(struct schedule *s, uint64_t window_ns, uint64_t now_ns, uint64_t real_ns);

/* What the clocks say now, in this order: to be told with each drain. */
void schedule_look(struct schedule *s, uint64_t now_ns, uint64_t real_ns);

/* Somebody wants the window to end. 0; -EAGAIN: too many do. */
int schedule_cut(struct schedule *s, uint64_t id, uint64_t now_ns);

/* We do, for reasons of our own. */
void schedule_hasten(struct schedule *s, uint64_t now_ns);

/* When the present window ends, CLOCK_MONOTONIC, as things are: perhaps in the past. */
uint64_t schedule_end(const struct schedule *s);

/*
 * It ended, when schedule_end() says: *ret is it, and the next one begins. Up to AGENT_MAX_CUTS of the cuts that are done by
 * that: their ids; returns how many.
 */
uint32_t schedule_turn(struct schedule *s, struct schedule_window *ret,
		       uint64_t ret_ids[AGENT_MAX_CUTS]);

#endif
