/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /proc/PID/status says of a process or thread (Documentation/filesystems/proc.rst, 1.1). Its name is what it
 * calls itself; the kernel has escaped newlines and backslashes in it.
 */
#ifndef PROCESS_STATUS_H
#define PROCESS_STATUS_H

#include <stddef.h>
#include <stdint.h>

#define STATUS_MAX_COMM 64 /* of 16 bytes, each perhaps escaped */

struct process_status {
	char comm[STATUS_MAX_COMM + 1];
	char state; /* as ps(1) has it: 'R', 'S', 'D', 'T', 't', 'Z', 'X', 'I' … */
	uint32_t tgid, ppid;
	uint32_t tracer_pid; /* 0: nobody traces it */
	uint32_t fs_uid; /* whose the files are that it makes; UINT32_MAX: not said */
	uint32_t own_pid; /* its pid as it sees it itself: in the innermost pid namespace; or tgid */
};

/* 0, or -EINVAL if one of these is no number, or one of the first five is missing. */
int process_status_parse(const char *text, size_t len, struct process_status *ret);

#endif
