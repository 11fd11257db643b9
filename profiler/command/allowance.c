// SPDX-License-Identifier: Apache-2.0
/*
 * Descriptors, up to what we may raise the limit to, and locked memory. Failing is no error: with
 * less, less is done.
 */
#include "profiler/command/allowance.h"

#include <sys/resource.h>

/*
 * Of the agent: binaries held open, and events, five for each CPU. Of a reader: all files of a
 * store.
 */
#define WANTED_FDS 4096

/* With fewer, binaries are let go early: no error. */
static void files_allow(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= WANTED_FDS)
		return;
	l.rlim_cur = l.rlim_max < WANTED_FDS ? l.rlim_max : WANTED_FDS;
	setrlimit(RLIMIT_NOFILE, &l);
}

/*
 * Before Linux 5.11 what BPF maps take counts as locked memory, of which there are 8 MiB for the
 * agent's uid. --memory bounds it anyway. To be deleted with the support of 5.10.
 */
static void locked_memory_allow(void)
{
	const struct rlimit l = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &l);
}

void allowance_raise(void)
{
	files_allow();
	locked_memory_allow();
}
