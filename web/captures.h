/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Live captures: what is sampled from now on for so many seconds. A window is cut at the beginning and one at the end, and in between
 * nothing is done; when the last window is in the store, what it and those before it have is asked for like any other range.
 */
#ifndef WEB_CAPTURES_H
#define WEB_CAPTURES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "web/conversation.h"
#include "web/tally.h"

struct captures;

struct capture {
	struct captures *of; /* NULL: not begun, or over */
	/* Once, when it is over: 0, and from_ns and to_ns are good; or negative errno. */
	void (*done)(struct capture *c, int status);
	uint64_t from_ns, to_ns; /* CLOCK_REALTIME, of whole windows; 0: not known yet */
	uint64_t begin_id, end_id; /* of the cuts; 0: not asked for yet */
	uint64_t due_ns; /* CLOCK_MONOTONIC: the second cut, or when it is given up */
	LIST_ENTRY(capture) link;
};

struct captures {
	struct conversation *conversation; /* borrowed */
	struct tally *tally; /* borrowed */
	uint32_t max;
	LIST_HEAD(, capture) list;
};

/* 0; -EBUSY: there are too many; another negative errno. Not `done` unless it is 0. */
int captures_begin(struct captures *cs, struct capture *c, uint64_t duration_ns, uint64_t now_ns,
		   void (*done)(struct capture *c, int status));

/* Nobody waits for it any longer; not `done`. Also of one that is over. */
void capture_leave(struct capture *c);

void captures_cut_done(struct captures *cs, const struct web_cut_done *cut);

/* What is due now. Returns when to be called next (CLOCK_MONOTONIC), or UINT64_MAX. */
uint64_t captures_run(struct captures *cs, uint64_t now_ns);

#endif
