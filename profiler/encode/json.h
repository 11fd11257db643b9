/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile's figures for programs: what the text answer shows the top of, all of it.
 *
 *	{"type": "cpu", "unit": "nanoseconds", "period": 10101010, "start_ns": …, "duration_ns": …, "samples": 1322,
 *	 "value": …, "lost_samples": 0,
 *	 "functions": [{"name": "aes", "module": "libcrypto.so.3", "named": true,
 *	   "self": {"samples": 3, "value": …}, "total": {…}}, …],
 *	 "groups": [{"labels": {"comm": "openssl"}, "samples": 3, "value": …, "kernel_value": …}, …],
 *	 "stacks": [{"group": 0, "samples": 3, "value": …, "functions": [2, 1, 0]}, …]}
 *
 * Numbers are places in the other lists; a stack's functions begin with the leaf. The order is of no meaning.
 */
#ifndef ENCODE_JSON_H
#define ENCODE_JSON_H

#include "profiler/base/buffer.h"
#include "profiler/model/profile.h"
#include "profiler/query/groups.h"

/* Appends to `out`; `by` NULL: comm. 0, or -ENOMEM / -E2BIG, with part of it written. */
int json_encode(const struct profile *p, const struct group_keys *by, struct buffer *out);

/* Appends {"comm": "openssl"}. 0, or -ENOMEM / -E2BIG. */
int json_group(struct buffer *out, const struct groups *g, const struct profile *p, uint32_t group);

/* Appends an integer: printf takes ten times as long, and some answers have a million of them. */
void json_number(struct buffer *out, uint64_t n);

#endif
