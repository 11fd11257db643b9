/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines and inlined functions while sampling goes on. They are asked of a symbolizer of its own,
 * which is started when there is something to ask, has the lowest priority, and goes when there was
 * nothing for 10 s. Nothing here waits for it:
 *
 *	a window is cut, its sites are named and located ──→ background_lines_want()
 *	with each drain                                  ──→ background_lines_poll()
 *	other sites, of another profile                  ──→ background_lines_epoch()
 *
 * All three are the resolver's to call (resolver_read_lines). What was located before its lines
 * came is amended (profile_location_amend). An address is asked about once in an epoch, the files
 * that most samples went through first; a file that failed, twice at most. All of it may take
 * BACKGROUND_CPU_PARTS of a CPU. Counts LINES_… and LINE_INDEXES_… One thread.
 */
#ifndef AGENT_BACKGROUND_LINES_H
#define AGENT_BACKGROUND_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/held.h"
#include "profiler/agent/names.h"
#include "profiler/agent/naming.h"
#include "profiler/role/starter.h"

/* Of a CPU's time one hundredth, and what was saved up. */
#define BACKGROUND_CPU_PARTS 100u
#define BACKGROUND_BURST_NS (5 * NS_PER_S)

struct background_lines;

struct background_lines_config {
	const struct starter *starter;
	int service; /* to the supervisor, who keeps indexes; -1: nobody does */
	const struct name_source *names; /* by whose find_lines() a file's DWARF is found */
	struct counters *counters;
	struct naming *naming; /* whose sites and profile they are */
	struct held *held; /* files that nobody maps any more; what was asked about is dropped */
	uint64_t burst_ns; /* BACKGROUND_BURST_NS */
};

/* Borrows all that `config` names. 0 or -ENOMEM. */
int background_lines_new(struct background_lines **ret,
			 const struct background_lines_config *config);
/* Ends its process. */
void background_lines_free(struct background_lines *b);

/*
 * What the window's samples go through, and has no lines yet, is wanted: before they are cleared.
 */
void background_lines_want(struct background_lines *b);

/* This file of the table is let go of in a few seconds: it has the next turn. */
void background_lines_hurry(struct background_lines *b, uint32_t file);

/*
 * Takes in what has come, and asks for the next. What there is no room for is counted
 * (NAMES_DROPPED_MEMORY). `now_ns`: CLOCK_MONOTONIC.
 */
void background_lines_poll(struct background_lines *b, uint64_t now_ns);

/*
 * Sites and files have other numbers from now on: what is under way is passed over, nothing is
 * wanted, and what failed may be tried again.
 */
void background_lines_epoch(struct background_lines *b);

/* The number of a file that is no longer known may be another's from now on. */
void background_lines_forget_file(struct background_lines *b, uint32_t file);

/* Is nothing wanted that could be asked, and nothing under way? */
bool background_lines_idle(const struct background_lines *b);

#endif
