/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be asked of a store: one table of names, what each takes, and what it answers in. docs/API.md describes
 * the answers.
 */
#ifndef READER_ENDPOINT_H
#define READER_ENDPOINT_H

#include "profiler/reader/inquiry.h"

/*
 * Answers a question: *reply, and the bytes of an answer if its status is 200. Borrows all; `out` is empty, and its maximum
 * is lowered to what the question allows.
 */
void endpoint_answer(const struct reader_request *request, struct handed *store,
		     struct reader_reply *reply, struct buffer *out);

/* The answers, each appended to `out`. 0, or negative errno and a sentence. */
int profile_answer(struct inquiry *q, struct buffer *out, struct err *err);
int top_answer(struct inquiry *q, struct buffer *out, struct err *err);
int flamegraph_answer(struct inquiry *q, struct buffer *out, struct err *err);
int diff_answer(struct inquiry *q, struct buffer *out, struct err *err);
int timeline_answer(struct inquiry *q, struct buffer *out, struct err *err);
int heatmap_answer(struct inquiry *q, struct buffer *out, struct err *err);
int labels_answer(struct inquiry *q, struct buffer *out, struct err *err);
int series_answer(struct inquiry *q, struct buffer *out, struct err *err);
int targets_answer(struct inquiry *q, struct buffer *out, struct err *err);

#endif
