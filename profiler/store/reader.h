/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A range of time of a store, whoever writes it meanwhile. A window belongs to the range if it starts in it. Each
 * moment is read from one level: the coarsest whose windows lie in the range and are no longer than asked for, and at
 * the range's ends from the finest that is still there.
 *
 * Nothing is written, locked or waited for. Files come by their names from a function, so that a reader
 * needs no right but to ask for them.
 */
#ifndef STORE_READER_H
#define STORE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/store/catalog.h"
#include "profiler/store/segment.h"

struct store_source {
	const struct catalog *catalog;
	/* A descriptor, or negative errno (-ENOENT: it was given up) and a sentence. */
	int (*open)(void *ctx, const char *name, struct err *err);
	void *ctx;
	struct store_limits limits;
};

/* For a store whose directory is open: `ctx` is an int, its descriptor. */
int store_source_open(void *ctx, const char *name, struct err *err);

struct store_range {
	uint64_t from_ns, to_ns; /* CLOCK_REALTIME; `to` is not in it */
	/* No window is longer, where there are shorter ones; UINT64_MAX: as long as they come. */
	uint64_t window_ns;
};

/* Who is shown windows. All return 0, or negative errno and a sentence, which ends it. */
struct store_visitor {
	void *ctx;
	enum layout_part up_to; /* what is loaded of each */
	/* Before the first window of a file; `s` is there until the next call. */
	int (*file)(void *ctx, const struct segment *s, struct err *err);
	int (*window)(void *ctx, const struct segment *s, const struct layout_frame *f,
		      struct err *err);
};

struct store_result {
	uint32_t files, windows; /* read */
	uint32_t gone; /* files that were given up meanwhile */
	uint32_t bad; /* files that are damaged: what is before the damage was read */
	struct err damage; /* of the first of them */
};

/* Windows in no particular order. 0, or what a visitor gave, or -ENOMEM; and a sentence. *ret is written anyhow. */
int store_visit(const struct store_source *source, const struct store_range *range,
		const struct store_visitor *visitor, struct store_result *ret, struct err *err);

/*
 * Adds the samples of a range to a profile: those of series that `wants` (NULL: all) says true to, asked once for each
 * in each file. Facts are those of all windows. 0; -E2BIG: there is more than fits into `into`; or another negative errno; and a
 * sentence.
 */
int store_read(const struct store_source *source, const struct store_range *range,
	       bool (*wants)(void *ctx, const struct profile *p, uint32_t series), void *ctx,
	       struct profile *into, struct store_result *ret, struct err *err);

#endif
