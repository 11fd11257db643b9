/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C++ and Rust names (legacy and v0) as people write them.
 */
#ifndef SYMBOLIZER_DEMANGLE_H
#define SYMBOLIZER_DEMANGLE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Writes the demangled form of `name` (at most SYMBOLS_MAX_NAME bytes) to `ret_name`, cut to `size`
 * - 1 bytes and NUL-terminated. False, with `ret_name` in any state, if it is no mangled name. Not
 * for two threads at once.
 */
bool demangle(const char *name, char *ret_name, size_t size);

#endif
