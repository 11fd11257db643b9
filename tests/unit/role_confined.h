/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that are confined as a role's, to be tested: the real roles, and some that exist only here, which take one
 * layer away to see that the others hold ("leaky", "daemon", "root", "keeper"). A test's main() calls confined_main() when it
 * has an argument.
 */
#ifndef TESTS_UNIT_ROLE_CONFINED_H
#define TESTS_UNIT_ROLE_CONFINED_H

#include <stddef.h>

#include "profiler/base/buffer.h"
#include "profiler/role/child.h"

#define CONFINED_NOBODY 65534

/* Is a role. An exit status. */
int confined_main(const char *role);

/* Skips the test for all others. */
void need_root(void);

/* Starts one, which waits to be heard; and one that has nothing to try, and is in its sandbox when this returns. */
void confined_start(struct child *c, const char *role);
void confined_enter(struct child *c, const char *role);
/* It would not end by itself. */
void confined_stop(struct child *c);

/* Hands in what there is to try on, and receives what came of it: to be released. */
void confined_hear(const struct child *c, struct buffer *ret_text);
/* The same, and it must be what is wanted of the role. */
void confined_expect(const struct child *c, const char *role);

/* The line NAME of a file in /proc/PID, its blanks each one space and none at its end. */
void confined_line(int pid, const char *file, const char *name, char *ret, size_t size);
void confined_expect_line(const struct child *c, const char *file, const char *name,
			  const char *want);

/* Runs `f` in a process of its own, which it may spoil; it must return 0. */
void apart(int (*f)(void));

#endif
