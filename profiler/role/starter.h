/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a process that may not fork gets others: the agent asks the supervisor (role/service.h); a test
 * forks them itself.
 */
#ifndef ROLE_STARTER_H
#define ROLE_STARTER_H

#include "profiler/base/err.h"

struct started {
	int socket; /* the caller's to close; -1 */
	int pid;
};

struct starter {
	void *ctx;
	/*
	 * Ends the present process of this role, if there is one, and starts another. It waits for no end
	 * that doesn't come. 0; or negative errno and a sentence: -EAGAIN, too many were started lately;
	 * -EBUSY, too many that were ended have not gone yet.
	 */
	int (*start)(void *ctx, const char *role, struct started *ret, struct err *err);
};

#endif
