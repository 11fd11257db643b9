// SPDX-License-Identifier: Apache-2.0
/*
 * The input is an ELF file with DWARF, asked for the lines of addresses spread over it; it is its own alternate
 * file. Whatever it is, the reply passes the agent's check, and the index its own.
 *
 * The corpus is made by the build (tests/lines/lines.py small): tests/lines/small.c by gcc and clang, DWARF 4 and 5, by dwz,
 * and compressed.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "profiler/base/buffer.h"
#include "symbolizer/lines_shelf.h"
#include "symbolizer/protocol.h"
#include "symbolizer/request.h"

#define ADDRESSES 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(int fd, uint32_t fd_count, size_t size)
{
	struct buffer reply = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);
	struct {
		struct lines_request head;
		uint64_t addresses[ADDRESSES];
	} request = { .head = { ADDRESSES, fd_count > 1 ? LINES_WITH_ALTERNATE : 0 } };
	const int fds[] = { fd, fd };
	struct lines_shelf shelf = { 0 };
	struct lines_answers a;

	for (uint32_t i = 0; i < ADDRESSES; i++)
		request.addresses[i] = i * (size / ADDRESSES + 1);
	request.addresses[ADDRESSES - 1] = UINT64_MAX;
	if (request_answer_lines(&shelf, &request, sizeof(request), fds, fd_count, &reply) < 0 ||
	    lines_check(reply.data, reply.len, ADDRESSES, &a, NULL) < 0)
		abort();
	lines_shelf_release(&shelf);
	buffer_release(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || fd_write_all(fd, data, size) < 0)
		abort();
	ask(fd, 1, size);
	ask(fd, 2, size);
	close(fd);
	return 0;
}
