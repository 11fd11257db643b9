/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `slowburn dump` prints, as text or as one JSON object. Names come from strangers and are escaped.
 */
#ifndef DUMP_REPORT_H
#define DUMP_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/base/err.h"
#include "profiler/dump/label.h"
#include "profiler/dump/stack.h"
#include "profiler/dump/target.h"

#define REPORT_MAX_BYTES (64u << 20) /* between two looks at it */

struct report {
	struct buffer
		out; /* its errors are the report's; the caller takes what is in it, whenever it likes */
	bool json, verify;
	uint32_t processes; /* shown */
	uint32_t threads_shown; /* of this process */
	uint32_t threads, frames, differ, unfinished; /* in all; what was compared */
	uint32_t failed; /* processes and threads without a stack */
};

void report_init(struct report *r, bool json, bool verify);
void report_release(struct report *r);

void report_begin(struct report *r);
/* A process; then its threads, some at a time; then its end, with why there are no more of it, or NULL. */
void report_process(struct report *r, uint32_t pid, const char *comm);
void report_threads(struct report *r, const struct stacks *s, const struct target *t,
		    const struct labels *l);
void report_process_end(struct report *r, const struct err *why);
void report_end(struct report *r);

#endif
