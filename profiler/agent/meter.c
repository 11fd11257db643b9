// SPDX-License-Identifier: Apache-2.0
/*
 * Ticks that were due, that ran the sampler and that were idle come of three clocks, each with its own doubt. What is missing beyond
 * the doubt is told as lost.
 */
#include "profiler/agent/meter.h"

#include "profiler/base/clock.h"

void meter_read(struct meter *ret, struct session *s, int stat_fd)
{
	*ret = (struct meter){ .time_ns = clock_ns(CLOCK_MONOTONIC) };
	session_ticks(s, &ret->ticks);
	ret->bpf_ns = session_bpf_ns(s);
	if (machine_usage_read(stat_fd, session_cpus(s), SESSION_MAX_CPUS, &ret->machine) < 0)
		ret->machine = (struct machine_usage){ 0 };
}

/* Nobody answered, say. */
static uint64_t since(uint64_t end, uint64_t start)
{
	return end > start ? end - start : 0;
}

/*
 * Ticks that the sampler didn't see although the CPU was busy. Idle CPUs' are no loss, and how many those
 * were is known from /proc/stat only, to a twentieth or so and in steps of 10 ms; and each timer's last
 * tick may still be on its way. No more are due than there was time for: a timer's clock may go on while the machine is suspended.
 */
static uint64_t ticks_missed(const struct meter *start, const struct meter *end,
			     const struct profile_facts *f, const struct machine_usage *used)
{
	uint64_t cpus = f->cpus_profiled, due, busy, idle, doubt, most;

	if (!f->period)
		return 0;
	due = since(end->ticks.due, start->ticks.due);
	most = since(end->time_ns, start->time_ns) / f->period * cpus +
	       cpus * SESSION_EVENTS_PER_CPU;
	if (due > most)
		due = most;
	busy = since(end->ticks.seen - end->ticks.idle, start->ticks.seen - start->ticks.idle);
	idle = (used->idle_ns + used->steal_ns) / f->period;
	doubt = cpus * SESSION_EVENTS_PER_CPU;
	if (idle)
		doubt += idle / 20 + cpus * (20 * NS_PER_MS / f->period);
	return due > busy + idle + doubt ? due - busy - idle : 0;
}

void meter_between(const struct meter *start, const struct meter *end, struct profile_facts *f,
		   struct counters *counters)
{
	struct machine_usage used;

	f->own_bpf_ns = since(end->bpf_ns, start->bpf_ns);
	f->machine_ns = f->busy_ns = f->steal_ns = 0;
	if (!machine_usage_since(&start->machine, &end->machine, &used))
		return;
	f->machine_ns = f->duration_ns * f->cpus_profiled;
	f->busy_ns = used.busy_ns;
	f->steal_ns = used.steal_ns;
	/* Whether a filter would have let them through nobody knows. */
	counter_add(counters, f->filtered ? COUNTER_TICKS_MISSED : COUNTER_SAMPLES_MISSED,
		    ticks_missed(start, end, f, &used));
}
