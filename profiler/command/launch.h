/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command that is profiled from its first instruction to its last: started as the invoker but held
 * before exec, so that its pid is known, and let go when the sampler runs.
 */
#ifndef COMMAND_LAUNCH_H
#define COMMAND_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/command/invoker.h"

struct launch {
	int pid; /* 0: none */
	int pidfd; /* readable when it has ended */
	int go; /* our end of the pipe that holds it */
	int refusal; /* the child's errno comes here if exec fails */
};

#define LAUNCH_INIT                                  \
	{                                            \
		.pidfd = -1, .go = -1, .refusal = -1 \
	}

/* Forks; the child waits. `argv` is borrowed until launch_go(). 0, or negative errno and a sentence. */
int launch_hold(struct launch *l, const struct invoker *who, char *const *argv, struct err *err);

/* Lets it go, and waits until it runs. 0, or negative errno and a sentence. */
int launch_go(struct launch *l, const char *name, struct err *err);

/* Has it ended by itself? Does not block. */
bool launch_ended(const struct launch *l);

/*
 * Sends SIGTERM to a command that still runs, and reaps it; one that ignores that for a second goes on
 * without us, and then 1 is returned. *ret_wait_status is as of waitpid(2), written if 0 is returned.
 */
int launch_end(struct launch *l, int *ret_wait_status);

/* SIGTERM to the command that was let go, if it still runs; for a signal handler that ends the process. */
void launch_abandon(void);

/* Kills what was never let go. */
void launch_release(struct launch *l);

#endif
