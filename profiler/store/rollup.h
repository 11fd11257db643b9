/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of one level made into one of the next: their windows added up to longer ones, their names made anew with
 * what is used. Moments are left behind.
 */
#ifndef STORE_ROLLUP_H
#define STORE_ROLLUP_H

#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/store/catalog.h"
#include "profiler/store/window.h"

struct rollup {
	int dirfd;
	const struct catalog_file *sources; /* of one level and one file of the next, by `first` */
	uint32_t count;
	/* Makes room on the way, for a file of so many bytes. 0, or -EDQUOT: there is none. */
	int (*room)(void *ctx, uint64_t bytes);
	void *ctx;
	struct store_limits limits;
	uint64_t created_ns;
	/* Out: sources of which part or all could not be read; samples for which there was no memory. */
	uint64_t bad, left_out;
};

/*
 * Writes CATALOG_TEMPORARY, syncs it and gives it its name. 0 and the file; -EDQUOT: there is no room for it; or another negative
 * errno; and a sentence: then nothing is left of it. Sources stay.
 */
int rollup_run(struct rollup *x, struct catalog_file *ret, struct err *err);

#endif
