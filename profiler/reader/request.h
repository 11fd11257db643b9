/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A question to a reader: an endpoint's name and parameters, as they come by URL. One reader answers one question, about
 * the files of a store that it was handed.
 *
 *	supervisor	asker (web, slowburn query)	reader
 *	STORE_FILE … (job.h)			→
 *	gives the socket →
 *			REQUEST			→
 *			←	REPLY; if its status is 200, ANSWER, many; ENDED
 *
 * So whoever hands over files needs no parser, and whoever asks needs no file. Neither end believes the other.
 * Both resolve moments by the same function from the same `now_ns`: the files that were handed over are those of
 * the ranges that are read.
 */
#ifndef READER_REQUEST_H
#define READER_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/base/err.h"
#include "profiler/query/moment.h"

#define READER_MAX_MESSAGE_BYTES (256u << 10)
#define READER_MAX_REQUEST_BYTES (64u << 10)
#define READER_MAX_PARAMETERS 64
#define READER_MAX_ANSWER_BYTES (512ull << 20)
#define READER_MAX_RANGES 2

enum reader_message {
	READER_JOB = 1, /* struct reader_job; descriptors: the files, none of a store's */
	READER_STORE_FILE, /* before it, many: struct catalog_file, and its descriptor */
	READER_ACCOUNT, /* instead of a job: struct reader_account; one part is the answer */
	READER_IMPORT, /* struct reader_import, and the file's name; descriptor: the file */
	READER_REQUEST, /* as reader_request_write() writes it */
	READER_ANSWER = 100, /* some more bytes of the next part, or of the answer */
	READER_ANSWERED, /* that was all of it */
	READER_SAID, /* a sentence */
	READER_ENDED, /* a job's: struct reader_result, and a sentence if it failed; a request's: nothing */
	READER_PACKED, /* struct reader_packed, and a sentence if it failed */
	READER_REPLY, /* struct reader_reply, before the answer */
};

struct reader_parameter {
	const char *name, *value;
};

struct reader_request {
	uint64_t now_ns; /* CLOCK_REALTIME: what moments such as -1h are before */
	uint64_t max_answer_bytes; /* a larger one is refused; at most READER_MAX_ANSWER_BYTES */
	const char *endpoint; /* "flamegraph": without /api/v1/ */
	struct reader_parameter parameters[READER_MAX_PARAMETERS];
	uint32_t count;
};

struct reader_reply {
	uint32_t status; /* HTTP's; if it isn't 200, `sentence` says why, and there is no answer */
	uint32_t settled; /* 1: all windows that it asks for are in the store by now, with all that will be known of them */
	uint64_t bytes; /* of the answer */
	char content_type[48];
	char file_name[64]; /* to save it by, or "" */
	char sentence[512]; /* with 200: what is wrong with the store, or "" */
};

/* '-' and '_' are one character in names of parameters. */
bool reader_same_name(const char *a, const char *b);

/* The value of a parameter, or NULL. */
const char *reader_request_find(const struct reader_request *q, const char *name);

/* Appends a message. 0; -E2BIG: too many parameters, or too long; -ENOMEM. */
int reader_request_write(const struct reader_request *q, struct buffer *out);

/* Borrows from `bytes`. 0 or -EPROTO. */
int reader_request_parse(struct reader_request *ret, const struct buffer *bytes);

/* 0 or -EPROTO: all texts end. */
int reader_reply_parse(struct reader_reply *ret, const struct buffer *bytes);

struct reader_ranges {
	struct moment_range
		items[READER_MAX_RANGES]; /* what is asked for; what it is compared with */
	uint32_t count;
};

/*
 * What `from` (-1h, if there is none) and `to` (now) say, and the second range: `compare` (how long before: "1d"), or
 * `compare_from` and `compare_to`; the same range again with `compare_query` alone. 0, or -EINVAL and a sentence.
 */
int reader_request_ranges(const struct reader_request *q, struct reader_ranges *ret,
			  struct err *err);

#endif
