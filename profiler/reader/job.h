/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the supervisor has the reader do, and the conversation about it.
 *
 *	supervisor		reader
 *	STORE_FILE	→	many, or none
 *	JOB		→		or ACCOUNT, for `slowburn store`
 *			←	for each part: ANSWER, many; ANSWERED
 *			←	SAID, about what is no reason to end
 *			←	ENDED
 *
 * Or, for `slowburn store import`, again and again:
 *
 *	IMPORT		→		a file
 *			←	ANSWER, many: its frame (store/packer.h); PACKED
 */
#ifndef READER_JOB_H
#define READER_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/encode/root.h"
#include "profiler/encode/text.h"
#include "profiler/query/diff.h"
#include "profiler/query/matchers.h"
#include "profiler/query/pattern.h"
#include "profiler/query/query.h"
#include "profiler/reader/request.h"

#define READER_SUPERVISOR_ROLE "reader supervisor"
#define READER_ROLE "reader"

#define READER_MAX_PARTS 2
#define READER_MAX_FILES 2
#define READER_MAX_JOB_BYTES (1u << 20)

struct reader_result {
	int32_t status; /* 0, or negative errno */
	uint32_t broken_off; /* recordings that break off early; files of a store that are damaged */
};

enum reader_account_kind { READER_INFO, READER_VERIFY, READER_EXPORT };

/* What `slowburn store` asks of a store's files. */
struct reader_account {
	uint32_t kind;
	uint32_t reserved;
	uint64_t from_ns, to_ns, window_ns; /* what is exported (store/reader.h) */
};

struct reader_import {
	uint64_t time_ns; /* of a file that doesn't say when it was taken; 0: not known */
	uint32_t goes_on; /* the frame before was written, and one may follow it in its file */
	uint32_t reserved;
};

struct reader_packed {
	int32_t status; /* 0, or negative errno: there is no frame */
	uint32_t broken_off; /* a recording that breaks off early */
	uint32_t whole; /* the frame begins a file */
	uint32_t reserved;
	uint64_t start_ns, samples;
};

struct reader_part {
	char format[16]; /* name */
	struct text_options look;
};

struct reader_job {
	uint32_t file_count; /* 2: they are compared */
	uint32_t part_count;
	enum diff_mode mode;
	struct group_keys by;
	struct root_keys root;
	struct reader_part parts[READER_MAX_PARTS];
	bool given[QUERY_PARAMETER_COUNT];
	char parameters[QUERY_PARAMETER_COUNT][MATCHERS_MAX_BYTES + 1];
	char names[READER_MAX_FILES][256]; /* of the files, for sentences */
	bool store; /* the one "file" is a range of a store */
	uint64_t from_ns, to_ns; /* CLOCK_REALTIME: of windows that start then */
};

/* What both ends make of the parameters. 0, or negative errno and a sentence. */
int reader_job_query(const struct reader_job *j, struct query **ret, struct err *err);

/* 0 or -EPROTO. */
int reader_job_parse(struct reader_job *ret, const struct buffer *bytes);

/* The reader's body. Returns an exit status. */
int reader_serve(int socket);

#endif
