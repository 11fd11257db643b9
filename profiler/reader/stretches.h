/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stretches of time of which something is to be told: those that touch are one, and there are at most a thousand.
 */
#ifndef READER_STRETCHES_H
#define READER_STRETCHES_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/array.h"
#include "profiler/base/buffer.h"
#include "profiler/query/moment.h"

#define STRETCHES_MAX 1000u

struct stretches {
	ARRAY(struct moment_range) items;
	bool more; /* than there was room for */
};

/* 0 or -ENOMEM. */
int stretches_add(struct stretches *s, uint64_t from_ns, uint64_t to_ns);
void stretches_release(struct stretches *s);

/* Appends "NAME": [[from,to],…], "NAME_more": false */
void stretches_json(const struct stretches *s, const char *name, struct buffer *out);

#endif
