/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A moment as people write it: "2025-11-23T05:30:00Z", "2025-11-23T05:30:00.25+01:00" (RFC 3339), "now", or how long
 * ago, "-1h30m" (number.h's durations).
 */
#ifndef COMMAND_MOMENT_H
#define COMMAND_MOMENT_H

#include <stdint.h>

#include "profiler/base/err.h"

/* CLOCK_REALTIME; `now_ns` is what it says now. 0, or -EINVAL and a sentence. */
int moment_parse(const char *text, uint64_t now_ns, uint64_t *ret_ns, struct err *err);

#endif
