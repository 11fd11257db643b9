/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of `slowburn query` and `slowburn diff`, as whoever was started by hand sees them: gives up
 * privileges, starts the reader, hands it job and files, and writes what comes. Once in a process.
 */
#ifndef COMMAND_READING_H
#define COMMAND_READING_H

#include <argp.h>
#include <stdbool.h>

#include "profiler/base/err.h"
#include "profiler/command/answer.h"
#include "profiler/command/question.h"
#include "profiler/reader/job.h"

struct reading {
	struct reader_job job;
	struct answer_options answer;
	struct question question; /* of a store, in the place of a profile */
	const char *by; /* as it was given */
	const char *files[READER_MAX_FILES]; /* or the first: a store's directory (job.store) */
};

/* What both commands take: query parameters. */
extern const struct argp_option reading_options[];

/*
 * Takes an option of ours or of answer.h's, or an operand (key 0) as the next file. 1 if the key is nobody's; 0;
 * or -EINVAL and a sentence.
 */
int reading_take(struct reading *x, int key, const char *arg, struct err *err);

/* Returns an exit status; whatever failed was said. All files are given. */
int reading_run(struct reading *x);

#endif
