/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file's unwind table as a reply of symbolizer/protocol.h.
 */
#ifndef SYMBOLIZER_UNWIND_ANSWER_H
#define SYMBOLIZER_UNWIND_ANSWER_H

#include "profiler/base/buffer.h"
#include "symbolizer/protocol.h"

/*
 * Appends the reply. Whatever the file holds, it is one: -ENOMEM means that there wasn't even memory to say
 * so.
 */
int unwind_answer(int fd, const struct unwind_request *request, struct buffer *reply);

#endif
