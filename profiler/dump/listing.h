/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How `slowburn symbolize` prints an address and where names were sought: as llvm-symbolizer, or as JSON. Strings come from
 * strangers and are escaped.
 */
#ifndef DUMP_LISTING_H
#define DUMP_LISTING_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/dump/finder.h"
#include "profiler/dump/job.h"

struct listing_item {
	uint64_t addr;
	bool caller; /* it is where a call comes back to: all else is said of the call */
	const char *
		place; /* where in a process it is, in words, which are escaped; NULL: it is a file's */
	const char *path; /* of what is mapped there; NULL: of nothing */
	const uint64_t *vaddr; /* in that file; NULL: not known */
	const struct finder_frame *frames; /* the innermost first */
	uint32_t count;
};

/* Appends one address, in JSON without a comma. */
void listing_put(struct buffer *out, const struct dump_job *job, const struct listing_item *item);

/* Appends a source of names, and whose it is (NULL: there is only one file). */
void listing_put_origin(struct buffer *out, const struct dump_job *job, const char *whose,
			const struct origin *origin);

#endif
