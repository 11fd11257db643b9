/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of one level made into one of the next: their windows added up to longer ones, their names made anew with
 * what is used. Moments are left behind. It is made in small steps, so that whoever does it can do something else in between.
 */
#ifndef STORE_ROLLUP_H
#define STORE_ROLLUP_H

#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/store/catalog.h"
#include "profiler/store/window.h"

struct rollup_job {
	int dirfd; /* borrowed */
	const struct catalog_file
		*sources; /* of one level and one file of the next, by `first`; copied */
	uint32_t count;
	/* Makes room on the way, for a file of so many bytes. 0, or -EDQUOT: there is none. */
	int (*room)(void *ctx, uint64_t bytes);
	void *ctx;
	struct store_limits limits;
	uint64_t created_ns;
};

struct rollup;

/* Begins CATALOG_UNFINISHED. 0, or negative errno and a sentence. */
int rollup_new(struct rollup **ret, const struct rollup_job *job, struct err *err);

/*
 * One window read, added or written. 1: there is more to be done. 0: it is whole, synced, and has its name: *ret. Negative errno and
 * a sentence: it can't be made (-EDQUOT: there is no room for it). Sources stay.
 */
int rollup_step(struct rollup *x, struct catalog_file *ret, struct err *err);

/* What stands for its sources once it is made. */
const struct catalog_file *rollup_file(const struct rollup *x);
/* On disk so far. */
uint64_t rollup_bytes(const struct rollup *x);
/* Sources of which part or all could not be read. */
uint64_t rollup_bad(const struct rollup *x);

/* Removes what was not made. */
void rollup_free(struct rollup *x);

#endif
