// SPDX-License-Identifier: Apache-2.0
/*
 * One message in; a reply, and the answer in pieces, out. Whoever asked may be slow: it is the supervisor that ends a
 * reader which takes too long, so that there is one clock and not two.
 */
#include "profiler/reader/conversation.h"

#include <errno.h>

#include "profiler/base/cleanup.h"
#include "profiler/reader/endpoint.h"
#include "profiler/reader/request.h"
#include "profiler/role/socket.h"

static int say(int socket, enum reader_message what, const void *bytes, size_t len)
{
	return socket_send(socket, what, bytes, len, NULL, 0, UINT64_MAX);
}

int conversation_serve(int socket, const struct buffer *bytes, struct handed *store)
{
	_cleanup_(buffer_release) struct buffer out = BUFFER_INIT(READER_MAX_ANSWER_BYTES);
	struct reader_request request;
	struct reader_reply reply;
	int r = reader_request_parse(&request, bytes);

	if (r < 0)
		return r;
	endpoint_answer(&request, store, &reply, &out);
	r = say(socket, READER_REPLY, &reply, sizeof(reply));
	for (size_t done = 0; r == 0 && done < out.len; done += READER_MAX_MESSAGE_BYTES) {
		size_t left = out.len - done;

		r = say(socket, READER_ANSWER, out.data + done,
			left < READER_MAX_MESSAGE_BYTES ? left : READER_MAX_MESSAGE_BYTES);
	}
	return r < 0 ? r : say(socket, READER_ENDED, NULL, 0);
}
