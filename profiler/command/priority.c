// SPDX-License-Identifier: Apache-2.0
/*
 * 35 ms of CPU time must be had before the first sample, and on a machine with twice as many busy threads as CPUs
 * that took 160 to 2,100 ms (90 ms like this). And who has stopped another's thread is not to wait for a CPU.
 * Refused: a real-time class, which could stop the machine.
 */
#include "profiler/command/priority.h"

#include <sys/resource.h>

#define RAISED_NICE (-10)

void priority_raise(void)
{
	if (getpriority(PRIO_PROCESS, 0) == 0)
		setpriority(PRIO_PROCESS, 0, RAISED_NICE);
}
