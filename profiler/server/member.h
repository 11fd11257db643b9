/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that a server always has: it is started, and started again when it has ended, with a
 * growing wait between (backoff.h). Nothing here waits: whoever has members calls member_tend() by
 * member_due_ns().
 *
 *	AWAY ──start──→ STARTING ──it said that it is ready──→ UP
 *	  ↑                 └──────────────┬────────────────────┘
 *	  └── its process has gone ── LEAVING: its socket is closed; killed if it doesn't go
 */
#ifndef SERVER_MEMBER_H
#define SERVER_MEMBER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "profiler/base/err.h"
#include "profiler/role/child.h"
#include "profiler/role/inbox.h"
#include "profiler/role/supervisor.h"
#include "profiler/server/backoff.h"
#include "profiler/server/log.h"

enum member_state { MEMBER_AWAY, MEMBER_STARTING, MEMBER_UP, MEMBER_LEAVING };

struct member {
	const char *role;
	const char *name; /* in sentences */
	struct log *log;
	struct supervisor *supervisor; /* whose leader it is; NULL: our own child */
	uint64_t memory_bytes; /* of our own child; 0: its role's limit */
	uint64_t silence_ns; /* one that says nothing for so long is killed; 0: it may be silent */
	enum member_state state;
	struct child child; /* of a leader, the pid stays 0 */
	int socket; /* the conversation; -1 */
	struct inbox inbox;
	int service; /* of a leader: what is to be handed to it; -1 */
	struct backoff backoff;
	uint64_t at_ns; /* CLOCK_MONOTONIC: AWAY: of the start; LEAVING: of the kill */
	uint64_t heard_ns;
	uint64_t starts;
	bool killed, stuck; /* while LEAVING */
	bool expected; /* its end is no news */
	bool doubted; /* it was silent for too long, and nothing was heard since */
	struct rusage usage; /* of our own children that ended */
	struct err why; /* of its end, in its words or ours; "" */
};

/* Borrows role, name and log. Its messages have at most so many bytes. */
void member_init(struct member *m, const char *role, const char *name, struct log *log,
		 size_t max_message_bytes);
void member_release(struct member *m);

/* 0; or negative errno, which was logged: it is AWAY again. */
int member_start(struct member *m);

/* It said that it is ready. */
void member_up(struct member *m);

/*
 * The conversation has ended: by itself (`why` NULL), or since it hangs or talks nonsense, of which
 * `why` is the rest of a sentence that begins with its name; then it is killed at once.
 */
void member_lost(struct member *m, const char *why);

/* A message has come: 1, in m->inbox.message; 0: none yet, or it was lost. */
int member_hear(struct member *m);

/* The text of the message, from this byte on; valid until the next. */
const char *member_text(struct member *m, size_t behind);

/* 0, or it was lost. Waits for 100 ms at most. */
int member_tell(struct member *m, uint32_t type, const void *bytes, size_t len, const int *fds,
		uint32_t fd_count);

/* When member_tend() is to be called. */
uint64_t member_due_ns(const struct member *m);

/*
 * Looks whether one that is leaving has gone, or is silent. True if it is time to start it (AWAY).
 */
bool member_tend(struct member *m);

/* Adds what our own children have used. */
void member_usage(const struct member *m, struct service_usage *sum);

static inline bool member_is_there(const struct member *m)
{
	return m->state == MEMBER_STARTING || m->state == MEMBER_UP;
}

/* Starts after the first. */
static inline uint64_t member_restarts(const struct member *m)
{
	return m->starts ? m->starts - 1 : 0;
}

#endif
