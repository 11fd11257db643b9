/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other processes of a capture, as whoever was started by hand sees them: has them set up, begin, end,
 * and give their answer. Here is the supervisor's loop: while anything is waited for, the agent is heard
 * and served. One crew in a process, as its privileges are given up with the first.
 */
#ifndef COMMAND_CREW_H
#define COMMAND_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/agent/job.h"
#include "profiler/base/err.h"
#include "profiler/command/index_cache.h"

struct crew;

/*
 * Gives up privileges, starts all, and returns when all but the sampler is set up. What is to be opened
 * or started as who we were must have been before. `recording`: where one is to be written, or -1; `cache`,
 * or NULL, is borrowed until crew_free(). 0; -EINTR when a signal came; another negative errno; and a sentence.
 */
int crew_new(struct crew **ret, const struct job *job, int recording,
	     const struct index_cache *cache, struct err *err);
void crew_free(struct crew *c);

/* Attaches the sampler; returns when it runs. 0, or negative errno and a sentence. */
int crew_start(struct crew *c, struct err *err);

/*
 * Waits for whatever comes first: something that the agent says (it does with each drain), `until_ns`
 * (CLOCK_MONOTONIC), a signal, or that `other` (or -1) can be read. 0; 1 when the capture has come to its
 * end by itself; negative errno and a sentence.
 */
int crew_wait(struct crew *c, int other, uint64_t until_ns, struct err *err);

/* The last that was heard. */
struct agent_progress crew_progress(const struct crew *c);

/* Ends the capture if it is still under way: 0 when no more is sampled, or negative errno and a sentence. */
int crew_stop(struct crew *c, struct err *err);

/* Who takes the answer, as it comes. */
struct crew_taker {
	void *ctx;
	void (*recorded)(void *ctx); /* the recording is whole */
	void (*take)(void *ctx, uint32_t part, const void *bytes,
		     size_t len); /* some more of a part */
	void (*taken)(void *ctx, uint32_t part,
		      bool whole); /* that was all of it, or all there is */
};

/*
 * Waits for the answer, part after part. A signal that comes after crew_stop() began has it made without lines that
 * are not known yet. What failed is said on standard error. 0; negative errno when it
 * is not all there, a sentence is in *err if it was not said yet (else it is empty).
 */
int crew_finish(struct crew *c, const struct crew_taker *taker, struct err *err);

/* After crew_finish(). */
const struct agent_result *crew_result(const struct crew *c);

#endif
