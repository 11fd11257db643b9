/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hottest functions and groups of a profile, as JSON.
 *
 *	{"type": "cpu", "unit": "nanoseconds", "start_ns": …, "duration_ns": …, "samples": 1322, "value": …, "lost_samples": 0,
 *	 "function_count": 900,
 *	 "functions": [{"name": "aes", "module": "libcrypto.so.3", "kind": "user", "named": true,
 *	   "self": {"samples": 3, "value": …}, "total": {…}, "self_error": …}, …],
 *	 "group_count": 12,
 *	 "groups": [{"labels": {"comm": "openssl"}, "samples": 3, "value": …, "kernel_value": …}, …]}
 *
 * Functions by self, groups by value; "self_error" is two standard errors of the self share, in percent points.
 */
#ifndef ENCODE_TOP_H
#define ENCODE_TOP_H

#include "profiler/base/buffer.h"
#include "profiler/model/profile.h"
#include "profiler/query/groups.h"

/* Appends to `out`; `by` NULL: comm. 0, or -ENOMEM / -E2BIG, with part of it written. */
int top_encode(const struct profile *p, const struct group_keys *by, uint32_t rows,
	       struct buffer *out);

#endif
