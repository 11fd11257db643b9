// SPDX-License-Identifier: Apache-2.0
/*
 * The symbolizer's main loop: a frame in, a frame out, until the socket ends. Whatever is wrong
 * with a file is an answer; whatever is wrong with the conversation ends the process, which its
 * client starts again.
 */
#include "symbolizer/protocol.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "profiler/role/socket.h"
#include "symbolizer/lines_shelf.h"
#include "symbolizer/request.h"

static int serve_one(int socket, struct lines_shelf *shelf, struct socket_message *message)
{
	struct buffer reply = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);
	uint32_t type = SYMBOLS_MESSAGE_REPLY;
	int r;

	r = socket_receive(socket, message, UINT64_MAX);
	if (r < 0)
		return r;
	r = -EPROTO;
	if (message->type == SYMBOLS_MESSAGE_REQUEST)
		r = request_answer(message->bytes.data, message->bytes.len, message->fds,
				   message->fd_count, &reply);
	if (message->type == SYMBOLS_MESSAGE_UNWIND) {
		type = SYMBOLS_MESSAGE_UNWIND_REPLY;
		r = request_answer_unwind(message->bytes.data, message->bytes.len, message->fds,
					  message->fd_count, &reply);
	}
	if (message->type == SYMBOLS_MESSAGE_LINES) {
		type = SYMBOLS_MESSAGE_LINES_REPLY;
		r = request_answer_lines(shelf, message->bytes.data, message->bytes.len,
					 message->fds, message->fd_count, &reply);
	}
	if (message->type == SYMBOLS_MESSAGE_DEBUG) {
		type = SYMBOLS_MESSAGE_DEBUG_REPLY;
		r = request_answer_debug(message->bytes.data, message->bytes.len, message->fds,
					 message->fd_count, &reply);
	}
	if (r == 0)
		r = socket_send(socket, type, reply.data, reply.len, NULL, 0, UINT64_MAX);
	buffer_release(&reply);
	/* The descriptors now, not with the next request: a pinned file holds a file system. */
	socket_message_release(message);
	malloc_trim(0);
	return r;
}

int symbolizer_serve(int socket)
{
	struct lines_shelf shelf = { 0 };
	struct socket_message message;
	int r;

	socket_message_init(&message, sizeof(struct symbol_request) +
					      SYMBOLS_MAX_ADDRESSES * sizeof(uint64_t));
	do {
		r = serve_one(socket, &shelf, &message);
	} while (r == 0);
	lines_shelf_release(&shelf);
	socket_message_release(&message);
	return r == -EPIPE ? EXIT_SUCCESS : EXIT_FAILURE;
}
