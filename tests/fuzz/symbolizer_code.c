// SPDX-License-Identifier: Apache-2.0
/*
 * The input is a perf map or a jitdump, by its first bytes, and behind the first "\n===\n" another one. Asked are some
 * addresses at different moments. Whatever they are, the reply passes the agent's check.
 *
 * The corpus was made by hand (perf maps) and by symbolizer_code_corpus.py (jitdumps).
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

#define ADDRESSES 12u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file_of(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || fd_write_all(fd, data, size) < 0)
		abort();
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char between[] = "\n===\n";
	static const struct {
		struct symbol_request head;
		uint64_t addresses[ADDRESSES];
		struct symbol_moment moments[ADDRESSES];
	} request = { { SYMBOLS_CODE, ADDRESSES },
		      { 0, 0x1000, 0x1000, 0x1008, 0x1010, 0x2000, 0x2000, 0x3000, 0x7f0000001000,
			0x7f0000001fff, UINT64_MAX - 1, UINT64_MAX },
		      { { 0, 0 },
			{ 10, 10 },
			{ 100, 100 },
			{ 100, 20 },
			{ UINT64_MAX, UINT64_MAX },
			{ 0, 0 },
			{ 30, 30 },
			{ 40, 40 },
			{ 1000, 1000 },
			{ UINT64_MAX, UINT64_MAX },
			{ 1, 1 },
			{ 0, 0 } } };
	struct buffer reply = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);
	const uint8_t *mark = memmem(data, size, between, sizeof(between) - 1);
	size_t len = mark ? (size_t)(mark - data) : size;
	int fds[2] = { file_of(data, len), -1 };
	struct symbols s;

	if (mark)
		fds[1] = file_of(mark + sizeof(between) - 1, size - len - sizeof(between) + 1);
	if (request_answer(&request, sizeof(request), fds, mark ? 2 : 1, &reply) < 0 ||
	    symbols_check(reply.data, reply.len, ADDRESSES, &s, NULL) < 0)
		abort();
	buffer_release(&reply);
	close(fds[0]);
	if (mark)
		close(fds[1]);
	return 0;
}
