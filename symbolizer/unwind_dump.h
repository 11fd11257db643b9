/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwind tables for people.
 */
#ifndef SYMBOLIZER_UNWIND_DUMP_H
#define SYMBOLIZER_UNWIND_DUMP_H

#include "profiler/base/buffer.h"
#include "symbolizer/unwind_compile.h"
#include "symbolizer/unwind_table.h"

/* "cfa=rsp+16 rbp=[cfa-16]", "plt rsp+8 11", "stop" … */
void unwind_dump_rule(const struct unwind_rule *rule, struct buffer *out);

/* The same in words: "CFA=rsp+16, RA=*(CFA-8), rbp=*(CFA-16)"; "no unwind information" … */
void unwind_dump_words(const struct unwind_rule *rule, struct buffer *out);

/*
 * Sizes, what could not be expressed, and a line for each row: "0x1139 cfa=rsp+16 rbp=[cfa-16]".
 * Errors are the buffer's.
 */
void unwind_dump(const struct unwind_table *t, const struct unwind_outcome *outcome,
		 struct buffer *out);

#endif
