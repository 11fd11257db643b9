/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manual, made from the table of commands: one screen of overview, and slowburn(8) as mdoc(7).
 */
#ifndef COMMAND_MANUAL_H
#define COMMAND_MANUAL_H

#include <stdio.h>

/* Both: 0 or negative errno. */
int manual_overview(FILE *out);
int manual_print(FILE *out);

#endif
