/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request, from bytes to bytes: what symbolizer_serve() does between two frames, without a
 * socket.
 */
#ifndef SYMBOLIZER_REQUEST_H
#define SYMBOLIZER_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buffer.h"

/*
 * Appends a reply to `reply`, which is empty and takes SYMBOLS_MAX_REPLY_BYTES. `bytes` is 8-byte
 * aligned; descriptors are borrowed and their offset may move. Whatever the file holds, the answer
 * is a reply: -EPROTO means that the request itself is none, -ENOMEM that there wasn't even memory
 * to say so.
 */
int request_answer(const void *bytes, size_t len, const int *fds, uint32_t fd_count,
		   struct buffer *reply);

/* The same for a struct unwind_request. */
int request_answer_unwind(const void *bytes, size_t len, const int *fds, uint32_t fd_count,
			  struct buffer *reply);

struct lines_shelf;

/* The same for a struct lines_request. `shelf`: what was read before (symbolizer/lines_shelf.h). */
int request_answer_lines(struct lines_shelf *shelf, const void *bytes, size_t len, const int *fds,
			 uint32_t fd_count, struct buffer *reply);

/* The same about SYMBOLS_MESSAGE_DEBUG. */
int request_answer_debug(const void *bytes, size_t len, const int *fds, uint32_t fd_count,
			 struct buffer *reply);

#endif
