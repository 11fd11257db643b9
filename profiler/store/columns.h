/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A window as columns of integers, and back: what was added to a profile's arrays since the window
 * before, the samples with what is true of the window, and the moments at which they were taken.
 * docs/STORE.md has each column.
 *
 * What is read was written by anybody: every id is checked against the arrays, every count against
 * the bytes that are left for it. A profile that was read has no indexes: nothing can be added to
 * it but by further reading.
 */
#ifndef STORE_COLUMNS_H
#define STORE_COLUMNS_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/array.h"
#include "profiler/base/buffer.h"
#include "profiler/model/profile.h"

#define COLUMNS_SLOT_NS 10000000ULL /* of a moment */
#define COLUMNS_MAX_SLOTS 65536u

/*
 * How many items of each array are in the file. All zero: none, not even a profile's first string
 * and node.
 */
struct columns_marks {
	uint32_t strings, mappings, functions, locations, nodes, series;
	uint32_t names; /* of counters */
	uint32_t amended; /* of profile.amended: what is behind was done since */
};

/* A sample's place in profile.samples, and when within the window: its start is slot 0. */
struct columns_moment {
	uint32_t sample;
	uint32_t slot;
};

/*
 * What `marks` don't have, and what is known better since of what they have. Errors are the
 * buffer's.
 */
void columns_write_dictionary(const struct profile *p, const struct columns_marks *marks,
			      struct buffer *out);
/* What they are when that has been written. */
struct columns_marks columns_marks_of(const struct profile *p);

/*
 * Samples, facts (but for time_ns and texts) and `counters`, in an order that is their own. 0 or
 * -ENOMEM.
 */
int columns_write_samples(const struct profile *p, const struct counters *counters,
			  struct buffer *out);

/*
 * As many moments as there are samples, in any order: each sample as often as its count says. 0,
 * -ENOMEM, or -EINVAL: they aren't that.
 */
int columns_write_moments(const struct profile *p, const struct columns_moment *moments,
			  uint32_t count, struct buffer *out);

struct columns_amendment;

/* What is read of a file: a profile without indexes, and what its windows' numbers stand for. */
struct columns_dictionary {
	struct profile
		profile; /* its locations have the last lines that were read; `amended` is empty */
	ARRAY(uint32_t) counters; /* our counter by the file's number, or COUNTER_COUNT */
	ARRAY(struct columns_amendment) amendments; /* of the one that is being read */
};

/* `max_bytes` bounds texts, `max_items` each array. 0 or -ENOMEM. */
int columns_dictionary_init(struct columns_dictionary *d, size_t max_bytes, uint32_t max_items);
void columns_dictionary_release(struct columns_dictionary *d);

/* All below: 0; -EBADMSG: no such columns; -E2BIG, -ENOMEM. */

/* Adds to it. Failed, nothing has been added. */
int columns_read_dictionary(struct columns_dictionary *d, const void *bytes, size_t len);
/* Replaces samples, facts and counters of the profile. */
int columns_read_samples(struct columns_dictionary *d, const void *bytes, size_t len);
/*
 * Of the samples that were read last: *ret are their slots, sample after sample, each as often as
 * its count. *ret's memory is used again; it is released by its owner.
 */
struct columns_slots {
	ARRAY(uint16_t) slots;
};
int columns_read_moments(const struct columns_dictionary *d, const void *bytes, size_t len,
			 struct columns_slots *ret);

#endif
