/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile from collapsed stacks: lines "comm;caller;leaf COUNT", as FlameGraph's stackcollapse tools and we
 * write them. The first frame is the process's name, and becomes the label comm; what a COUNT stands for isn't
 * known, so the value is samples.
 *
 *	_[k]	behind a frame: it is the kernel's
 *	_[j]	made at run time
 *	_[i]	inlined into the frame before it
 *
 * Empty lines, and those that begin with '#', are passed over.
 */
#ifndef DECODE_COLLAPSED_READ_H
#define DECODE_COLLAPSED_READ_H

#include <stddef.h>

#include "profiler/base/err.h"
#include "profiler/model/profile.h"

/* `ret` is made here. 0; -EINVAL, -E2BIG or -ENOMEM and a sentence that names the line. */
int collapsed_read(const void *bytes, size_t len, struct profile *ret, struct err *err);

#endif
