// SPDX-License-Identifier: Apache-2.0
/*
 * Written through a mapping, so that who makes it needs no write(); read in steps, as a file may be shorter than
 * it says. Refused: sendfile() and copy_file_range(), further calls to be allowed.
 */
#include "profiler/process/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/process/source.h"

#define COPY_STEP ((size_t)1 << 20)
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* What can be read, at most `size` bytes. */
static ssize_t copy_bytes(int fd, char *to, size_t size)
{
	size_t done = 0;

	while (done < size) {
		size_t step = size - done < COPY_STEP ? size - done : COPY_STEP;
		ssize_t n = pread(fd, to + done, step, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* Into a file that has this size already; it is cut to what was there. */
static int copy_into(int from, int to, size_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, to, 0);
	ssize_t n;

	if (p == MAP_FAILED)
		return -errno;
	n = copy_bytes(from, p, size);
	munmap(p, size); /* else it can't be sealed */
	if (n < 0)
		return (int)n;
	return (size_t)n < size && ftruncate(to, n) < 0 ? -errno : 0;
}

int copy_seal(int from, int *ret_fd)
{
	_cleanup_(fd_close) int to = -1;
	struct statx st;
	int r;

	if (statx(from, "", AT_EMPTY_PATH, STATX_SIZE, &st) < 0)
		return -errno;
	if (st.stx_size > PROCESS_MAX_COPY_BYTES)
		return -EFBIG;
	to = memfd_create("binary", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (to < 0 || ftruncate(to, (off_t)st.stx_size) < 0)
		return -errno;
	r = st.stx_size ? copy_into(from, to, st.stx_size) : 0;
	if (r < 0)
		return r;
	if (fcntl(to, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	*ret_fd = take_fd(&to);
	return 0;
}
