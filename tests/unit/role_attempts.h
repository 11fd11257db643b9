/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a confined process tries, and what must come of it, by role. What a role's work needs is compared with what root
 * gets, so that it doesn't matter what this kernel or container allows at all.
 */
#ifndef TESTS_UNIT_ROLE_ATTEMPTS_H
#define TESTS_UNIT_ROLE_ATTEMPTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "profiler/base/buffer.h"

/* What is handed in to be tried on, in this order. */
enum { READABLE, WRITABLE, KALLSYMS, SOCKET, ATTEMPT_FDS };

/* To be called first: a process to look into, and the descriptors, which are borrowed. */
void attempts_aim(pid_t other);
void attempts_hand(const int handed[ATTEMPT_FDS]);

/*
 * Tries all that the role's table has, or with `wanted` says what it should come to: a line each. The agent seals itself
 * half-way. 0 or negative errno.
 */
int attempts_compose(const char *role, struct buffer *text, bool wanted);

/* One of them, by this process: 0 or the errno; ENOSYS: there is none of this name. */
int attempt_try(const char *role, const char *name);

#endif
