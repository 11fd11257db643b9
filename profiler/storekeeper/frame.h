/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A frame as it comes from another process: memory of its own, which it may change or cut short while we look.
 */
#ifndef STOREKEEPER_FRAME_H
#define STOREKEEPER_FRAME_H

#include <stdint.h>

#include "profiler/base/buffer.h"

/*
 * A copy of the first `bytes` of `fd`, which is memory of memfd_create(2): reading it waits for nothing. 0; -EPROTO: it isn't, or has
 * less, or there are none; -E2BIG: more than fit into `into`; -ENOMEM.
 */
int frame_read(int fd, uint64_t bytes, struct buffer *into);

/* Gives memory back that only an unusually large one needed. */
void frame_trim(struct buffer *frame);

#endif
