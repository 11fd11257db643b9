/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives up, for good, all that a role's line in the table does not name.
 */
#ifndef ROLE_SANDBOX_H
#define ROLE_SANDBOX_H

#include <linux/capability.h>

#include "profiler/base/err.h"
#include "profiler/role/role.h"

struct identity {
	uid_t uid;
	gid_t gid;
};

/* Who a process of this role is when it is started by us, as we are now. */
struct identity sandbox_identity(const struct role *role);

/* Used for giving up the rest, and given up then. */
#define SANDBOX_CAPABILITIES \
	(1ULL << CAP_SETUID | 1ULL << CAP_SETGID | 1ULL << CAP_SETPCAP | 1ULL << CAP_KILL)

/*
 * Call once, in a process of its own, after child_enter and before the first byte of input is
 * looked at; with one thread. When it fails, some of it has been given up already and the rest has
 * not: end the process.
 *
 * No new privileges, no capability but the role's (and of those, what there is), own uid and gid and no
 * groups if we may change them, no core dump and no ptrace by others of that uid, standard error to
 * /dev/null (unless a sanitizer needs it), the role's limits and its system calls.
 *
 * The uid is changed with CAP_SETUID, CAP_SETGID and CAP_KILL only: without the last, a parent
 * could not end a child that is somebody else.
 */
int sandbox_enter(const struct role *role, struct err *err);

/*
 * The first part of that, which is for good, too: uid, gid, groups and capabilities. For who then starts another program, which is to
 * call sandbox_enter() itself: what its loader and its libraries do before main() is done without privileges.
 */
int sandbox_demote(const struct role *role, struct err *err);

/*
 * Gives up the capabilities and the system calls that are `until_sealed`, and with them all ways back. Once,
 * in the sandbox. When it fails, end the process.
 */
int sandbox_seal(const struct role *role, struct err *err);

/*
 * For a process that goes on as who it is and starts others: no new privileges, no capability but the
 * role's and those that it passes on, its system calls. Not its limits, uid, descriptors or standard
 * error.
 */
int sandbox_confine(const struct role *role, struct err *err);

#endif
