/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a process started, from /proc/PID/stat (proc(5)): field 22, in ticks of 10 ms since boot. The
 * name of the process, field 2, is its own choice and may hold spaces and parentheses.
 */
#ifndef PROCESS_STAT_H
#define PROCESS_STAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 0 or -EINVAL. */
int stat_start_parse(const char *text, size_t len, uint64_t *ret_ticks);

/* Does a start read here belong to CLOCK_BOOTTIME `start_ns`? The kernel may round either way. */
bool stat_start_agrees(uint64_t ticks, uint64_t start_ns);

#endif
