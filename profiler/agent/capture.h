/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One capture: from the start of a session to a profile with names. The order of things:
 *
 *	BPF loaded, process events on → files closed to us → /proc read → sampler attached
 *	→ drain every 100 ms: events and samples by time → window
 *	→ sampler detached → last drain → names → profile
 *
 * and the same from a recording, with every outside fact taken from it.
 */
#ifndef AGENT_CAPTURE_H
#define AGENT_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/job.h"
#include "profiler/agent/peer.h"
#include "profiler/agent/windows.h"
#include "profiler/base/err.h"
#include "profiler/model/profile.h"

struct capture_config {
	const struct job *job;
	int service; /* the socket to the supervisor (role/service.h) */
	int record_fd; /* raw stream, or -1 */
};

struct capture;

/*
 * Loads and prepares, up to the moment before the sampler is attached. From then on it opens nothing by
 * itself: all files come from the opener. Borrows the job for its life.
 */
int capture_new(struct capture **ret, const struct capture_config *config, struct err *err);
void capture_free(struct capture *c);

/* Attaches the sampler; returns when it runs. */
int capture_start(struct capture *c, struct err *err);

/* Drains once; call it every 100 ms or so. */
int capture_drain(struct capture *c, struct err *err);

/* The same up to a moment, which is 20 ms ago at least. What is taken in then is all there will be of the time before. */
int capture_drain_until(struct capture *c, uint64_t until_ns, struct err *err);

/* To be called whenever names are asked for, which may take a while each time. */
void capture_on_sign_of_life(struct capture *c, void (*sign)(void *ctx), void *ctx);

/* From capture_stop() on: who may say that lines are waited for no longer; borrowed. NULL: nobody. */
void capture_on_hurry(struct capture *c, const struct peer_hurry *hurry);

void capture_progress(const struct capture *c, struct agent_progress *ret);

/* Detaches the sampler: what happens from now on is not in the profile. */
void capture_stop(struct capture *c);

/*
 * After the stop: drains the rest, finds the names: fills *ret (profile_init()ed here). 0; 1 and a sentence
 * when the profile is there but the recording could not be written; negative errno and a sentence.
 */
int capture_finish(struct capture *c, struct profile *ret, struct err *err);

/*
 * After the finish: frees the tables, in whose memory an encoder then works. The session goes with
 * capture_free() only: the kernel takes 0.1 s to let go of BPF programs.
 */
void capture_forget(struct capture *c);

/* ---- a job that goes on (job.watch) ---- */

/* After the start. Borrows `archive`; *ret borrows the capture. 0 or -ENOMEM. */
int capture_go_on(struct capture *c, struct archive *archive, struct windows **ret);

/* The first window begins when all timers ran. */
void capture_schedule(const struct capture *c, struct schedule *ret, uint64_t window_ns);

/* Empties the rings, and counts nothing yet: for when names are being waited for. 0 or -ENOMEM. */
int capture_catch_up(struct capture *c);

/* Asks about some of what has no name once more: call it every minute, behind a cut. 0 or -ENOMEM. */
int capture_look_again(struct capture *c);

/* What the user side counts. */
struct counters *capture_counters(struct capture *c);

/* CLOCK_MONOTONIC of the first sample (0: none), the end of the capture. */
uint64_t capture_first_sample_ns(const struct capture *c);
uint64_t capture_end_ns(const struct capture *c);

/*
 * A profile from a recording: 0, or 1 when the recording broke off before its end and the profile holds
 * what was there; negative errno and a sentence.
 */
int capture_replay(int fd, bool no_inlines, struct profile *ret, struct err *err);

#endif
