/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of code that a process made at run time, from what it says of it itself: a jitdump, a perf map, or
 * both. Where both name an address the jitdump does, as it has times.
 */
#ifndef SYMBOLIZER_JIT_ANSWER_H
#define SYMBOLIZER_JIT_ANSWER_H

#include <stdint.h>

#include "symbolizer/reply.h"

/*
 * Fills a reply made for `count` ascending addresses, as far as there is room. What a file is, it says
 * itself: what isn't a jitdump is taken for a perf map. 0 or -ENOMEM.
 */
int jit_answer(const int *fds, uint32_t fd_count, const uint64_t *addresses,
	       const struct symbol_moment *moments, uint32_t count, struct reply *reply);

#endif
