// SPDX-License-Identifier: Apache-2.0
/*
 * SCHED_BATCH and nice 0 for all it does, the idle class of I/O for what can wait. Refused: SCHED_IDLE for roll-ups: a window that comes
 * meanwhile would wait for a CPU with them.
 */
#include "profiler/storekeeper/priority.h"

#include <linux/ioprio.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

void priority_batch(void)
{
	const struct sched_param none = { 0 };

	(void)sched_setscheduler(0, SCHED_BATCH, &none);
	(void)setpriority(PRIO_PROCESS, 0, 0);
}

void priority_idle(bool idle)
{
	static bool is_idle;

	if (idle == is_idle)
		return;
	is_idle = idle;
	(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
		      idle ? IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)
			   : IOPRIO_PRIO_VALUE(IOPRIO_CLASS_NONE, 0));
}
