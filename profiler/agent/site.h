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
	uint32_t mapping; /* of the profile */
	uint32_t function; /* the same; PROFILE_NONE: it was not asked about yet */
	uint32_t location; /* the same; PROFILE_NONE: none was made yet */
	bool named; /* `function` is no stand-in */
	bool in_segment; /* of a file that was read: `address` is its ELF address */
};

struct sites {
	ARRAY(struct site) items; /* by location of the window */
};

/* One for each of `count` locations of the window. 0 or -ENOMEM. */
int sites_follow(struct sites *s, uint32_t count);
void sites_release(struct sites *s);

/* Makes a location of each that has none: its function, without a line. 0, -ENOMEM or -E2BIG. */
int sites_locate(struct sites *s, struct profile *p);

#endif
