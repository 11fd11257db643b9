/* SPDX-License-Identifier: Apache-2.0 */
/* One request answered. Requests come from an agent that may have been taken over: any bytes. */
#ifndef OPENER_ANSWER_H
#define OPENER_ANSWER_H

#include <stdbool.h>

#include "profiler/base/buffer.h"
#include "profiler/process/source.h"
#include "profiler/role/socket.h"

#define OPENER_MAX_REPLY_FDS 2

struct opener_reply {
	struct buffer bytes;
	int fds[OPENER_MAX_REPLY_FDS]; /* owned */
	uint32_t fd_count;
};

void opener_reply_init(struct opener_reply *r);
/* Closes descriptors; keeps the memory of bytes, if it isn't much. */
void opener_reply_clear(struct opener_reply *r);
void opener_reply_release(struct opener_reply *r);

/*
 * Asks `source` and writes a cleared reply. That something could not be read or opened is an answer too.
 * 0; -EPROTO for what is no request of this role (`fetcher`: which), or -ENOMEM: there is no answer then,
 * and the conversation is over.
 */
int opener_answer(const struct process_source *source, bool fetcher,
		  const struct socket_message *request, struct opener_reply *reply);

#endif
