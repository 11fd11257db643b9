/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the list of code that a process made at run time: /tmp/perf-PID.map in its own root, PID being
 * its pid as it sees it itself. One thread.
 */
#ifndef PROCESS_PERFMAP_H
#define PROCESS_PERFMAP_H

#include <stdint.h>

/*
 * Opens it for the process `pid` that started at `start_ns` (CLOCK_BOOTTIME). 0, or negative errno:
 * -ENOENT if there is none (or it would take waiting for a disk to know), -ESTALE if it is older than the process, -ESRCH if
 * there is no such process, -EPERM if it is neither the process's user's nor root's, or has other names, -EINVAL if it
 * is no regular file, -ELOOP if it is a link, -EREMOTE if it is on a file system that may never answer.
 */
int perfmap_open(uint32_t pid, uint64_t start_ns, int *ret_fd);

#endif
