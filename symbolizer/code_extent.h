/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a piece of code ends that says nothing of it: an assembler's function without a size and without unwind
 * information, in a file whose other symbols were stripped.
 */
#ifndef SYMBOLIZER_CODE_EXTENT_H
#define SYMBOLIZER_CODE_EXTENT_H

#include <stdint.h>

#include "symbolizer/elf_file.h"

#define CODE_EXTENT_MAX_BYTES 8192u

/*
 * The end of what runs from `start` on, at most `limit` and no more than CODE_EXTENT_MAX_BYTES further on: behind the first instruction after which
 * nothing goes on and over which nothing before it has led. `start` itself where it can't be read; `limit` in files that are not of
 * x86-64. Takes up to 1 ms.
 */
uint64_t code_extent(struct elf_file *f, uint64_t start, uint64_t limit);

#endif
