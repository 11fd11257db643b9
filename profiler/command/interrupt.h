/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGINT, SIGTERM and SIGHUP: the first asks for the end, the second doesn't ask.
 */
#ifndef COMMAND_INTERRUPT_H
#define COMMAND_INTERRUPT_H

#include <stdbool.h>

/*
 * Catches the three. The second of them calls `abandon`, which must be safe in a signal handler, and
 * ends the process with status 1. Calls that one of them interrupts are restarted, poll() is not.
 */
int interrupt_catch(void (*abandon)(void));

/* Did one come? */
bool interrupt_came(void);

/* Default actions again; for a child before it becomes another program. */
void interrupt_release(void);

/* No longer for us: for a process whose parent decides when it ends, and shares its terminal. */
void interrupt_ignore(void);

#endif
