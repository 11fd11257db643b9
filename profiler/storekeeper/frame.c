// SPDX-License-Identifier: Apache-2.0
/*
 * Whether a descriptor is memory, F_GET_SEALS says: of anything else, from a pipe to a file on a dead server, it fails. Refused: asking for
 * seals, so that the memory needs no copy. It would be mapped then, and the agent need a further call.
 */
#include "profiler/storekeeper/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define KEPT_BYTES ((size_t)1 << 20)

int frame_read(int fd, uint64_t bytes, struct buffer *into)
{
	char *to;

	buffer_clear(into);
	if (fd < 0 || fcntl(fd, F_GET_SEALS) < 0 || !bytes)
		return -EPROTO;
	if (bytes > into->max)
		return -E2BIG;
	to = buffer_extend(into, (size_t)bytes);
	if (!to)
		return buffer_error(into);
	for (size_t done = 0; done < bytes;) {
		ssize_t n = pread(fd, to + done, (size_t)bytes - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EPROTO;
		done += (size_t)n;
	}
	return 0;
}

void frame_trim(struct buffer *frame)
{
	size_t max = frame->max;

	if (frame->len <= KEPT_BYTES)
		return;
	buffer_release(frame);
	buffer_init(frame, max);
}
