// SPDX-License-Identifier: Apache-2.0
/*
 * What is remembered is the wait, not the number of ends: it can't overflow. No chance in it:
 * nobody else waits for the same.
 */
#include "profiler/server/backoff.h"

#include "profiler/base/clock.h"

void backoff_started(struct backoff *b, uint64_t now_ns)
{
	b->started_ns = now_ns;
}

uint64_t backoff_ended(struct backoff *b, uint64_t now_ns)
{
	uint64_t wait_ns;

	if (now_ns - b->started_ns >= BACKOFF_HEALTH_NS)
		b->wait_ns = 0;
	wait_ns = b->wait_ns;
	b->wait_ns = wait_ns ? wait_ns * 2 : NS_PER_S;
	if (b->wait_ns > BACKOFF_MOST_NS)
		b->wait_ns = BACKOFF_MOST_NS;
	return now_ns + wait_ns;
}
