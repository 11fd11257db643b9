/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the supervisor says of slowburn, and we of ourselves, as text for Prometheus (exposition format 0.0.4) and as JSON. Made from the lists
 * of web/figures.h, profiler/base/counter.h and web/tally.h alone: what is counted is shown.
 */
#ifndef WEB_METRICS_H
#define WEB_METRICS_H

#include "profiler/base/buffer.h"
#include "web/figures.h"
#include "web/tally.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct metrics {
	const struct web_status *status; /* NULL: none has come yet */
	const struct tally *tally;
	const char *version;
};

void metrics_write(const struct metrics *m, struct buffer *out);
void metrics_write_json(const struct metrics *m, struct buffer *out);

#endif
