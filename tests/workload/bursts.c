/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work in lockstep with a 99 Hz sampler: every 1/99 s, at the same phase, burst_early runs for 15 %
 * of the period, then burst_late for 15 %, then nothing until the next period. A sampler with one
 * 99 Hz timer always meets the same phase: it reports one of the three as all there is.
 *
 * Period k begins at base + k × 10^9 / 99 ns of CLOCK_MONOTONIC, computed from k each time, so that
 * nothing drifts. The thread is pinned, since samplers have a phase per CPU. If the CPU was taken
 * away and a burst's end is past, the rest of the burst is dropped, not made up for; the truth is
 * the CPU time that each function did use.
 *
 * usage: bursts [SECONDS-OF-WALL-TIME [CPU]]
 */
#include "truth.h"

#include <errno.h>
#include <sched.h>

#define GRID_HZ 99
#define SPIN_ROUNDS 10000 /* ~15 µs between looks at the clock */

static uint64_t grid_ns(uint64_t base, uint64_t k)
{
	return base + k * NS_PER_S / GRID_HZ;
}

static PROFILED void burst_early(uint64_t end_ns)
{
	while (clock_ns(CLOCK_MONOTONIC) < end_ns)
		SPIN_BODY(SPIN_ROUNDS, 0x9e3779b97f4a7c15);
}

static PROFILED void burst_late(uint64_t end_ns)
{
	while (clock_ns(CLOCK_MONOTONIC) < end_ns)
		SPIN_BODY(SPIN_ROUNDS, 0xbf58476d1ce4e5b9);
}

static void sleep_until(uint64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / NS_PER_S),
			       .tv_nsec = (long)(ns % NS_PER_S) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

static void pin_to(unsigned long cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0) {
		perror("bursts: sched_setaffinity");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	uint64_t wall_ns = truth_cpu_seconds(argc, argv, 3), period_ns = NS_PER_S / GRID_HZ;
	uint64_t early_ns = 0, late_ns = 0, base;

	pin_to(argc > 2 ? strtoul(argv[2], NULL, 10) : 0);
	truth_wait_for_go();
	base = clock_ns(CLOCK_MONOTONIC) + truth_seed() % period_ns;
	for (uint64_t k = 0; k < wall_ns * GRID_HZ / NS_PER_S; k++) {
		uint64_t start = grid_ns(base, k), begin, middle;

		sleep_until(start);
		begin = thread_cpu_ns();
		burst_early(start + period_ns * 15 / 100);
		middle = thread_cpu_ns();
		burst_late(start + period_ns * 30 / 100);
		early_ns += middle - begin;
		late_ns += thread_cpu_ns() - middle;
	}
	truth_print("function", "burst_early", 0, early_ns);
	truth_print("function", "burst_late", 0, late_ns);
	truth_print_process("bursts");
	return 0;
}
