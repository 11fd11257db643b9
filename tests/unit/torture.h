/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation fails once. Unit tests are linked with --wrap=malloc and its kin, so that what our own
 * code allocates passes through torture.c; what libraries allocate for themselves doesn't.
 */
#ifndef TESTS_UNIT_TORTURE_H
#define TESTS_UNIT_TORTURE_H

#include <stdint.h>

/*
 * Does one thing, frees all that it made for it, and returns 0, or the negative errno that it got. It may
 * check what must still be true after a failure.
 */
typedef int (*torture_fn)(void *ctx);

/*
 * Runs `scenario` with its first allocation failing, then with its second, and so on until none is left
 * to fail. Each of these runs must return -ENOMEM, or 0 if it can do without, and leak nothing; the last
 * must return 0. Returns how many allocations there were.
 */
uint32_t torture(torture_fn scenario, void *ctx);

#endif
