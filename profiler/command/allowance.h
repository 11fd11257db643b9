/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What our processes may have more of than they were started with, and inherit. Beside it each has
 * its own limits (role/role.h).
 */
#ifndef COMMAND_ALLOWANCE_H
#define COMMAND_ALLOWANCE_H

void allowance_raise(void);

#endif
