/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and lines of a file's addresses, from all that there is of them; and what each source gave. One thread.
 */
#ifndef DUMP_FINDER_H
#define DUMP_FINDER_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/base/err.h"
#include "profiler/dump/dumper.h"
#include "symbolizer/protocol.h"

#define FINDER_MAX_ORIGINS 7u
#define FINDER_MAX_FRAMES 128u /* of an address; the symbolizer gives no more */

/* A place where names were sought. */
struct origin {
	const char *what; /* "symbols" */
	char result[600]; /* what it gave, or why nothing */
};

struct asked;

struct finder {
	struct dumper *dumper;
	struct symbols_client *client;
	struct asked *asked; /* by address */
	uint64_t *vaddrs, *offsets; /* the same */
	uint32_t *positions; /* among them, of address number i as it was asked for */
	uint32_t count;
	int fd, debug, alternate; /* -1: there is none; the first is borrowed */
	struct buffer names;
	struct origin origins[FINDER_MAX_ORIGINS];
	uint32_t origin_count;
	bool has_lines;
	struct lines_answers lines; /* of vaddrs */
};

/* Strings are "" if not known; they are from outside. */
struct finder_frame {
	const char *name, *system_name, *file;
	uint32_t line; /* 0: not known */
};

/*
 * Looks up the job's addresses in the file `fd`. 0, or negative errno and a sentence: nothing can be said about it. In every
 * case finder_release() is called.
 */
int finder_run(struct finder *f, struct dumper *d, int fd, struct err *err);
void finder_release(struct finder *f);

/*
 * Address number `i` of the job: the innermost function first, at most `max` (FINDER_MAX_FRAMES is all). The outermost is named by
 * the symbol, if there is one, as the unwinder and the linker know it. 0: nothing is known.
 */
uint32_t finder_frames(const struct finder *f, uint32_t i, struct finder_frame *ret, uint32_t max);

#endif
