/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every CPU busy, all the time: one pinned thread on each CPU that this process may use, spinning
 * until the wall time is over.
 * usage: saturate [SECONDS-OF-WALL-TIME]
 */
#include "truth.h"

#include <pthread.h>
#include <sched.h>

struct spinner {
	pthread_t thread;
	int cpu; /* -1: not one of ours */
	uint64_t end_ns, cpu_ns;
	pid_t tid;
};

static PROFILED void saturate_spin(uint64_t rounds)
{
	SPIN_BODY(rounds, 0x9e3779b97f4a7c15);
}

static void *spinner_run(void *data)
{
	struct spinner *spinner = data;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)spinner->cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		abort();
	spinner->tid = gettid();
	while (clock_ns(CLOCK_MONOTONIC) < spinner->end_ns)
		saturate_spin(100000);
	spinner->cpu_ns = thread_cpu_ns();
	return NULL;
}

int main(int argc, char **argv)
{
	uint64_t end_ns = truth_cpu_seconds(argc, argv, 3);
	static struct spinner spinners[CPU_SETSIZE];
	cpu_set_t mine;

	if (sched_getaffinity(0, sizeof(mine), &mine) < 0)
		abort();
	truth_wait_for_go();
	end_ns += clock_ns(CLOCK_MONOTONIC);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		spinners[cpu].cpu = CPU_ISSET((size_t)cpu, &mine) ? cpu : -1;
		spinners[cpu].end_ns = end_ns;
		if (spinners[cpu].cpu >= 0 &&
		    pthread_create(&spinners[cpu].thread, NULL, spinner_run, &spinners[cpu]))
			abort();
	}
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (spinners[cpu].cpu < 0)
			continue;
		pthread_join(spinners[cpu].thread, NULL);
		truth_print("thread", "saturate", spinners[cpu].tid, spinners[cpu].cpu_ns);
	}
	truth_print_process("saturate");
	return 0;
}
