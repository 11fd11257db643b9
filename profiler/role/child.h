/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own further processes: started by fork and exec of /proc/self/exe as `slowburn ROLE`, with a
 * socket as descriptor 3 and nothing else but standard error inherited, ended with the parent
 * (PDEATHSIG).
 */
#ifndef ROLE_CHILD_H
#define ROLE_CHILD_H

#include <stdint.h>
#include <sys/resource.h>

#include "profiler/base/err.h"

#define ROLE_CHILD_SOCKET 3

struct child {
	int pid; /* 0: not running */
	int socket;
};

/* `role` is argv[1] of the new process. */
int child_start(struct child *c, const char *role, struct err *err);

/*
 * Closes the socket, kills it if it does not end within 100 ms, reaps it; adds its usage to *usage.
 */
void child_stop(struct child *c, struct rusage *usage);

/*
 * In the new process: closes what it should not have, sets PDEATHSIG. Call first in a role's main.
 */
int child_enter(void);

#endif
