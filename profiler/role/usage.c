// SPDX-License-Identifier: Apache-2.0
/*
 * CPU time by the process's clock, which counts nanoseconds where /proc/PID/stat has ticks; memory by
 * the "Pss:" line of /proc/PID/smaps_rollup (Documentation/filesystems/proc.rst, 1.1), which the kernel
 * adds up over all mappings when it is read: a millisecond or so, so it is for when someone asks.
 */
#include "profiler/role/usage.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/number.h"

uint64_t usage_cpu_ns(int pid)
{
	clockid_t clock;
	struct timespec t;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) < 0)
		return 0;
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t usage_ended_ns(const struct rusage *u)
{
	return (uint64_t)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * NS_PER_S +
	       (uint64_t)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) * 1000;
}

uint64_t usage_memory_bytes(int pid)
{
	static const char key[] = "\nPss:";
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(16 << 10);
	_cleanup_(fd_close) int fd = -1;
	char path[64];
	const char *at;
	uint64_t kib;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || buffer_read_fd(&text, fd) < 0 || !buffer_cstr(&text))
		return 0;
	at = strstr(text.data, key);
	if (!at)
		return 0;
	at += strlen(key);
	at += strspn(at, " ");
	return number_parse(at, strcspn(at, " \n"), UINT64_MAX >> 10, &kib) < 0 ? 0 : kib << 10;
}
