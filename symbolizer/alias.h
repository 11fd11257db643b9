/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several symbols at one address: which name is shown.
 */
#ifndef SYMBOLIZER_ALIAS_H
#define SYMBOLIZER_ALIAS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Is `a` the better name of the same code, both being equally visible? The one with fewer leading
 * underscores (malloc, not __libc_malloc), then the shorter (lseek, not lseek64), then the first in
 * the alphabet (C1, the complete constructor, not C2): a rule that doesn't depend on the order of
 * the table.
 */
bool alias_is_better(const char *a, size_t a_len, const char *b, size_t b_len);

#endif
