/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the dumper's work share. One thread.
 */
#ifndef DUMP_DUMPER_H
#define DUMP_DUMPER_H

#include "profiler/base/buffer.h"
#include "profiler/base/counter.h"
#include "profiler/base/err.h"
#include "profiler/dump/job.h"
#include "profiler/dump/rows.h"
#include "profiler/dump/target.h"
#include "profiler/role/starter.h"

struct dumper {
	int socket; /* the conversation */
	int service; /* to the supervisor, or -1 */
	struct dump_job job;
	struct starter starter;
	struct target_sources from;
	struct rows rows;
	struct counters counters;
	struct dump_result result;
};

/* Sends what is in `out` to standard output, and empties it. 0 or negative errno: also the buffer's own. */
int dumper_flush(struct dumper *d, struct buffer *out);

/* Says a sentence on standard error. */
void dumper_say(struct dumper *d, const struct err *err);

/* The rows of all files that a process maps; what fails is remembered there. */
void dumper_rows(struct dumper *d, const struct target *t);

/* The bodies of the kinds of jobs. 0, or negative errno and a sentence. */
int dump_stacks(struct dumper *d, struct err *err);
/* Of all processes; the answer to doctor --symbols. In census.c. */
int dump_census(struct dumper *d, struct outside *outside, struct err *err);
/* `file`: -1 if the job has a pid. */
int dump_table(struct dumper *d, int file, struct err *err);
int dump_names(struct dumper *d, int file, struct err *err);
/* The same for a process's memory. */
int dump_addresses(struct dumper *d, struct err *err);

#endif
