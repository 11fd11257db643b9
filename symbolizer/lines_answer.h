/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines and inlined functions of addresses, as a reply of symbolizer/protocol.h.
 */
#ifndef SYMBOLIZER_LINES_ANSWER_H
#define SYMBOLIZER_LINES_ANSWER_H

#include <stdint.h>

#include "profiler/base/buffer.h"
#include "symbolizer/lines_shelf.h"

/*
 * Appends the reply about `count` ELF addresses. Whatever the file holds, it is one: -ENOMEM means that there
 * wasn't even memory to say so.
 */
int lines_answer(struct lines_shelf *shelf, const struct lines_files *files, const uint64_t *vaddrs,
		 uint32_t count, struct buffer *reply);

#endif
