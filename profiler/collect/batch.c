// SPDX-License-Identifier: Apache-2.0
/*
 * Records by time.
 *
 * The bytes lie one behind the other in a single buffer, in the order in which they came; beside
 * them an array of (time, kind, place) is sorted, once after each drain. The few records that are held
 * back are moved to the buffer's front by batch_drop(). Merging the sources as sorted runs was
 * refused: a ring that 8 CPUs write is no sorted run, and a drain is a few hundred records.
 */
#include "profiler/collect/batch.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/array.h"
#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/collect/decode.h"

/* No record is shorter: a perf header and the sample_id behind it. */
#define BATCH_MIN_RECORD_BYTES 24

struct entry {
	uint64_t time_ns;
	size_t off; /* in `bytes`: also tells which came first */
	uint32_t len;
	uint32_t kind;
};

struct batch {
	struct counters *counters;
	struct buffer bytes;
	ARRAY(struct entry) entries;
	uint32_t max_entries;
	uint32_t next; /* the first that is not handed out yet */
	bool sorted; /* those from `next` on */
	uint64_t until_ns; /* of the last batch_next() */
	struct batch_record current;
	batch_tap_fn tap;
	void *tap_ctx;
};

int batch_new(struct batch **ret, struct counters *counters, size_t max_bytes)
{
	struct batch *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->counters = counters;
	b->max_entries = max_bytes / BATCH_MIN_RECORD_BYTES < UINT32_MAX / 2
				 ? (uint32_t)(max_bytes / BATCH_MIN_RECORD_BYTES)
				 : UINT32_MAX / 2;
	b->sorted = true;
	buffer_init(&b->bytes, max_bytes);
	*ret = b;
	return 0;
}

void batch_free(struct batch *b)
{
	if (!b)
		return;
	buffer_release(&b->bytes);
	array_release(&b->entries);
	free(b);
}

void batch_tap(struct batch *b, batch_tap_fn fn, void *ctx)
{
	b->tap = fn;
	b->tap_ctx = ctx;
}

static int record_time(enum batch_kind kind, const void *bytes, size_t len, uint64_t *ret_ns)
{
	const struct record_sample *sample;
	struct event event;
	int r;

	if (kind == BATCH_SAMPLE) {
		r = decode_sample(bytes, len, &sample);
		if (r == 0)
			*ret_ns = sample->time_ns;
		return r;
	}
	r = decode_event(bytes, len, &event);
	if (r == 0)
		*ret_ns = event.time_ns;
	return r;
}

/* Appends to the buffer, each record at a multiple of 8. */
static int store_bytes(struct batch *b, const void *bytes, size_t len, size_t *ret_off)
{
	size_t padded = (len + 7) & ~(size_t)7;
	size_t off = b->bytes.len;
	char *dst;
	int r;

	dst = buffer_extend(&b->bytes, padded);
	if (!dst) {
		/* The buffer's error sticks, and it is this record's alone. */
		r = buffer_error(&b->bytes);
		b->bytes.error = 0;
		return r;
	}
	memcpy(dst, bytes, len);
	memset(dst + len, 0, padded - len);
	*ret_off = off;
	return 0;
}

static int store(struct batch *b, enum batch_kind kind, const void *bytes, size_t len,
		 uint64_t time_ns)
{
	struct entry *entry;
	size_t off = 0;
	int r;

	r = array_reserve((void **)&b->entries.items, &b->entries.capacity, b->entries.count + 1,
			  sizeof(*entry), b->max_entries);
	if (r < 0)
		return r;
	r = store_bytes(b, bytes, len, &off);
	if (r < 0)
		return r;
	b->entries.items[b->entries.count++] = (struct entry){
		.time_ns = time_ns,
		.off = off,
		.len = (uint32_t)len,
		.kind = kind,
	};
	b->sorted = false;
	return 0;
}

/* Copies of stacks are not worth a sample or an event: they have half of the memory at most. */
static bool has_room_for_rest(const struct batch *b, size_t len)
{
	return b->bytes.len + len <= b->bytes.max / 2;
}

int batch_add(struct batch *b, enum batch_kind kind, const void *bytes, size_t len)
{
	bool is_sample = kind == BATCH_SAMPLE;
	size_t off = b->bytes.len, stored = len;
	uint64_t time_ns = 0;
	int r;

	if (b->tap)
		b->tap(b->tap_ctx, kind, bytes, len);
	r = record_time(kind, bytes, len, &time_ns);
	if (r < 0) {
		counter_add(b->counters,
			    is_sample ? COUNTER_SAMPLES_MALFORMED : COUNTER_EVENTS_MALFORMED, 1);
		return r;
	}
	if (is_sample && !has_room_for_rest(b, len))
		stored = decode_sample_bytes(bytes);
	r = store(b, kind, bytes, stored, time_ns);
	if (r == 0 && stored != len) {
		decode_strip((struct record_sample *)(b->bytes.data + off));
		counter_add(b->counters, COUNTER_UNWIND_COPIES_DROPPED, 1);
	}
	if (r < 0)
		counter_add(b->counters,
			    is_sample ? COUNTER_SAMPLES_DROPPED_MEMORY : COUNTER_EVENTS_LOST, 1);
	return r;
}

/* By time; then what happened to processes before what ran in them; then as they came. */
static int by_time(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return (x->off > y->off) - (x->off < y->off);
}

static int by_place(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->off > y->off) - (x->off < y->off);
}

const struct batch_record *batch_next(struct batch *b, uint64_t until_ns)
{
	const struct entry *entry;

	b->until_ns = until_ns;
	if (!b->sorted) {
		qsort(b->entries.items + b->next, b->entries.count - b->next, sizeof(*entry),
		      by_time);
		b->sorted = true;
	}
	if (b->next == b->entries.count)
		return NULL;
	entry = &b->entries.items[b->next];
	if (entry->time_ns > until_ns)
		return NULL;
	b->next++;
	b->current = (struct batch_record){
		.time_ns = entry->time_ns,
		.bytes = b->bytes.data + entry->off,
		.len = entry->len,
		.kind = entry->kind,
	};
	return &b->current;
}

/* Those that are too far ahead are the last by time. */
static void drop_ahead(struct batch *b)
{
	while (b->sorted && b->entries.count > b->next) {
		const struct entry *last = &b->entries.items[b->entries.count - 1];

		if (last->time_ns <= b->until_ns || last->time_ns - b->until_ns <= BATCH_AHEAD_NS)
			return;
		counter_add(b->counters,
			    last->kind == BATCH_SAMPLE ? COUNTER_SAMPLES_MALFORMED
						       : COUNTER_EVENTS_MALFORMED,
			    1);
		b->entries.count--;
	}
}

void batch_drop(struct batch *b)
{
	struct entry *kept;
	uint32_t count;
	size_t end = 0;

	drop_ahead(b);
	count = b->entries.count - b->next;
	if (b->next == 0 && count)
		return;
	kept = b->entries.items + b->next;
	if (count > 1)
		qsort(kept, count, sizeof(*kept), by_place);
	for (uint32_t i = 0; i < count; i++) {
		size_t padded = ((size_t)kept[i].len + 7) & ~(size_t)7;

		memmove(b->bytes.data + end, b->bytes.data + kept[i].off, padded);
		kept[i].off = end;
		b->entries.items[i] = kept[i];
		end += padded;
	}
	b->bytes.len = end;
	b->entries.count = count;
	b->next = 0;
	b->sorted = count == 0;
}
