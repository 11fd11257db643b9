// SPDX-License-Identifier: Apache-2.0
/*
 * The input is /proc/kallsyms, and behind its first NUL byte /proc/modules. Asked are some
 * addresses around those of the corpus, which was written by hand: tables in and out of order,
 * modules, BPF programs, hidden addresses, lines that are none.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/base/buffer.h"
#include "symbolizer/protocol.h"
#include "symbolizer/request.h"

#define K 0xffffffff81000000u
#define M 0xffffffffc0000000u
#define ADDRESSES 16u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file_of(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || fd_write_all(fd, data, size) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		abort();
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct {
		struct symbol_request head;
		uint64_t addresses[ADDRESSES];
	} request = { { SYMBOLS_KERNEL, ADDRESSES },
		      { 0, 1, 0x1000, K, K + 1, K + 0x100, K + 0x150, K + 0x200, K + 0x10000, M,
			M + 1, M + 0x100, M + 0x1000, M + 0x20000, UINT64_MAX - 1, UINT64_MAX } };
	struct buffer reply = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);
	const uint8_t *nul = memchr(data, 0, size);
	size_t len = nul ? (size_t)(nul - data) : size;
	int fds[2] = { file_of(data, len), -1 };
	struct symbols s;

	if (nul)
		fds[1] = file_of(nul + 1, size - len - 1);
	if (request_answer(&request, sizeof(request), fds, nul ? 2 : 1, &reply) < 0 ||
	    symbols_check(reply.data, reply.len, ADDRESSES, &s, NULL) < 0)
		abort();
	buffer_release(&reply);
	close(fds[0]);
	if (nul)
		close(fds[1]);
	return 0;
}
