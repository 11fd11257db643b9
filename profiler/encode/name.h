/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of functions in a column that is too narrow for them. What is least missed goes first:
 * parameters "(…)", then template arguments "<…>", then the middle. The last component stays.
 */
#ifndef ENCODE_NAME_H
#define ENCODE_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/buffer.h"

/* Appends clean text (base/text.h) in at most `columns` (≥ 1), padded with spaces to them if `pad`. */
void name_fit(struct buffer *out, const char *clean, size_t len, size_t columns, bool pad);

#endif
