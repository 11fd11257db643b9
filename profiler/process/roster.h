/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is there: processes by pid, and those that died in the order of their deaths. It knows nothing
 * of what a process maps, but drops it with the process.
 */
#ifndef PROCESS_ROSTER_H
#define PROCESS_ROSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/index.h"
#include "profiler/process/mapping_list.h"

struct process {
	struct mapping_list *mappings;
	uint64_t start_ns; /* 0: no sample has told it yet */
	uint64_t epoch; /* of the table, in which its mappings were complete; 0: never */
	uint64_t exec_ns; /* when it last executed, or was forked */
	uint64_t dead_ns; /* when it was last seen, if dead */
	uint64_t next_read_ns; /* /proc is not asked before */
	uint64_t backoff_ns;
	uint64_t root; /* process/root.h; ROOT_UNASKED after whatever may have changed it */
	uint32_t pid, parent_pid; /* parent: 0 if not known */
	uint32_t exec_id;
	uint32_t last_mapping; /* where the last address was found */
	uint32_t sweep; /* the last one that found it in /proc */
	uint32_t next, previous; /* in the queue of the dead; next: in that of free slots */
	bool exec_known; /* exec_id is */
	bool dead;
	bool used; /* the slot holds a process */
};

struct roster {
	struct process *slots; /* `max` of them; pages never touched cost nothing */
	struct index by_pid; /* has stale items too: a slot's `used` and pid decide */
	struct process *last_found;
	uint32_t max, live; /* live: slots used */
	uint32_t high; /* slots beyond were never used */
	uint32_t free; /* a list */
	uint32_t longest_dead, latest_dead;
};

int roster_init(struct roster *r, uint32_t max);
void roster_release(struct roster *r);

/* Pointers stay valid until the process is removed. */
struct process *roster_find(struct roster *r, uint32_t pid);
/* A new process, all zero but for its pid, which must not be there; NULL if full or out of memory. */
struct process *roster_add(struct roster *r, uint32_t pid);
void roster_remove(struct roster *r, struct process *p);

/* Marks it dead, last seen at `time_ns`; also if it is already, and then never earlier. */
void roster_bury(struct roster *r, struct process *p, uint64_t time_ns);
/* It lives after all. */
void roster_revive(struct roster *r, struct process *p);
/* The one whose death is longest ago, or NULL. */
struct process *roster_longest_dead(struct roster *r);

/* All processes: start with NULL; it may remove none but the last one returned. */
struct process *roster_next(struct roster *r, struct process *p);

#endif
