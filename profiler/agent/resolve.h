/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses meet names: turns a window of (file, offset) stacks into a profile. Names are asked for
 * a file at a time, all its addresses at once; once read, the file is let go. Under pressure of
 * pins that can be done during the capture (resolver_relieve), and is for files that no process
 * maps any more (resolver_let_go), the rest at its end (resolver_finish). Slow files are read at
 * the end only: waiting for one costs no samples then.
 *
 * In a job that goes on windows follow each other in one profile (resolver_cut), until there is another (resolver_turn): an epoch.
 */
#ifndef AGENT_RESOLVE_H
#define AGENT_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/held.h"
#include "profiler/agent/names.h"
#include "profiler/agent/naming.h"
#include "profiler/agent/pipeline.h"
#include "profiler/base/err.h"
#include "profiler/model/profile.h"
#include "profiler/store/columns.h"

struct background_lines;
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

/* ---- a job that goes on ---- */

/*
 * Names what is new and fills the profile with the window's samples, with these facts; what it had of samples is gone. Of
 * slow files one is read each time. 0; -ENOMEM or -E2BIG: the samples are not all there, and what is there is no window.
 */
int resolver_cut(struct resolver *r, const struct profile_facts *facts);

/* When the samples of the last cut were taken. Borrowed until the next one. */
const struct columns_moment *resolver_moments(const struct resolver *r, uint32_t *ret_count);

/*
 * Asks again about some of those that have no name: a debug file or a perf map may have turned up. Their locations are
 * amended. To be called behind a cut, every minute or so. 0 or -ENOMEM.
 */
int resolver_late(struct resolver *r);

/* Is the epoch nearly full: its stacks, names or files? Then it is time for resolver_turn(). */
bool resolver_is_full(const struct resolver *r);

/*
 * Another epoch: *ret is the profile as it was, the caller's, and in its place there is an empty one; series and stacks begin
 * anew with the window's next sample, which is from `start_ns` (CLOCK_MONOTONIC) on. Behind a cut. 0; or -ENOMEM, and all is
 * as it was.
 */
int resolver_turn(struct resolver *r, uint64_t start_ns, struct profile *ret);

/*
 * From now on lines are read in the background, by `b`, borrowed: each cut wants, each
 * resolver_let_go() asks, and other files than those that are in nobody's way are held for some
 * seconds, to be asked about at once.
 */
void resolver_read_lines(struct resolver *r, struct background_lines *b);

/* Of this job, for who asks for lines. */
struct naming *resolver_naming(struct resolver *r);
struct held *resolver_held(struct resolver *r);

#endif
