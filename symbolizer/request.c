// SPDX-License-Identifier: Apache-2.0
/*
 * Takes a request apart, has it answered, and turns a lack of memory into an answer, too: an empty
 * one with the status SYMBOLS_LIMIT, so that a file that is too much for us costs its names and not
 * the process.
 */
#include "symbolizer/request.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "symbolizer/elf_debug.h"
#include "symbolizer/jit_answer.h"
#include "symbolizer/elf_symbols.h"
#include "symbolizer/kallsyms.h"
#include "symbolizer/lines_answer.h"
#include "symbolizer/protocol.h"
#include "symbolizer/reply.h"
#include "symbolizer/unwind_answer.h"

_Static_assert(SYMBOLS_MAX_CODE_ADDRESSES *(sizeof(uint64_t) + sizeof(struct symbol_moment)) <=
		       SYMBOLS_MAX_ADDRESSES * sizeof(uint64_t),
	       "the largest request is one for an ELF file");

/* How many addresses there may be, and what each takes; 0 if there is no such space. */
static size_t space_limits(uint32_t space, uint32_t *ret_most)
{
	*ret_most = space == SYMBOLS_CODE ? SYMBOLS_MAX_CODE_ADDRESSES : SYMBOLS_MAX_ADDRESSES;
	switch (space) {
	case SYMBOLS_ELF:
	case SYMBOLS_KERNEL:
		return sizeof(uint64_t);
	case SYMBOLS_CODE:
		return sizeof(uint64_t) + sizeof(struct symbol_moment);
	default:
		return 0;
	}
}

static bool ascend(const uint64_t *addresses, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++)
		if (addresses[i - 1] > addresses[i])
			return false;
	return true;
}

static int request_check(const void *bytes, size_t len, uint32_t fd_count,
			 struct symbol_request *ret, const uint64_t **ret_addresses)
{
	struct symbol_request request;
	const uint64_t *addresses;
	uint32_t most;
	size_t each;

	if (len < sizeof(request))
		return -EPROTO;
	memcpy(&request, bytes, sizeof(request));
	each = space_limits(request.space, &most);
	if (!each || request.count > most || len - sizeof(request) != request.count * each ||
	    fd_count < 1)
		return -EPROTO;
	addresses = (const uint64_t *)((const char *)bytes + sizeof(request));
	if (!ascend(addresses, request.count))
		return -EPROTO;
	*ret = request;
	*ret_addresses = addresses;
	return 0;
}

static int answer(const struct symbol_request *request, const uint64_t *addresses, const int *fds,
		  uint32_t fd_count, struct reply *reply)
{
	if (request->space == SYMBOLS_ELF)
		return elf_symbols_answer(fds[0], fd_count > 1 ? fds[1] : -1, addresses,
					  request->count, reply);
	if (request->space == SYMBOLS_CODE)
		return jit_answer(fds, fd_count, addresses,
				  (const struct symbol_moment *)(addresses + request->count),
				  request->count, reply);
	return kallsyms_answer(fds[0], fd_count > 1 ? fds[1] : -1, addresses, request->count,
			       reply);
}

int request_answer(const void *bytes, size_t len, const int *fds, uint32_t fd_count,
		   struct buffer *reply)
{
	struct symbol_request request;
	const uint64_t *addresses;
	struct reply r = { 0 };
	int code;

	code = request_check(bytes, len, fd_count, &request, &addresses);
	if (code < 0)
		return code;
	code = reply_init(&r, request.count);
	if (code == 0)
		code = answer(&request, addresses, fds, fd_count, &r);
	if (code == -ENOMEM || code == -E2BIG) {
		reply_release(&r);
		code = reply_init(&r, request.count);
		r.status = SYMBOLS_LIMIT;
	}
	if (code == 0)
		code = reply_write(&r, reply);
	reply_release(&r);
	return code;
}

int request_answer_unwind(const void *bytes, size_t len, const int *fds, uint32_t fd_count,
			  struct buffer *reply)
{
	struct unwind_request request;

	if (len != sizeof(request) || fd_count != 1)
		return -EPROTO;
	memcpy(&request, bytes, sizeof(request));
	if (request.start > request.limit || request.max_rows > UNWIND_REPLY_MAX_ROWS)
		return -EPROTO;
	return unwind_answer(fds[0], &request, reply);
}

/* The descriptors behind the first, by the bits that say which they are. */
static int lines_files_of(uint32_t with, const int *fds, uint32_t fd_count, struct lines_files *ret)
{
	struct lines_files f = { .alternate = -1, .index = -1, .room = -1 };
	uint32_t next = 1;

	if (with & ~LINES_WITH_ALL || fd_count != 1u + (uint32_t)__builtin_popcount(with))
		return -EPROTO;
	f.file = fds[0];
	if (with & LINES_WITH_ALTERNATE)
		f.alternate = fds[next++];
	if (with & LINES_WITH_INDEX)
		f.index = fds[next++];
	if (with & LINES_WITH_ROOM)
		f.room = fds[next];
	*ret = f;
	return 0;
}

int request_answer_lines(struct lines_shelf *shelf, const void *bytes, size_t len, const int *fds,
			 uint32_t fd_count, struct buffer *reply)
{
	struct lines_request request;
	struct lines_files files;
	const uint64_t *addresses;

	if (len < sizeof(request))
		return -EPROTO;
	memcpy(&request, bytes, sizeof(request));
	if (lines_files_of(request.with, fds, fd_count, &files) < 0)
		return -EPROTO;
	addresses = (const uint64_t *)((const char *)bytes + sizeof(request));
	if (request.count > SYMBOLS_MAX_ADDRESSES ||
	    len - sizeof(request) != request.count * sizeof(uint64_t) ||
	    !ascend(addresses, request.count))
		return -EPROTO;
	return lines_answer(shelf, &files, addresses, request.count, reply);
}

int request_answer_debug(const void *bytes, size_t len, const int *fds, uint32_t fd_count,
			 struct buffer *reply)
{
	struct debug_request request;

	if (len != sizeof(request))
		return -EPROTO;
	memcpy(&request, bytes, sizeof(request));
	return elf_debug_answer(&request, fds, fd_count, reply);
}
