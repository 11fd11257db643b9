/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One walk over all units of a file, which leaves an index of its inlined functions and lines.
 */
#ifndef SYMBOLIZER_DWARF_WALK_H
#define SYMBOLIZER_DWARF_WALK_H

#include "profiler/base/buffer.h"

/*
 * Appends the image (symbolizer/lines.h) of the ELF file `fd`; `alternate`: dwz's part of it, or -1. Memory for what
 * is read is at most max_bytes; what is made of it has its own maxima. A unit that is damaged is left out from there
 * on, and counted.
 *
 * 0; -ENOEXEC: no x86-64 ELF file; -ENODATA: without DWARF, or without code; -E2BIG: too large, or takes too many steps; -ENOMEM.
 */
int dwarf_walk(int fd, int alternate, size_t max_bytes, struct buffer *ret_image);

#endif
