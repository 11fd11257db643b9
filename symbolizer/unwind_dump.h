/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwind rules for people.
 */
#ifndef SYMBOLIZER_UNWIND_DUMP_H
#define SYMBOLIZER_UNWIND_DUMP_H

#include "bpf/unwind.h"
#include "profiler/base/buffer.h"

/* In words: "CFA=rsp+16, RA=*(CFA-8), rbp=*(CFA-16)"; "no unwind information" … */
void unwind_dump_words(const struct unwind_rule *rule, struct buffer *out);

#endif
