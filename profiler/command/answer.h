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

#include "profiler/base/err.h"
#include "profiler/command/format.h"
#include "profiler/command/output.h"
#include "profiler/encode/root.h"
#include "profiler/model/profile.h"

struct answer_options {
	const char *path; /* or NULL */
	const struct format *format; /* or NULL */
	struct root_keys root; /* none: count is 0 */
};

/* A table for a command. */
extern const struct argp_option answer_options[];

/* 1 if `key` is none of ours; 0; or -EINVAL and a sentence. `arg` is borrowed. */
int answer_take(struct answer_options *o, int key, const char *arg, struct err *err);

struct answer_part {
	const struct format *format;
	struct output output;
};

struct answer {
	const struct answer_options *options;
	struct answer_part parts[2];
	uint32_t count;
};

/*
 * Opens all places, so that one that can't be written is known before the work. `file_too`: without
 * --output and --format a pprof file is made, too. 0, or negative errno and a sentence.
 */
int answer_open(struct answer *a, const struct answer_options *o, bool file_too, struct err *err);

/*
 * Writes everything that can be written, whatever fails, and says on standard error what failed, and
 * the name of a file it chose. Returns an exit status.
 */
int answer_write(struct answer *a, const struct profile *p);

void answer_release(struct answer *a);

/* "slowburn-HOST-20261122-164501.pb.gz": a file name whatever the host calls itself. */
int answer_file_name(const char *host, uint64_t time_s, char *ret_name, size_t size);

#endif
