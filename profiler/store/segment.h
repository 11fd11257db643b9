/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file of a store, read from its beginning to what is its end now: another process may be
 * writing it. Only a descriptor is needed, and only read(2) at offsets: nothing is mapped, so that
 * a file which is cut short under us is an error and not a signal.
 */
#ifndef STORE_SEGMENT_H
#define STORE_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/store/columns.h"
#include "profiler/store/layout.h"
#include "profiler/store/window.h"

struct segment;

/*
 * Takes `fd`, also when it fails. `name` is for sentences, and is checked against the header if it
 * is a store's. 0; -ESTALE: it is empty, as one that was given up is; -EBADMSG, -EPROTONOSUPPORT,
 * -ENOMEM or another negative errno; and a sentence.
 */
int segment_open(struct segment **ret, int fd, const char *name, const struct store_limits *limits,
		 struct err *err);
void segment_free(struct segment *s);

const struct layout_header *segment_header(const struct segment *s);

/*
 * The next window: 1, and what its header says. 0: no more (now). -ESTALE: the file was given up
 * since. -EBADMSG and others: it is damaged from here on; and a sentence. *ret is written with 1
 * only.
 */
int segment_next(struct segment *s, struct layout_frame *ret, struct err *err);

/*
 * Reads the window that segment_next() gave, up to LAYOUT_DICTIONARY, to LAYOUT_SAMPLES or to
 * LAYOUT_MOMENTS. The first call reads the dictionaries of all windows that are there by then, so
 * that each is seen with what became known later. 0, or negative errno and a sentence: of what is
 * damaged the windows before can be read.
 */
int segment_load(struct segment *s, enum layout_part up_to, struct err *err);

/* What was loaded last; borrowed until the next load. No slots: there were no moments. */
const struct profile *segment_profile(const struct segment *s);
const struct columns_slots *segment_slots(const struct segment *s);

/*
 * After segment_next() gave 0: was it closed, and if not, how many bytes are behind the last
 * window?
 */
bool segment_is_closed(const struct segment *s);
uint64_t segment_tail_bytes(const struct segment *s);

#endif
