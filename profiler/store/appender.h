/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One new file of a store, written window after window. A window is packed first, so that whoever writes knows how
 * long it is before a byte of it is on disk.
 */
#ifndef STORE_APPENDER_H
#define STORE_APPENDER_H

#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/store/layout.h"
#include "profiler/store/window.h"

struct appender;

/*
 * A file that isn't there yet (-EEXIST). `effort`: zstd's level. 0, or negative errno and a sentence; then there
 * is no file.
 */
int appender_new(struct appender **ret, int dirfd, const char *name,
		 const struct layout_header *header, int effort, struct err *err);
/* Closes it as it stands. */
void appender_free(struct appender *a);

/*
 * Packs the samples of `p`, and what was added to its arrays since the window before; it is the same profile in all calls.
 * 0, -ENOMEM, -E2BIG, or -EINVAL: the moments aren't the samples'.
 */
int appender_pack(struct appender *a, const struct profile *p, const struct counters *counters,
		  const struct store_window *w);

/* What the packed window will add to the file, and what the file has. */
uint64_t appender_packed_bytes(const struct appender *a);
uint64_t appender_bytes(const struct appender *a);

/*
 * Writes the window that was packed, by one call; `sequence` is above the last one's. 0, or negative errno: then the
 * file is as it was before, and the same window can be tried again.
 */
int appender_write(struct appender *a, uint64_t sequence);

/* All that was written is on the disk. 0 or negative errno. */
int appender_sync(struct appender *a);

/* Writes the end and syncs. Nothing can be added then. */
int appender_close(struct appender *a);

int appender_fd(const struct appender *a);

#endif
