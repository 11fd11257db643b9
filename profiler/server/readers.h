/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers on their way to the web process: each is a new process that gets the store's files of a
 * question's ranges, and is then whose socket is handed out. It ends when its socket is closed; one
 * that is late is killed.
 */
#ifndef SERVER_READERS_H
#define SERVER_READERS_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "profiler/base/err.h"
#include "profiler/role/child.h"
#include "profiler/role/service.h"
#include "profiler/server/store_files.h"
#include "web/control.h"

struct readers {
	int store; /* the directory, borrowed */
	uint64_t memory_bytes; /* of each */
	struct {
		struct child child;
		uint64_t id; /* the web process's */
		int pidfd;
		uint64_t until_ns; /* CLOCK_MONOTONIC */
		bool late;
	} items[WEB_MAX_READERS];
	uint64_t started, killed;
	struct rusage usage;
};

void readers_init(struct readers *r, int store, uint64_t memory_bytes);
/* Kills all. */
void readers_release(struct readers *r);

/*
 * 0 and its socket, the caller's to close; -EAGAIN: there are WEB_MAX_READERS; another negative
 * errno; and a sentence.
 */
int readers_start(struct readers *r, uint64_t id, const struct store_files_range *ranges,
		  uint32_t count, int *ret_socket, struct err *err);

/* What is to be polled: WEB_MAX_READERS entries. */
void readers_poll(const struct readers *r, struct pollfd *ret);

/* When the next one is late; UINT64_MAX: none. */
uint64_t readers_due_ns(const struct readers *r);

/* Kills those that are late and reaps those that have ended. */
void readers_tend(struct readers *r);

/* Nobody waits for what this one has to say. It may have ended. */
void readers_leave(struct readers *r, uint64_t id);

/* No longer wanted: nobody would hear them. */
void readers_kill(struct readers *r);

void readers_usage(const struct readers *r, struct service_usage *sum);

#endif
