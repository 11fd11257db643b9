/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known by now of each location of a window: first its name, by which it is already a frame, then perhaps
 * what was inlined there. In the end each is a location of the profile.
 */
#ifndef AGENT_SITE_H
#define AGENT_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/array.h"
#include "profiler/model/profile.h"

struct site {
	uint64_t address; /* as a profile's location has it */
	uint32_t mapping : 27; /* of the profile */
	uint32_t known : 1; /* 0: it was not asked about yet; nothing else here is set, or it stands for what will be known */
	uint32_t named : 1; /* its function is no stand-in */
	uint32_t in_segment : 1; /* of a file that was read: `address` is its ELF address */
	uint32_t located : 1;
	uint32_t asked : 1; /* for lines, while sampling goes on (agent/background_lines.h) */
	uint32_t id; /* of the profile: its function; once it is located, its location */
};

_Static_assert(sizeof(struct site) == 16, "there is one for each location");

static inline void site_located(struct site *s, uint32_t location)
{
	s->located = 1;
	s->id = location;
}

struct sites {
	ARRAY(struct site) items; /* by location of the window */
	uint32_t known_below; /* all before are known; what may be unknown begins here */
	uint32_t located_below; /* all before have a location */
};

/* The first that is not known yet, or their count. */
uint32_t sites_first_unknown(struct sites *s);

/* One for each of `count` locations of the window. 0 or -ENOMEM. */
int sites_follow(struct sites *s, uint32_t count);
void sites_release(struct sites *s);

/* Makes a location of each that has none: its function, without a line. 0, -ENOMEM or -E2BIG. */
int sites_locate(struct sites *s, struct profile *p);

#endif
