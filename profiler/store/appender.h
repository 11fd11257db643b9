/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One new file of a store, written frame after frame. It knows of a frame what its header says, and nothing of profiles.
 */
#ifndef STORE_APPENDER_H
#define STORE_APPENDER_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/store/layout.h"

struct appender;

/*
 * A file with its header, as `temporary` (there is none: -EEXIST), one of catalog.h's. 0, or negative errno and a sentence; then there is no
 * file.
 */
int appender_new(struct appender **ret, int dirfd, const char *temporary,
		 const struct layout_header *header, struct err *err);

/* Gives `temporary` the name by which it is read. 0, or negative errno and a sentence. */
int appender_publish(int dirfd, const char *temporary, const char *name, struct err *err);

/* Closes it as it stands. */
void appender_free(struct appender *a);

/* What the file has. */
uint64_t appender_bytes(const struct appender *a);

/*
 * Writes a frame that layout_window_read() takes, by one call, under the number `sequence`, which is set in `frame` and is above the
 * last one's. 0, or negative errno: then the file is as it was before, and the same frame can be tried again.
 */
int appender_add(struct appender *a, void *frame, size_t len, uint64_t sequence);

/* All that was written is on the disk. 0 or negative errno. */
int appender_sync(struct appender *a);

/* Writes the end and syncs. Nothing can be added then. */
int appender_close(struct appender *a);

int appender_fd(const struct appender *a);

#endif
