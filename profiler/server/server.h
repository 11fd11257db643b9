/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `slowburn serve` after everything was opened: its processes, what they tell each other by way of
 * the supervisor, and when each is started, stopped and started again. Here is the supervisor's
 * loop. One thread; one server in a process.
 *
 * Whoever dies is started again, and the others go on: without an agent the store can still be
 * read, without a storekeeper the agent keeps some windows, without the web process windows are
 * stored. Only what doesn't come up the first time ends the server.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/job.h"
#include "profiler/base/err.h"
#include "profiler/cache/cache.h"
#include "profiler/role/supervisor.h"
#include "profiler/server/listener.h"
#include "profiler/server/log.h"
#include "profiler/server/notify.h"
#include "profiler/storekeeper/protocol.h"
#include "web/control.h"

#define SERVER_SUPERVISOR_ROLE "serve supervisor"
/* From being asked to stop until it has, at most, but for killing who doesn't. */
#define SERVER_STOP_NS (1700 * 1000000ULL)

/* All borrowed. */
struct server_config {
	const struct job *job; /* one that goes on */
	const struct supervisor_memory
		*memory; /* bounds, by role; of the storekeeper, web and reader, too */
	const struct keeper_job *keeper;
	int store; /* the directory */
	const struct listeners *listeners;
	const struct web_job *web;
	const struct notify *notify;
	struct log *log;
	struct cache *cache; /* NULL: there is none, and `no_cache` says why */
	const char *no_cache;
	uint64_t silence_ns; /* of the agent, after which it is killed; 0: 30 s */
	/*
	 * Asked whenever the loop is woken; signals that it knows are blocked but for while the
	 * loop waits.
	 */
	bool (*stop_came)(void);
	bool (*reload_came)(void); /* true once for each */
};

/*
 * Call after supervisor_confine(SERVER_SUPERVISOR_ROLE). Returns when it was told to stop, and has:
 * 0. Or when something could not be started the first time: negative errno and a sentence.
 */
int server_run(const struct server_config *config, struct err *err);

#endif
