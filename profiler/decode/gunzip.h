/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip'd bytes, of whatever size they claim to become.
 */
#ifndef DECODE_GUNZIP_H
#define DECODE_GUNZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/buffer.h"
#include "profiler/base/err.h"

/* By its first bytes. */
bool gunzip_is_needed(const void *bytes, size_t len);

/* Appends all members, one behind the other. 0, -EINVAL, -E2BIG (beyond out->max) or -ENOMEM, and a sentence. */
int gunzip(const void *bytes, size_t len, struct buffer *out, struct err *err);

#endif
