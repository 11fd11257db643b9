/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question while it is being answered: what is asked, of which files, and how their reading went.
 */
#ifndef READER_INQUIRY_H
#define READER_INQUIRY_H

#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/base/err.h"
#include "profiler/encode/text.h"
#include "profiler/model/profile.h"
#include "profiler/query/sieve.h"
#include "profiler/reader/parameters.h"
#include "profiler/reader/request.h"
#include "profiler/store/handed.h"

struct inquiry {
	struct handed *store; /* borrowed */
	struct parameters parameters;
	struct reader_ranges ranges;
	const char *format; /* name of the one that is answered in */
	struct store_result result; /* of all that was read so far */
	char type[32], unit[32]; /* of the values that inquiry_visit() shows; "": none yet */
};

/* The range, and what its matchers and expressions ask of it. `side`: 0, or 1 for what it is compared with. */
static inline const struct moment_range *inquiry_range(const struct inquiry *q, uint32_t side)
{
	return &q->ranges.items[side];
}

static inline const struct query *inquiry_query(const struct inquiry *q, uint32_t side)
{
	return side ? q->parameters.compared : q->parameters.query;
}

/*
 * A side as one profile, made here. 0; -ENODATA: the store has no window in that range; or another negative errno; and a
 * sentence.
 */
int inquiry_profile(struct inquiry *q, uint32_t side, struct profile *ret, struct err *err);

/* As the parameters have it. */
struct text_options inquiry_look(const struct inquiry *q);

/* A window, and which of its samples are asked for. */
struct inquiry_window {
	const struct segment *segment;
	const struct profile *profile; /* its samples, facts and counters */
	const struct layout_frame *frame;
	const struct sieve *sieve;
};

/* Both return 0, or negative errno and a sentence, which ends the reading. */
struct inquiry_visitor {
	void *ctx;
	enum layout_part up_to;
	/* Before the first window of a file, whose profile will grow; or NULL. */
	int (*file)(void *ctx, const struct profile *p, struct err *err);
	int (*window)(void *ctx, const struct inquiry_window *w, struct err *err);
};

/*
 * All windows of a range, for what needs no profile of it: no longer ones than `window_ns`, where there are shorter ones.
 * Their values are of one type and unit. 0, or negative errno and a sentence.
 */
int inquiry_visit(struct inquiry *q, const struct moment_range *range, uint64_t window_ns,
		  const struct inquiry_visitor *visitor, struct err *err);

/* Where nothing says when a range begins or ends, the store does. */
struct moment_range inquiry_bounds(const struct inquiry *q, const struct moment_range *range);

#endif
