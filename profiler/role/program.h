/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roles that are programs of their own, since what they are linked with should be in no process that has rights: `slowburn ROLE`,
 * started as any child (child.h), becomes one.
 */
#ifndef ROLE_PROGRAM_H
#define ROLE_PROGRAM_H

#include "profiler/base/err.h"
#include "profiler/role/role.h"

/*
 * Gives up uid, groups and capabilities as sandbox_enter() would, then becomes the role's program, which lies in the folder where we
 * lie. Call after child_enter(); the program calls child_enter() and sandbox_enter() again. Returns only when it failed: negative errno
 * and a sentence.
 */
int program_become(const struct role *role, struct err *err);

#endif
