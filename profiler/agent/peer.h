/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One of our processes that answers requests and is expected to fail: it handles what people made whom we
 * don't trust. It is started when it is needed, asked, and given up when it died, hung or lied; the next
 * request starts another. One that ended between two requests is replaced before the next is sent, which
 * then is not at fault. Not thread safe.
 */
#ifndef AGENT_PEER_H
#define AGENT_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/role/socket.h"
#include "profiler/role/starter.h"

/*
 * What failed requests may cost at once; a second of it is given back in ten. Somebody with a thousand files
 * that break it shall not stop us for an hour, nor end it for others for ever.
 */
#define PEER_MAX_LOST_NS (10000000000ULL)

/* Who may say, while an answer is waited for, that it is wanted no more. */
struct peer_hurry {
	void *ctx;
	int fd; /* to be looked at when it can be read */
	bool (*came)(void *ctx); /* takes in what there is; true from the first time on */
};

struct peer {
	const struct starter *starter; /* borrowed */
	const char *role;
	int socket; /* -1: not running */
	bool asked; /* the last request got as far as being sent: if it failed, it may be the reason */
	uint64_t asked_ns; /* when it began */
	uint64_t lost_ns; /* on requests that failed, of late */
	uint64_t faded_ns; /* when that was last looked at */
	uint64_t next_start_ns;
	const struct peer_hurry *hurry; /* borrowed; for the next requests; NULL: nobody can */
	struct socket_message reply; /* to the last request */
};

void peer_init(struct peer *p, const struct starter *starter, const char *role,
	       size_t max_reply_bytes);
void peer_release(struct peer *p);

/* Starts it, unless it runs. 0, or negative errno and a sentence. */
int peer_start(struct peer *p, struct err *err);

/*
 * Sends `request` and waits at most `deadline_ns` for p->reply, which is valid until the next call, and of
 * type `reply_type`. 0, or negative errno and a sentence: -ETIMEDOUT if it hung, or failed requests have
 * cost PEER_MAX_LOST_NS (then at once); -EPIPE if it died; -EPROTO if what came is no reply; -ECANCELED
 * if it is wanted no more, which costs the process as well; the starter's.
 */
int peer_ask(struct peer *p, uint32_t type, const struct buffer *request, const int *fds,
	     uint32_t fd_count, uint32_t reply_type, uint64_t deadline_ns, struct err *err);

/* The last reply turned out to be wrong: gives it up. */
void peer_disbelieve(struct peer *p);

#endif
