/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A regular file read a piece at a time, by offset: one that its owner may write, cut and extend while
 * we do. So it is never mapped, and what was read a moment ago may be gone.
 */
#ifndef SYMBOLIZER_PEEK_H
#define SYMBOLIZER_PEEK_H

#include <stddef.h>
#include <stdint.h>

#define PEEK_BYTES 65536u /* that can be looked at at once */

struct peek {
	int fd; /* borrowed */
	int error; /* negative errno of the last failed read, which looks like the file's end */
	uint64_t off; /* of the bytes that are held */
	size_t len;
	uint64_t total; /* read so far */
	unsigned char *bytes;
};

/* 0 or -ENOMEM; in both cases peek_release() may be called, as on a zeroed one. */
int peek_init(struct peek *p, int fd);
void peek_release(struct peek *p);

/*
 * The bytes from `off` on: `want` (≤ PEEK_BYTES) or more, fewer only at the file's end. How many; *ret is
 * borrowed until the next call.
 */
size_t peek_at(struct peek *p, uint64_t off, size_t want, const unsigned char **ret);

#endif
