/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `slowburn query` can ask of a store beside a profile: the endpoints of the API, in words of a command line.
 */
#ifndef COMMAND_QUESTION_H
#define COMMAND_QUESTION_H

#include <argp.h>

#include "profiler/base/err.h"
#include "profiler/encode/text.h"
#include "profiler/reader/job.h"
#include "profiler/reader/request.h"

#define QUESTION_MAX_WORDS 16

struct question {
	const char *endpoint; /* NULL: none, a profile is wanted */
	struct reader_parameter
		words[QUESTION_MAX_WORDS]; /* of our own options; borrowed from argv */
	uint32_t count;
};

/* A table for a command. */
extern const struct argp_option question_options[];

/* 1 if `key` is none of ours; 0; or -EINVAL and a sentence. `arg` is borrowed. */
int question_take(struct question *q, int key, const char *arg, struct err *err);

/* One more parameter; borrows both. 0, or -EINVAL and a sentence. */
int question_say(struct question *q, const char *name, const char *value, struct err *err);

/* Is there a parameter of this name? */
bool question_has(const struct question *q, const char *name);

/* What no option can tell alone. 0, or -EINVAL and a sentence. */
int question_check(struct question *q, struct err *err);

/* The question as a reader takes it; borrows all, `ret_texts` too. `by` NULL: none was given. */
struct question_texts {
	char columns[16], root[512];
};
void question_request(const struct question *q, const struct reader_job *job, const char *by,
		      const char *format, const struct text_options *look,
		      struct question_texts *ret_texts, struct reader_request *ret);

#endif
