// SPDX-License-Identifier: Apache-2.0
/*
 * The body of both roles: a frame in, a frame out, until the socket ends. What can't be opened is an
 * answer; whatever is wrong with the conversation ends the process, which its client has started again.
 * Nothing is kept from one request to the next, so that it may end at any moment.
 */
#include "profiler/opener/protocol.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/opener/answer.h"
#include "profiler/role/socket.h"

int opener_serve(int socket, bool fetcher)
{
	struct socket_message request;
	struct opener_reply reply;
	int r;

	socket_message_init(&request, OPENER_MAX_REQUEST_BYTES);
	opener_reply_init(&reply);
	do {
		r = socket_receive(socket, &request, UINT64_MAX);
		if (r == 0)
			r = opener_answer(&process_source_live, fetcher, &request, &reply);
		if (r == 0)
			r = socket_send(socket, OPENER_REPLY, reply.bytes.data, reply.bytes.len,
					reply.fds, reply.fd_count, UINT64_MAX);
		/* At once: an open file keeps its file system busy. */
		opener_reply_clear(&reply);
	} while (r == 0);
	opener_reply_release(&reply);
	socket_message_release(&request);
	return r == -EPIPE ? EXIT_SUCCESS : EXIT_FAILURE;
}
