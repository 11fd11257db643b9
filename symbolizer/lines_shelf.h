/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index that was made last: the next request is mostly about the same file. Nobody needs it to be there.
 */
#ifndef SYMBOLIZER_LINES_SHELF_H
#define SYMBOLIZER_LINES_SHELF_H

#include <stdint.h>

#include "profiler/base/buffer.h"
#include "symbolizer/lines.h"

/* What tells one state of a file from another. */
struct lines_identity {
	uint64_t dev, ino, size;
	int64_t changed_s, changed_ns;
};

struct lines_shelf {
	struct lines_identity file, alternate; /* of the image; all zeros: there is none */
	struct buffer image;
	struct lines lines;
};

/*
 * The index of a file with DWARF, and of dwz's alternate file or -1: made, or still there. *ret is valid until the next
 * call. Errors as dwarf_walk()'s.
 */
int lines_shelf_get(struct lines_shelf *s, int fd, int alternate, const struct lines **ret);
void lines_shelf_release(struct lines_shelf *s);

#endif
