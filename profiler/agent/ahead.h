/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts of /proc that were asked for before they are needed, many in a request. Whoever goes through all
 * processes asks for one text after the other, in the order in which they were listed: that is foreseen.
 * And who reads a process's mappings asks next whether it is still the same process.
 *
 * A text is given out once, and only while it is young: a process is read again because it has changed.
 */
#ifndef AGENT_AHEAD_H
#define AGENT_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/opener/protocol.h"
#include "profiler/process/source.h"

#define AHEAD_MAX_AGE_NS (100000000ULL)
#define AHEAD_MAX_BYTES ((size_t)4 << 20) /* of texts that wait */
#define AHEAD_MAX_PIDS 65536
/* Of one request: 3 ms of work, which is done in time on a busy machine, too. */
#define AHEAD_MAX_TEXTS 32

struct ahead_text {
	struct opener_text text;
	struct opener_result result;
	const char *bytes; /* in the reply */
	bool there;
};

struct ahead {
	uint32_t *pids; /* as listed; owned */
	uint32_t pid_count, pid_capacity;
	uint32_t pid_next; /* the first that nothing was asked of */
	uint64_t listed_ns;
	struct buffer reply;
	struct ahead_text texts[AHEAD_MAX_TEXTS];
	uint32_t text_count, text_next;
	uint64_t asked_ns;
	bool from_list; /* what was asked last was the list's */
};

void ahead_init(struct ahead *a);
void ahead_release(struct ahead *a);

/* A PROCESS_TEXT_PIDS was read. */
void ahead_list(struct ahead *a, const char *text, size_t len, uint64_t now_ns);
/* Nothing is foreseen until the next list. */
void ahead_forget(struct ahead *a);

/* What to ask for, when this text is needed: it, first, and what may be needed next. How many. */
uint32_t ahead_plan(struct ahead *a, enum process_text what, uint32_t pid, uint64_t now_ns,
		    struct opener_text ret[AHEAD_MAX_TEXTS]);

/*
 * The reply to what was planned: takes its bytes over and leaves others there to be written over. 0 or
 * -EPROTO, and then it has nothing.
 */
int ahead_fill(struct ahead *a, const struct opener_text *texts, uint32_t count,
	       struct buffer *reply, uint64_t asked_ns);

/* Appends the text that was asked for first, as far as there is room; its status. */
int ahead_first(struct ahead *a, struct buffer *out);

/* The same of one that was foreseen; false if it wasn't. */
bool ahead_take(struct ahead *a, enum process_text what, uint32_t pid, uint64_t now_ns,
		struct buffer *out, int *ret_status);

#endif
