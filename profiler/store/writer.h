/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one writer of a store. It needs the directory's descriptor and nothing else: every name is its own, and
 * relative to that. Not thread safe.
 *
 * The limit of bytes counts every file of the store, those that are being written and rolled up too, and the directory;
 * it holds before and after each call, and within. What gives way: the oldest file of the level that is furthest beyond its share
 * (level.h). A file that is given up is emptied before it is removed: a reader that holds it open has an error, and no
 * disk space.
 *
 * What was appended survives the end of the process at any moment. A power cut may cost the windows of the last
 * `sync_ns`.
 */
#ifndef STORE_WRITER_H
#define STORE_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/store/catalog.h"
#include "profiler/store/level.h"
#include "profiler/store/window.h"

#define STORE_MIN_BYTES (1u << 20)

struct store_options {
	uint64_t max_bytes;
	uint64_t age_ns[STORE_LEVELS]; /* 0: as long as there is room */
	uint64_t sync_ns; /* between two fdatasync() */
	struct store_limits limits; /* of what is rolled up */
};

/* The defaults of docs/STORE.md. */
struct store_options store_options_default(void);

/* Since it was opened. */
struct store_writer_stats {
	uint64_t windows, samples, bytes; /* written */
	uint64_t windows_dropped, samples_dropped;
	uint64_t expired_by_age, expired_by_bytes; /* files */
	uint64_t rolled_up; /* files made */
	uint64_t roll_ups_failed;
	uint64_t sources_bad; /* files that were not, or not wholly, readable when they were rolled up */
};

struct store_writer;

/*
 * Locks the store in `dirfd`, which is borrowed, and removes what a roll-up left unfinished. 0; -EBUSY: another process writes
 * it; -EINVAL: options; or another negative errno; and a sentence.
 */
int store_writer_open(struct store_writer **ret, int dirfd, const struct store_options *options,
		      struct err *err);

/* Ends the file that is being written, and lets the store go. */
void store_writer_free(struct store_writer *w);

/*
 * Begins the next file if a window that starts then belongs into one, or if the last has grown enough; true if one
 * begins. That is the moment for a new profile: names that nothing uses any more are left behind. Whoever goes on
 * with the old one has it written whole into the new file.
 */
bool store_writer_turn(struct store_writer *w, uint64_t start_ns);

/*
 * Appends a window: the samples of `p`, which is the same profile for all windows of a file. 0, or negative errno and a
 * sentence: it was dropped, which the next window's counters will say. -EDQUOT: the limit of bytes.
 */
int store_writer_append(struct store_writer *w, const struct profile *p,
			const struct store_window *window, struct err *err);

/*
 * Removes what is too old, or makes one file of the next level. To be called after each window, until it is 0. 1: something
 * was done, and there may be more. Negative errno and a sentence: something failed, and is counted.
 */
int store_writer_tidy(struct store_writer *w, uint64_t now_ns, struct err *err);

const struct store_writer_stats *store_writer_stats(const struct store_writer *w);

/* On disk, as the limit counts it. */
uint64_t store_writer_bytes(const struct store_writer *w);

#endif
