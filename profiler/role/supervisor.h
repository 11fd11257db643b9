/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that was started by hand, or as a service: it starts, limits, ends and replaces the
 * others, and parses nothing of anybody's. One thread.
 *
 * The leader (the agent) is started first. It may ask for processes of the roles that are `served`
 * (role/role.h), by role/service.h: one of each role at a time, 64 starts at once and one a second
 * after that. A process that doesn't go when it was killed (it waits for a file system within the
 * kernel) is left alone and no longer waited for; with 4 such, no further process of its role is
 * started until one has gone.
 */
#ifndef ROLE_SUPERVISOR_H
#define ROLE_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/cache/cache.h"
#include "profiler/role/child.h"
#include "profiler/role/service.h"

struct supervisor;

/*
 * Upper bounds of private memory (RLIMIT_DATA) by role name; NULL name ends; a role not named: the
 * table's.
 */
struct supervisor_memory {
	const char *role;
	uint64_t bytes;
};

/* `memory` is copied. */
int supervisor_new(struct supervisor **ret, const struct supervisor_memory *memory,
		   struct err *err);

/* Ends all: all sockets closed first, 100 ms for those that end by themselves, then SIGKILL. */
void supervisor_free(struct supervisor *s);

/*
 * Starts the leader. *ret_socket is the conversation with it, *ret_service the end of the service
 * socket that it is to be given; both are the caller's to close.
 */
int supervisor_lead(struct supervisor *s, const char *role, int *ret_socket, int *ret_service,
		    struct err *err);

/* Kills it; supervisor_leader_ended() tells when it has gone. */
void supervisor_kill_leader(struct supervisor *s);

/*
 * Kills the leader and what it was given. 0: supervisor_lead() may be called again; -EBUSY: the
 * leader doesn't go, since it waits within the kernel; to be called again.
 */
int supervisor_dismiss(struct supervisor *s);

/* Starts a served role ahead of its first request, which then finds it there. */
int supervisor_prepare(struct supervisor *s, const char *role, struct err *err);

/*
 * From now on the leader may have entries of this cache found, kept and removed by their names,
 * whatever they are. Borrowed, until supervisor_free(). NULL, or not called: it is told that there
 * is none, `why` (copied, cut).
 */
void supervisor_keep_cache(struct supervisor *s, struct cache *cache, const char *why);

/* To be polled for POLLIN; then supervisor_serve() answers one request. */
int supervisor_fd(const struct supervisor *s);

/* 0; -EPIPE when the leader has gone; -EPROTO when it talks nonsense, and is to be ended. */
int supervisor_serve(struct supervisor *s);

/* How the leader ended, once it has: a sentence. False while it runs. */
bool supervisor_leader_ended(struct supervisor *s, struct err *ret);

void supervisor_usage(struct supervisor *s, struct service_usage *ret);

/*
 * Processes that were started by others than this, and are to be counted with the rest: `add` does.
 */
void supervisor_count_also(struct supervisor *s, void (*add)(void *ctx, struct service_usage *sum),
			   void *ctx);

/* How often a served process was started in place of one that the leader had been given. */
uint64_t supervisor_replaced(const struct supervisor *s);

/*
 * Gives up, for good, what this line of the table doesn't name ("supervisor", or that of another
 * command's). After all files were opened and the command was started, before the first child.
 */
int supervisor_confine(const char *role, struct err *err);

#endif
