/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile's way to whoever asked: which formats, to which places, by --output, --format and --root.
 *
 *	neither           text on standard output, and (a capture's) a pprof file in this folder
 *	-o FILE           that file, and text on standard output
 *	-o - , --format   that alone, on standard output
 */
#ifndef COMMAND_ANSWER_H
#define COMMAND_ANSWER_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "profiler/agent/job.h"
#include "profiler/base/buffer.h"
#include "profiler/base/err.h"
#include "profiler/command/output.h"
#include "profiler/encode/format.h"
#include "profiler/encode/root.h"
#include "profiler/model/profile.h"

struct answer_options {
	const char *path; /* or NULL */
	const struct format *format; /* or NULL */
	struct root_keys root; /* none: count is 0 */
	bool no_inlines; /* functions as symbol tables have them, without lines */
};

/* A table for a command. */
extern const struct argp_option answer_options[];

/* 1 if `key` is none of ours; 0; or -EINVAL and a sentence. `arg` is borrowed. */
int answer_take(struct answer_options *o, int key, const char *arg, struct err *err);

#define ANSWER_MAX_PARTS JOB_MAX_PARTS

struct answer_part {
	const struct format *format;
	struct output output;
	bool failed, written;
};

struct answer {
	const struct answer_options *options;
	struct answer_part parts[ANSWER_MAX_PARTS];
	uint32_t count;
};

/*
 * Opens all places, so that one that can't be written is known before the work. `file_too`: without
 * --output and --format a pprof file is made, too. 0, or negative errno and a sentence.
 */
int answer_open(struct answer *a, const struct answer_options *o, bool file_too, struct err *err);

/* The same for an answer of one part: --output takes the place of standard output. */
int answer_open_one(struct answer *a, const struct answer_options *o, const struct format *usual,
		    struct err *err);

/*
 * Writes everything that can be written, whatever fails, and says on standard error what failed, and
 * the name of a file it chose. Returns an exit status.
 */
int answer_write(struct answer *a, const struct profile *p);

/*
 * The same in steps, for parts that somebody else encodes: what he needs to know of each; some more of a
 * part's bytes; that they were all; and the name at the end. Exit statuses: what failed was said.
 */
void answer_describe(const struct answer *a, struct job_part ret_parts[ANSWER_MAX_PARTS]);
int answer_put(struct answer *a, uint32_t part, const void *bytes, size_t len);
int answer_end(struct answer *a, uint32_t part);
int answer_close(struct answer *a);

void answer_release(struct answer *a);

/* "slowburn-HOST-20261122-164501.pb.gz": a file name whatever the host calls itself. */
int answer_file_name(const char *host, uint64_t time_s, char *ret_name, size_t size);

#endif
