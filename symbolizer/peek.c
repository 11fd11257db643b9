// SPDX-License-Identifier: Apache-2.0
/*
 * One window over the file, moved forward by what is asked for. Small records one behind the other cost
 * a read for each 64 KiB. Refused: mmap, since a file that is cut under us would be a SIGBUS; and
 * stdio, which can't say how much of a line it has.
 */
#include "symbolizer/peek.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define JUMP_BYTES 4096u

int peek_init(struct peek *p, int fd)
{
	*p = (struct peek){ .fd = fd, .bytes = malloc(PEEK_BYTES) };
	return p->bytes ? 0 : -ENOMEM;
}

void peek_release(struct peek *p)
{
	free(p->bytes);
	p->bytes = NULL;
}

/* What follows is read ahead; where somebody jumps to, little is wanted. */
static size_t window(const struct peek *p, uint64_t off, size_t want)
{
	bool follows = off >= p->off && off - p->off <= p->len;

	return follows || want > JUMP_BYTES ? PEEK_BYTES : JUMP_BYTES;
}

static void fill(struct peek *p, uint64_t off, size_t most)
{
	p->off = off;
	p->len = 0;
	while (p->len < most && off <= INT64_MAX - PEEK_BYTES) {
		ssize_t n = pread(p->fd, p->bytes + p->len, most - p->len, (off_t)(off + p->len));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			p->error = -errno;
		if (n <= 0)
			break;
		p->len += (size_t)n;
	}
	p->total += p->len;
}

size_t peek_at(struct peek *p, uint64_t off, size_t want, const unsigned char **ret)
{
	assert(want <= PEEK_BYTES);
	if (off < p->off || off - p->off > p->len || want > p->len - (off - p->off))
		fill(p, off, window(p, off, want));
	*ret = p->bytes + (off - p->off);
	return p->len - (size_t)(off - p->off);
}
