/* SPDX-License-Identifier: Apache-2.0 */
#ifndef READER_CONVERSATION_H
#define READER_CONVERSATION_H

#include "profiler/base/buffer.h"
#include "profiler/store/handed.h"

/*
 * The reader's side of request.h: answers the message `bytes` from the files it has. 0, or negative errno: whoever
 * asked has gone, or makes no sense.
 */
int conversation_serve(int socket, const struct buffer *bytes, struct handed *store);

#endif
