/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own further processes: started by fork and exec of /proc/self/exe as `slowburn ROLE`, with a
 * socket as descriptor 3 and nothing else but standard error inherited, ended with the parent
 * (PDEATHSIG).
 */
#ifndef ROLE_CHILD_H
#define ROLE_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "profiler/base/err.h"

#define ROLE_CHILD_SOCKET 3

struct child {
	int pid; /* 0: not running */
	int socket;
};

/*
 * `role` is argv[1] of the new process. It is given the capabilities of its line in the table, and
 * those that sandbox_enter() needs, as far as we have them and whoever we are.
 */
int child_start(struct child *c, const char *role, struct err *err);

/*
 * The same with an upper bound for its private memory (RLIMIT_DATA), and for the copies of files
 * that it makes, if its role does (RLIMIT_FSIZE); limits are never raised. 0: none.
 */
int child_start_limited(struct child *c, const char *role, uint64_t memory_bytes, struct err *err);

/*
 * Has it ended? Then it is reaped, what it used is added to *usage (or NULL), and *ret_wait_status
 * (or NULL) says how. Doesn't wait. True also if there is none.
 */
bool child_ended(struct child *c, struct rusage *usage, int *ret_wait_status);

/*
 * Closes the socket and kills it; waits at most `patience_ns` for its end. False if it is still
 * there then: it waits for something within the kernel, and child_ended() will tell when it has
 * gone.
 */
bool child_kill(struct child *c, uint64_t patience_ns, struct rusage *usage);

/*
 * Closes the socket, kills it if it does not end within 100 ms, reaps it, adds what it used to
 * *usage. One that doesn't go within another second is left alone.
 */
void child_stop(struct child *c, struct rusage *usage);

/*
 * In the new process: closes what it should not have, sets PDEATHSIG. Call first in a role's main.
 */
int child_enter(void);

#endif
