// SPDX-License-Identifier: Apache-2.0
/* Messages are few and short: the socket's buffer takes them at once. Refused: a queue of them, for a supervisor that does not listen. */
#include "web/conversation.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/role/socket.h"

static int say(struct conversation *c, uint32_t type, const void *bytes, size_t len)
{
	int r = c->over ? -EPIPE
			: socket_send(c->socket, type, bytes, len, NULL, 0,
				      clock_ns(CLOCK_MONOTONIC) + NS_PER_S);

	c->over = r < 0;
	return r;
}

int conversation_ready(struct conversation *c)
{
	return say(c, WEB_READY, NULL, 0);
}

int conversation_cut(struct conversation *c, uint64_t *ret_id)
{
	const struct web_cut cut = { .id = ++c->last_id };

	*ret_id = cut.id;
	return say(c, WEB_CUT, &cut, sizeof(cut));
}

int conversation_reader(struct conversation *c, const struct web_range *ranges, uint32_t count,
			uint64_t *ret_id)
{
	struct web_reader reader = { .id = ++c->last_id, .range_count = count };

	memcpy(reader.ranges, ranges, count * sizeof(*ranges));
	*ret_id = reader.id;
	return say(c, WEB_READER, &reader, sizeof(reader));
}

int conversation_reader_left(struct conversation *c, uint64_t id)
{
	const struct web_reader_left left = { .id = id };

	return say(c, WEB_READER_LEFT, &left, sizeof(left));
}

void conversation_log(struct conversation *c, const char *fmt, ...)
{
	char line[WEB_MAX_LINE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	say(c, WEB_LOG, line, strlen(line));
}
