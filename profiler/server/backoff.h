/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a process that has ended is started again: at once, then after 1, 2, 4 … 60 s. One that
 * lived for ten minutes is forgiven what was before.
 */
#ifndef SERVER_BACKOFF_H
#define SERVER_BACKOFF_H

#include <stdint.h>

#define BACKOFF_MOST_NS (60 * 1000000000ULL)
#define BACKOFF_HEALTH_NS (600 * 1000000000ULL)

struct backoff {
	uint64_t started_ns; /* CLOCK_MONOTONIC */
	uint64_t wait_ns; /* before the next start but one */
};

/* It was started, or its start was tried. */
void backoff_started(struct backoff *b, uint64_t now_ns);

/* It has ended, or could not be started: the moment to start it again. */
uint64_t backoff_ended(struct backoff *b, uint64_t now_ns);

#endif
