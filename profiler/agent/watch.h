/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A job that goes on, from SAMPLING to the last window: the conversation of job.h, drains, cuts, and what becomes of windows.
 */
#ifndef AGENT_WATCH_H
#define AGENT_WATCH_H

#include "profiler/agent/capture.h"
#include "profiler/agent/job.h"
#include "profiler/base/err.h"

/*
 * Of a capture that has been started; returns when STOP was said, or the supervisor is gone, and the last window is stored, or can't be
 * within a second. `socket` is the one to the supervisor; all are borrowed. 0, or negative errno and a sentence.
 */
int watch(struct capture *c, const struct job *job, int socket, struct err *err);

#endif
