/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our side of web/control.h: what is sent. Each call waits for at most a second, which a supervisor that is well never needs; after a
 * failure the conversation is over, and so are we.
 */
#ifndef WEB_CONVERSATION_H
#define WEB_CONVERSATION_H

#include <stdbool.h>
#include <stdint.h>

#include "web/control.h"

struct conversation {
	int socket; /* borrowed */
	uint64_t last_id;
	bool over;
};

int conversation_ready(struct conversation *c);
/* 0 and the request's id, or negative errno. */
int conversation_cut(struct conversation *c, uint64_t *ret_id);
int conversation_reader(struct conversation *c, const struct web_range *ranges, uint32_t count,
			uint64_t *ret_id);
int conversation_reader_left(struct conversation *c, uint64_t id);
__attribute__((format(printf, 2, 3))) void conversation_log(struct conversation *c, const char *fmt,
							    ...);

#endif
