/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses meet names: turns a window of (file, offset) stacks into a profile. Names are asked for
 * a file at a time, all its addresses at once; once read, the file is let go. Under pressure of
 * pins that can be done during the capture (resolver_relieve), and is for files that no process
 * maps any more (resolver_let_go), the rest at its end (resolver_finish). Slow files are read at
 * the end only: waiting for one costs no samples then.
 */
#ifndef AGENT_RESOLVE_H
#define AGENT_RESOLVE_H

#include "profiler/agent/names.h"
#include "profiler/agent/pipeline.h"
#include "profiler/base/err.h"
#include "profiler/model/profile.h"

struct resolver;

/* When so many binaries are held open, names are read early; the file table lets go of some at 1,024. */
#define RESOLVER_PINS 768

/* Borrows all for its life; initialises *profile, which the caller releases. 0 or -ENOMEM. */
int resolver_new(struct resolver **ret, struct pipeline *pipeline, const struct name_source *names,
		 struct profile *profile);
void resolver_free(struct resolver *r);

/*
 * If `pins` binaries or more are held open: names what was sampled in them, and lets go of those. 0 or
 * -ENOMEM.
 */
int resolver_relieve(struct resolver *r, uint32_t pins);

/*
 * To be called with each drain, which ended at `now_ns`, behind resolver_relieve(); looks once a
 * second at what living processes map. Names what was sampled in files that none has mapped for 5
 * s, and lets go of those; of those without a sample, too. 0 or -ENOMEM. UINT64_MAX, the last
 * drain, is no time: nothing happens.
 */
int resolver_let_go(struct resolver *r, uint64_t now_ns);

/*
 * Names everything and fills the profile, with these facts (a period of 0 becomes the mean). A file whose
 * names can't be had gets stand-ins and is counted, and is not asked about again; only -ENOMEM and
 * -E2BIG are errors.
 */
int resolver_finish(struct resolver *r, const struct profile_facts *facts);

#endif
