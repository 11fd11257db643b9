/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index that was used last: the next request is mostly about the same file. Nobody needs it to be there. Where one
 * comes with a request it is mapped; where none does, or that one is no good, it is made, and written for later.
 */
#ifndef SYMBOLIZER_LINES_SHELF_H
#define SYMBOLIZER_LINES_SHELF_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "symbolizer/lines.h"

/* What a request brings; all are borrowed. */
struct lines_files {
	int file; /* has the DWARF */
	int alternate; /* dwz's part of it, or -1 */
	int index; /* made before, of these or of whatever, or -1 */
	int room; /* a memfd to write a new one to, or -1 */
};

/* What tells one state of a file from another. */
struct lines_identity {
	uint64_t dev, ino, size;
	int64_t changed_s, changed_ns;
};

struct lines_shelf {
	struct lines_identity file, alternate; /* of the index; all zeros: there is none */
	struct buffer image; /* if it was made */
	void *mapped; /* if it came; NULL */
	size_t mapped_bytes;
	struct lines lines;
};

/*
 * The index of a file with DWARF. *ret is valid until the next call, *ret_flags are LINES_INDEX_…: none if it was still
 * there. Errors as dwarf_walk()'s.
 *
 * An index that came is mapped. If it is cut short while it is used, that is a SIGBUS, which ends the process.
 */
int lines_shelf_get(struct lines_shelf *s, const struct lines_files *files,
		    const struct lines **ret, uint32_t *ret_flags);
void lines_shelf_release(struct lines_shelf *s);

#endif
