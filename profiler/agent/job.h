/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the supervisor has the agent do, and the conversation about it. Frames as in role/socket.h.
 *
 *	supervisor		agent
 *	JOB		→		sets up, which takes a while
 *			←	READY	or ENDED
 *	GO		→		attaches the sampler
 *			←	SAMPLING
 *			←	PROGRESS, every 100 ms and whenever names are asked for: a sign of life, too
 *	STOP		→		if the job's duration hasn't ended it before
 *			←	STOPPED
 *	HURRY		→		if lines are not to be waited for any longer; at any time from here on
 *			←	RECORDED, if that was asked for and the recording is whole
 *			←	for each part: ANSWER, many; ANSWERED
 *			←	SAID, if something failed that is no reason to end
 *			←	ENDED
 *
 * A job that goes on (`watch`) has no answer; windows go to the storekeeper (agent/archive.h):
 *
 *	GO		→
 *			←	SAMPLING
 *	KEEPER		→		a storekeeper to hand windows to; another one if that has gone
 *	CUT		→		ends a window now, and begins the next at the same instant
 *			←	WINDOW, for each window when it is stored or lost, and for each CUT
 *			←	STATUS, once a second: the sign of life
 *	STOP		→		the last window is cut
 *			←	STOPPED, WINDOW…, ENDED
 *
 * Windows end on multiples of window_ns in CLOCK_REALTIME, and with each CUT; those that come within AGENT_CUT_SHARE_NS share
 * one. No instant is in two windows, and none is in none. A WINDOW of a CUT comes when all samples up to its end_ns, which is not before the
 * CUT came, are stored, or with the status why they are not.
 */
#ifndef AGENT_JOB_H
#define AGENT_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/budget.h"
#include "profiler/base/buffer.h"
#include "profiler/base/err.h"
#include "profiler/collect/session.h"
#include "profiler/encode/format.h"
#include "profiler/process/cgroup.h"

#define AGENT_ROLE "agent"

#define JOB_MAX_PARTS 2
#define JOB_MAX_BYTES (1u << 20)
#define AGENT_MAX_MESSAGE_BYTES (1u << 20) /* of those that the agent sends */

enum agent_message {
	AGENT_JOB =
		1, /* job_write()'s bytes; descriptors: the service socket, the recording if any */
	AGENT_GO,
	AGENT_STOP,
	AGENT_HURRY,
	AGENT_KEEPER, /* one descriptor: the storekeeper's socket */
	AGENT_CUT, /* struct agent_cut */

	AGENT_READY = 50,
	AGENT_SAMPLING,
	AGENT_PROGRESS, /* struct agent_progress */
	AGENT_STOPPED, /* no more samples; the answer follows */
	AGENT_RECORDED,
	AGENT_ANSWER, /* some more bytes of the next part */
	AGENT_ANSWERED, /* struct agent_answered: that was all of it */
	AGENT_SAID, /* a sentence about what failed */
	AGENT_ENDED, /* struct agent_result, and a sentence if it failed */
	AGENT_WINDOW, /* struct agent_window */
	AGENT_STATUS, /* struct agent_status (agent/status.h) */
};

#define AGENT_CUT_SHARE_NS (50 * 1000000ULL)
#define AGENT_MAX_CUTS 64u /* that wait for their window; beyond it they are answered -EAGAIN */

struct agent_cut {
	uint64_t id; /* not 0 */
};

struct agent_window {
	uint64_t cut_id; /* 0: of its own accord */
	uint64_t start_ns, end_ns; /* CLOCK_REALTIME */
	uint64_t sequence; /* of the storekeeper's; 0: it is not stored */
	uint64_t samples;
	int32_t status; /* 0: stored; negative errno: dropped, or (-ETIMEDOUT) not known to be stored */
	uint32_t reserved;
};

struct agent_progress {
	uint64_t samples, lost;
};

struct agent_answered {
	uint32_t part;
	int32_t status; /* 0; negative errno: it could not be made, and SAID says why */
};

struct agent_result {
	int32_t status; /* 0; negative errno: there is no answer, or not all of it */
	uint32_t unused;
	uint64_t first_sample_ns, end_ns; /* CLOCK_MONOTONIC; 0: none */
	uint64_t own_cpu_ns; /* while sampling, of all our processes */
};

/* One form in which the answer is wanted. */
struct job_part {
	const struct format *format;
	struct root_keys root;
	struct text_options look;
};

struct job {
	struct session_config session;
	struct cgroup_hierarchy cgroups; /* whose ids session.cgroup_controller gives */
	struct budget budget;
	uint64_t duration_ns; /* from SAMPLING on; 0: until STOP */
	uint64_t drain_ns; /* how often the rings are emptied */
	struct job_part parts[JOB_MAX_PARTS];
	uint32_t part_count;
	bool no_inlines; /* no source lines and inlined functions are looked for */
	bool watch; /* until STOP, in windows of window_ns; no parts, no record, duration_ns 0 */
	uint64_t window_ns; /* > 0 if it goes on */
	bool record; /* a descriptor to write a recording to comes with it */
	const char *comms[SESSION_MAX_COMMS]; /* what session.comms points to, once parsed */
};

void job_write(const struct job *j, struct buffer *out);

/*
 * 0 and *ret, whose pointers are into itself and into `bytes`, so that neither may move; or -EPROTO. Every number in it is
 * within its array; whether a session can be made of it is session_new()'s to say.
 */
int job_parse(struct job *ret, struct buffer *bytes);

#endif
