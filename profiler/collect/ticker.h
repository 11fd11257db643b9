/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The perf events that make the sampler run on a CPU.
 *
 * One timer of 99 Hz reports between 1 % and 330 % of the truth about work that repeats at that rate.
 * So each CPU has several, with unequal random periods whose rates add up to the frequency: nothing
 * can keep step with all of them.
 */
#ifndef COLLECT_TICKER_H
#define COLLECT_TICKER_H

#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/collect/session.h"

/* No event is faster; below that the kernel would throttle, or drown. */
#define TICKER_MIN_PERIOD_NS 10000

struct ticker {
	enum session_event event;
	uint32_t frequency_hz;
	uint32_t count; /* events on each CPU */
	uint64_t periods_ns[SESSION_EVENTS_PER_CPU]; /* cpu-clock only */
};

/* A CPU's open events; -1 where there is none. */
struct ticks {
	int fds[SESSION_EVENTS_PER_CPU];
};

#define TICKS_CLOSED                      \
	{                                 \
		.fds = { -1, -1, -1, -1 } \
	}

/* `random` decides the periods. */
void ticker_init(struct ticker *t, enum session_event event, uint32_t frequency_hz,
		 const uint32_t random[SESSION_EVENTS_PER_CPU]);

/*
 * Opens the events of a CPU with the BPF program attached: they don't tick yet. 0, or negative errno and
 * a sentence; -ENODEV when the CPU isn't online.
 */
int ticker_open(const struct ticker *t, uint32_t cpu, int program_fd, struct ticks *ret,
		struct err *err);
/* 0 or negative errno. */
int ticks_start(const struct ticks *ticks);
void ticks_close(struct ticks *ticks);

/* How often these should have ticked by now: what the sampler didn't see of it was lost. cpu-clock only. */
uint64_t ticks_due(const struct ticks *ticks, const struct ticker *t);

#endif
