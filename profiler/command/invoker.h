/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who called us. Through sudo that is $SUDO_UID, not root: commands run as them, files belong to them.
 */
#ifndef COMMAND_INVOKER_H
#define COMMAND_INVOKER_H

#include <stdbool.h>
#include <sys/types.h>

#include "profiler/base/err.h"

#define INVOKER_MAX_GROUPS 1024

struct invoker {
	bool other; /* somebody else than the process's own user; else the rest is not set */
	uid_t uid;
	gid_t gid;
	gid_t groups[INVOKER_MAX_GROUPS];
	int group_count;
	char name[256], home[4096], shell[4096]; /* "" if the user isn't known */
};

/* 0, or -EINVAL and a sentence when sudo's variables are damaged: better than running as root. */
int invoker_find(struct invoker *ret, struct err *err);

/* In a child: becomes that user, for good, environment included. 0 or negative errno. */
int invoker_become(const struct invoker *v);

/* Gives a file of ours to the invoker. 0 or negative errno. */
int invoker_own(int fd);

#endif
