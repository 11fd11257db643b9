/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions about profiles: answered from the cache, or by a reader, a process for each (profiler/reader/request.h), of which a few run at a
 * time while others wait. Who asks what is being asked already waits for the same answer.
 */
#ifndef WEB_QUESTIONS_H
#define WEB_QUESTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "profiler/reader/request.h"
#include "web/answer.h"
#include "web/cache.h"
#include "web/conversation.h"

struct questions;
struct question;

struct waiter {
	struct question *question; /* NULL: it waits for nothing */
	/* Once. `a` is borrowed, or NULL: no memory for one. */
	void (*answered)(struct waiter *w, struct answer *a);
	LIST_ENTRY(waiter) link;
};

struct question_form {
	const char *endpoint;
	const struct reader_parameter *parameters;
	uint32_t count;
	bool of_pprof; /* errors are shown to go tool pprof */
	bool once; /* nobody will ask the same again */
};

/* All borrowed. */
int questions_new(struct questions **ret, int epoll, struct conversation *conversation,
		  const struct web_limits *limits, struct tally *tally);
/* There must be no waiters left. */
void questions_free(struct questions *q);

/*
 * The answer, which is the caller's to unref, if there is one at once: from the cache, or why it isn't answered. NULL: `w` waits for it (or, if it
 * has no question then, there is no memory).
 */
struct answer *questions_ask(struct questions *q, const struct question_form *form,
			     struct waiter *w, void (*answered)(struct waiter *, struct answer *));

/* It doesn't wait any longer. Also of one that doesn't. */
void waiter_leave(struct waiter *w);

/* A reply from the supervisor; takes the descriptor, if there is one. */
void questions_take_reader(struct questions *q, const struct web_reader_reply *reply,
			   const char *sentence, int *fd);

/* The store has this window now. */
void questions_note_window(struct questions *q, uint64_t sequence, uint64_t window_ns);

/* What is due now. Returns when to be called next (CLOCK_MONOTONIC), or UINT64_MAX. */
uint64_t questions_run(struct questions *q, uint64_t now_ns);

#endif
