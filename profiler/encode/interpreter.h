/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of a profile ran in an interpreter that could say its program's functions and doesn't: its own functions have
 * names, so that nothing else tells what is missing.
 */
#ifndef ENCODE_INTERPRETER_H
#define ENCODE_INTERPRETER_H

#include <stdint.h>

#include "profiler/model/profile.h"
#include "profiler/model/runtime.h"

/*
 * The value of samples with a frame of that runtime, of series none of whose samples has a frame that it named. 0 for a
 * runtime whose names can't be told by how they begin. 0 or -ENOMEM.
 */
int interpreter_silent_value(const struct profile *p, enum runtime runtime, uint64_t *ret);

#endif
