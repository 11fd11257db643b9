/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMAND_PRIORITY_H
#define COMMAND_PRIORITY_H

/*
 * Ahead of the crowd, unless whoever started us chose a priority; the processes that we start inherit it. Without the
 * right to it nothing changes.
 */
void priority_raise(void);

#endif
