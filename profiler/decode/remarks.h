/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The comments of our own pprof files, taken back: what encode/pprof.c says there of facts and counters.
 */
#ifndef DECODE_REMARKS_H
#define DECODE_REMARKS_H

#include <stdbool.h>

#include "profiler/model/profile.h"

/* Is it the first comment of a file of ours? Then it is taken: its event lives in the profile's arena. */
bool remarks_begin(struct profile *p, const char *comment);

/* Takes one of the others; what it doesn't know it passes over. */
void remarks_take(struct profile *p, const char *comment);

#endif
