/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGINT, SIGTERM and SIGHUP: the first asks for the end, the second doesn't ask. And the other
 * signals that our caller may have left in a way that doesn't suit us.
 */
#ifndef COMMAND_INTERRUPT_H
#define COMMAND_INTERRUPT_H

#include <stdbool.h>

/* Ignores SIGPIPE, and doesn't ignore SIGCHLD; before anything else. */
void interrupt_init(void);

/*
 * Catches the three. After `grace` of them, which are only told by interrupt_came(), the next one
 * calls `abandon`, which must be safe in a signal handler, and ends the process with status 1.
 * Calls that one of them interrupts are restarted, poll() is not.
 */
int interrupt_catch(int grace, void (*abandon)(void));

/* From now on one that comes within 100 ms of another is the same, if the first is only told. */
void interrupt_pass_over_echoes(void);

/* Did one come? */
bool interrupt_came(void);

/* All signals as our caller had them; for a child before it becomes another program. */
void interrupt_release(void);

/* No longer for us: for a process whose parent decides when it ends, and shares its terminal. */
void interrupt_ignore(void);

#endif
