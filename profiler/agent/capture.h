/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One capture: from the start of a session to a profile with names. The order of things:
 *
 *	symbolizer started → BPF loaded, process events on → /proc read → sampler attached
 *	→ drain every 100 ms: events and samples by time → window
 *	→ sampler detached → last drain → names → profile
 *
 * and the same from a recording, with every outside fact taken from it.
 */
#ifndef AGENT_CAPTURE_H
#define AGENT_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/collect/session.h"
#include "profiler/model/profile.h"
#include "profiler/process/cgroup.h"

struct capture_config {
	struct session_config session;
	struct cgroup_hierarchy cgroups; /* whose ids session.cgroup_controller gives */
	int record_fd; /* raw stream, or -1 */
};

struct capture;

/* Loads and prepares, up to the moment before the sampler is attached. */
int capture_new(struct capture **ret, const struct capture_config *config, struct err *err);
void capture_free(struct capture *c);

/* Attaches the sampler; returns when it runs. */
int capture_start(struct capture *c, struct err *err);

/* Drains once; call it every 100 ms or so. */
int capture_drain(struct capture *c, struct err *err);

struct capture_progress {
	uint64_t samples, lost;
};
void capture_progress(const struct capture *c, struct capture_progress *ret);

/*
 * Detaches, drains the rest, finds the names: fills *ret (profile_init()ed here). 0; 1 and a sentence when
 * the profile is there but the recording could not be written; negative errno and a sentence.
 */
int capture_finish(struct capture *c, struct profile *ret, struct err *err);

/* CLOCK_MONOTONIC of the first sample (0: none), the end of the capture. */
uint64_t capture_first_sample_ns(const struct capture *c);
uint64_t capture_end_ns(const struct capture *c);

/*
 * A profile from a recording: 0, or 1 when the recording broke off before its end and the profile holds
 * what was there; negative errno and a sentence.
 */
int capture_replay(int fd, struct profile *ret, struct err *err);

#endif
