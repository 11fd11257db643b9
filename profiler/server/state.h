/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of a server know of each other. Each part is one of its processes: watch.c the
 * agent's, keeper.c the storekeeper's, front.c the web process's.
 */
#ifndef SERVER_STATE_H
#define SERVER_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/job.h"
#include "profiler/agent/status.h"
#include "profiler/server/member.h"
#include "profiler/server/readers.h"
#include "profiler/server/server.h"

enum server_phase {
	SERVER_RUNNING,
	SERVER_AWAITS_KEEPER, /* one for the windows that there is none for */
	SERVER_ENDS_AGENT,
	SERVER_ENDS_KEEPER,
	SERVER_ENDED
};

/* A cut that the web process waits for. */
struct server_cut {
	uint64_t id; /* ours: those of web processes begin anew with each */
	uint64_t web_id;
};

struct server {
	const struct server_config *config;
	struct log *log;
	struct supervisor *supervisor;
	struct member agent, keeper, web;
	struct readers readers;
	bool agent_there, keeper_there, web_there; /* at the last look */
	bool agent_came, keeper_came, web_came; /* they were up once */
	bool paired; /* agent and storekeeper have a socket to each other */
	bool ready;
	enum server_phase phase;
	uint64_t stop_ns; /* CLOCK_MONOTONIC: the phase's end */
	uint64_t start_ns; /* CLOCK_REALTIME */
	uint64_t status_due_ns, notify_due_ns, watchdog_due_ns; /* CLOCK_MONOTONIC */
	/* What the agent told, and what those before it had counted. */
	struct agent_status status;
	struct counters past;
	uint64_t past_cpu_ns, past_windows;
	uint64_t windows; /* that this agent said are stored: its status is a second old */
	struct agent_window last; /* of those that are stored */
	struct server_cut cuts[AGENT_MAX_CUTS];
	uint32_t cut_count;
	uint64_t cut_id; /* the last one given */
	struct keeper_figures figures;
	bool figures_known;
	uint64_t past_expired; /* files, of storekeepers before this one */
};

/* ---- the agent ---- */

void watch_start(struct server *s);
void watch_hear(struct server *s);
/* Windows that this agent has had stored. */
uint64_t watch_windows(const struct server *s);
/* It has gone: cuts are answered, and what it counted is kept. */
void watch_gone(struct server *s);
/* For the web process, which is told now or later. */
void watch_cut(struct server *s, uint64_t web_id);
void watch_stop(struct server *s);

/* ---- the storekeeper ---- */

void keeper_start(struct server *s);
void keeper_hear(struct server *s);
/* Gives agent and storekeeper their socket, if both are there and have none. */
void keeper_pair(struct server *s);
void keeper_stop(struct server *s);

/* ---- the web process ---- */

void front_start(struct server *s);
void front_hear(struct server *s);
void front_gone(struct server *s);
void front_cut_done(struct server *s, uint64_t web_id, int32_t status, uint64_t end_ns);
/* Now, and not again for a second. */
void front_tell_status(struct server *s);

/* figures.c: all there is to tell. */
void figures_fill(const struct server *s, struct web_status *ret);

#endif
