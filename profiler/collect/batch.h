/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of several sources, merged by time. Each source (a CPU's event ring, a ring buffer of
 * samples) is nearly in order by itself; together they are not. So what was drained is sorted, process
 * events before samples of the same time, and the last 20 ms are held back until the next drain.
 *
 * A record's time is read from its bytes by the decoder of its kind; bytes that it refuses are counted
 * (SAMPLES_MALFORMED, EVENTS_MALFORMED) and not kept.
 */
#ifndef COLLECT_BATCH_H
#define COLLECT_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/counter.h"

enum batch_kind {
	BATCH_EVENT, /* a perf side-band record */
	BATCH_SAMPLE, /* a struct record_sample */
};

struct batch_record {
	uint64_t time_ns;
	const void *bytes; /* 8-byte aligned; borrowed until the next batch_add() or batch_drop() */
	uint32_t len;
	uint32_t kind; /* enum batch_kind */
};

#define BATCH_HOLD_BACK_NS 20000000ULL
/* So far ahead of what is handed out is no record's time: held back for ever it would cost its memory, and each drain. */
#define BATCH_AHEAD_NS 60000000000ULL

struct batch;

/* `max_bytes` of records at once; beyond it they are refused and counted as lost. */
int batch_new(struct batch **ret, struct counters *counters, size_t max_bytes);
void batch_free(struct batch *b);

/* Called with every record as it comes in, also those that are refused: for a recording. */
typedef void (*batch_tap_fn)(void *ctx, enum batch_kind kind, const void *bytes, size_t len);
void batch_tap(struct batch *b, batch_tap_fn fn, void *ctx);

/* Copies a record. 0; -EINVAL when malformed (counted); -ENOMEM, -E2BIG (counted). */
int batch_add(struct batch *b, enum batch_kind kind, const void *bytes, size_t len);

/*
 * Sorts, and hands out the records up to `until_ns` one after the other; NULL when there are no more.
 * batch_drop() then forgets those handed out and keeps the rest, but for what is BATCH_AHEAD_NS ahead: that is counted as malformed.
 */
const struct batch_record *batch_next(struct batch *b, uint64_t until_ns);
void batch_drop(struct batch *b);

#endif
