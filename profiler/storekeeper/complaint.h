/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes wrong for days is said once a minute: the last sentence of its kind, and how many there were that nobody heard.
 */
#ifndef STOREKEEPER_COMPLAINT_H
#define STOREKEEPER_COMPLAINT_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/err.h"

#define COMPLAINT_MAX_BYTES (sizeof(struct err) + 64)

enum complaint { COMPLAINT_DROPPED, COMPLAINT_ROLL_UP, COMPLAINT_AGENT, COMPLAINT_COUNT };

/* All zero: none yet. */
struct complaints {
	struct {
		uint64_t said_ns, unheard;
	} of[COMPLAINT_COUNT];
};

/* The text to be said, and its length; 0: not now. `now_ns`: CLOCK_MONOTONIC. */
size_t complaint_say(struct complaints *c, enum complaint what, const struct err *err,
		     uint64_t now_ns, char ret[COMPLAINT_MAX_BYTES]);

#endif
