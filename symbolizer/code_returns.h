/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which code returns, as far as its instructions say: behind a call of what never does may be
 * another function.
 */
#ifndef SYMBOLIZER_CODE_RETURNS_H
#define SYMBOLIZER_CODE_RETURNS_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/code_sweep.h"

/* Sets CODE_ENDS where a way out is ahead, CODE_RETURNS where a ret is. */
void code_returns_find(struct code_insns *x);

/*
 * Does the call, instruction n, return, and to this function? Padding behind it, or another
 * function, says no.
 */
bool code_call_returns(const struct code_insns *x, uint32_t n);

/*
 * A function that is called by a pointer returns as far as the compiler can know; of others'
 * functions it may know better than we do.
 */
bool code_call_surely_returns(const struct code_insns *x, const struct code_insn *i);

#endif
