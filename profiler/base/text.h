/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names from outside (processes, paths, symbols) on their way to a person: control characters become
 * \n, \t or \xNN, bytes that are no UTF-8 become \xNN, so that nothing a process calls itself can move
 * a cursor, end a line or break an encoder. `width` functions count columns as one a code point.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/buffer.h"

/* Appends the escaped form of `len` bytes. */
void text_escape(struct buffer *out, const char *s, size_t len);

/* The same as a JSON string, with its quotes. */
void text_json(struct buffer *out, const char *s, size_t len);

/* Is it printable UTF-8 as it stands? Then escaping would copy it unchanged. */
bool text_is_clean(const char *s, size_t len);

/* Code points in clean text. */
size_t text_width(const char *s, size_t len);

/* Appends clean text cut to `columns`, the last then being "…"; padded with spaces if `pad`. */
void text_fit(struct buffer *out, const char *s, size_t len, size_t columns, bool pad);

#endif
