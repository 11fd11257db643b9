/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moments and ranges of time as people and clients write them:
 *
 *	2025-11-23T05:30:00Z, 2025-11-23T05:30:00.25+01:00	RFC 3339
 *	1763875800, 1763875800.25	seconds since 1970
 *	now, -1h30m, -7d	now, and how long ago (number.h's durations; d is 24 h, w is 7 d)
 */
#ifndef QUERY_MOMENT_H
#define QUERY_MOMENT_H

#include <stdint.h>

#include "profiler/base/err.h"

/* CLOCK_REALTIME; `now_ns` is what it says now. 0, or -EINVAL and a sentence. */
int moment_parse(const char *text, uint64_t now_ns, uint64_t *ret_ns, struct err *err);

/* "90s", "1h30m", "1d", "2w3d12h": more than nothing, at most ten years. 0, or -EINVAL. */
int moment_duration_parse(const char *text, uint64_t *ret_ns);

struct moment_range {
	uint64_t from_ns, to_ns; /* `to` is not in it */
};

/*
 * NULL or "first": from the beginning of time; NULL or "last": to its end. 0, or -EINVAL and a sentence: one is no moment, or `from` isn't
 * before `to`.
 */
int moment_range_parse(const char *from, const char *to, uint64_t now_ns, struct moment_range *ret,
		       struct err *err);

/* The same range that much earlier: "1d". 0, or -EINVAL and a sentence. */
int moment_range_before(const struct moment_range *range, const char *ago, struct moment_range *ret,
			struct err *err);

#endif
