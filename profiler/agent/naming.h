/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sites get the names of symbol tables: a request for each run of window locations that has none yet. What is in no
 * file gets a stand-in. A file, or a process's code, whose names can't be had is counted, and not asked about again; only -ENOMEM and
 * -E2BIG are errors.
 */
#ifndef AGENT_NAMING_H
#define AGENT_NAMING_H

#include "profiler/agent/names.h"
#include "profiler/agent/pipeline.h"
#include "profiler/agent/run.h"
#include "profiler/agent/site.h"
#include "profiler/model/profile.h"

struct kernel_names;

struct naming {
	struct pipeline *pipeline; /* borrowed, as the next two */
	const struct name_source *names;
	struct profile *profile;
	struct sites sites;
	ARRAY(uint32_t) functions; /* of the reply at hand: its function → the profile's */
	ARRAY(uint32_t) mappings; /* of the reply at hand: its module → the profile's */
	ARRAY(bool) nameless; /* by space: a request failed or found no ELF file; ask no more */
	struct kernel_names *
		kernel; /* borrowed; what is known of it already; NULL: it is asked about each time */
	bool in_order; /* nothing is left out for want of time: the hottest need not come first */
	bool moved; /* a site that had a location has none now, and will have another */
};

/* Who wants some spaces named, and hears of each run whose space was. */
struct naming_wish {
	void *ctx;
	bool (*wanted)(void *ctx, uint32_t space);
	int (*named)(void *ctx, const struct run *run); /* 0 or -ENOMEM, -E2BIG */
};

void naming_init(struct naming *n, struct pipeline *pipeline, const struct name_source *names,
		 struct profile *profile);
void naming_release(struct naming *n);

/* Names what has no name yet in the spaces that are wanted. */
int naming_run(struct naming *n, const struct naming_wish *wish);

/*
 * What has no name yet gets a location that stands for it, so that a profile can be made. It will be named all the same, and have
 * another location then (`moved`).
 */
int naming_stand_in(struct naming *n);

/* Other locations of the window have these numbers from now on, and are of another, empty profile. */
void naming_turn(struct naming *n);

/* The file's number is another file's from now on. */
void naming_forget_file(struct naming *n, uint32_t file);

/* Asks once more for what a file has no name for: the descriptor is the file's, or -1. Locations that there are get theirs. */
int naming_again(struct naming *n, const struct run *run, int fd);

/* Does it have no name although its file was read? */
static inline bool naming_lacks(const struct naming *n, uint32_t location)
{
	const struct site *s = &n->sites.items.items[location];

	return s->in_segment && !s->named && !s->located;
}

/* Is the file, or the code, at fault: not to be asked about? */
bool naming_gave_up(const struct naming *n, uint32_t space);

#endif
