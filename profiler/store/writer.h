/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one writer of a store. It needs the directory's descriptor and nothing else: every name is its own, and
 * relative to that. Windows come packed (packer.h): of those it looks at nothing but the header and the hash, and only what it rolls up is
 * unpacked. Not thread safe.
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
#include "profiler/store/layout.h"
#include "profiler/store/level.h"
#include "profiler/store/window.h"

#define STORE_MIN_BYTES (1u << 20)
#define STORE_LOCK "lock"

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
	uint64_t syncs_failed;
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
 * The file that is being written, by which a frame that isn't whole says what it goes on from; never 0. 0: none, or none that a window
 * which starts then belongs into, or it has grown enough: the frame has to be whole.
 */
uint64_t store_writer_file(const struct store_writer *w, uint64_t start_ns);

/*
 * Appends a packed window: one that is whole begins a file, another goes on with the present one. Its number is set in `frame`. 0 and
 * that number; or negative errno and a sentence: it was dropped. -EBADMSG: it is no frame; -ESTALE: it has to be whole, and is not counted
 * as dropped; -EDQUOT: the limit of bytes. It is on the disk (`sync_ns`) by store_writer_tidy() only.
 */
int store_writer_append(struct store_writer *w, void *frame, size_t len, uint64_t *ret_sequence,
			struct err *err);

/* Ends the file that is being written, if any: the next frame is to be whole. */
void store_writer_end(struct store_writer *w);

/*
 * Syncs what is to be on the disk by now, removes what is too old, or makes one file of the next level. To be called after each window, until it is 0, with other work in
 * between: a step takes some milliseconds. 1: something was done, and there may be more. Negative errno and a sentence: something failed, and is
 * counted.
 */
int store_writer_tidy(struct store_writer *w, uint64_t now_ns, struct err *err);

/* The last window of the store: what it had when it was opened, or what was appended. False: none that could be read. */
bool store_writer_last(const struct store_writer *w, struct layout_frame *ret);

/* What is there; borrowed until the next call. */
const struct catalog *store_writer_catalog(const struct store_writer *w);

const struct store_writer_stats *store_writer_stats(const struct store_writer *w);

/* On disk, as the limit counts it. */
uint64_t store_writer_bytes(const struct store_writer *w);

#endif
