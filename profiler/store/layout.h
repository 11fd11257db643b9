/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fixed parts of a file, as docs/STORE.md has them: one header, then frames, one behind the other; little-endian.
 *
 *	header 64 | frame header 104 | dictionary | samples | moments | frame header 104 | …  | end frame 104
 *
 * A frame is written once, by one pwrite(2), and never changed. Whether it is there is decided by its hashes: no index,
 * no journal, nothing to repair.
 */
#ifndef STORE_LAYOUT_H
#define STORE_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/err.h"

#define LAYOUT_VERSION 2 /* 1 had no amendments, and was written by nobody but tests */
#define LAYOUT_HEADER_BYTES 64
#define LAYOUT_FRAME_BYTES 104

/* No part is larger, packed or not. */
#define LAYOUT_MAX_PART_BYTES (64u << 20)

struct layout_header {
	uint32_t level;
	uint64_t slot_ns, window_ns;
	uint64_t first, last; /* sequence numbers; last: 0 at level 0, where it isn't known yet */
	uint64_t created_ns;
};

enum layout_kind {
	LAYOUT_WINDOW = 1,
	LAYOUT_END =
		2, /* of a file that was closed: no parts; count and value of all its windows */
};

/* Of a window: its dictionary has all that it needs. The first of a file is so, and no other. */
#define LAYOUT_WHOLE 1u

enum layout_part { LAYOUT_DICTIONARY, LAYOUT_SAMPLES, LAYOUT_MOMENTS, LAYOUT_PARTS };

struct layout_frame {
	uint32_t kind;
	uint32_t flags; /* LAYOUT_WHOLE */
	struct {
		uint32_t packed, raw; /* bytes */
	} parts[LAYOUT_PARTS];
	uint64_t sequence;
	uint64_t start_ns, end_ns, monotonic_ns;
	uint64_t count, value;
	uint64_t hash; /* of the parts as they are in the file */
};

uint64_t layout_hash(const void *bytes, size_t len);

void layout_header_write(const struct layout_header *h, void *bytes);
/* 0; -EPROTONOSUPPORT: of a later version; -EBADMSG: no such file, or damaged; and a sentence's end ("is …"). */
int layout_header_read(const void *bytes, struct layout_header *ret, struct err *err);

void layout_frame_write(const struct layout_frame *f, void *bytes);
/* 0 or -EBADMSG. */
int layout_frame_read(const void *bytes, struct layout_frame *ret);

/*
 * The same of a window with its parts, `len` bytes in all: -EBADMSG also if they aren't those that its hash is of, if it has no dictionary or
 * no samples. What is in the parts is not looked at.
 */
int layout_window_read(const void *bytes, size_t len, struct layout_frame *ret);

/* Of all parts, as they are in the file. */
uint64_t layout_frame_packed(const struct layout_frame *f);

#endif
