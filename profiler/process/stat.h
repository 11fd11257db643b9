/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What we read of /proc/PID/stat (proc(5)): a process's parent, field 4; when it started, field 22, in
 * ticks of 10 ms since boot. Its name, field 2, is its own choice and may hold spaces and parentheses.
 */
#ifndef PROCESS_STAT_H
#define PROCESS_STAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 0 or -EINVAL. The first process of all has the parent 0. */
int stat_parent_parse(const char *text, size_t len, uint32_t *ret_pid);
int stat_start_parse(const char *text, size_t len, uint64_t *ret_ticks);

/* Does a start read here belong to CLOCK_BOOTTIME `start_ns`? The kernel may round either way. */
bool stat_start_agrees(uint64_t ticks, uint64_t start_ns);

#endif
