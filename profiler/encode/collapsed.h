/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collapsed stacks, as FlameGraph's stackcollapse tools write them: "root;caller;leaf COUNT\n", equal
 * stacks merged, sorted by bytes. COUNT is samples. Kernel frames end in "_[k]", as with
 * stackcollapse-perf's --kernel; inlined functions are frames like others. ';' within a name becomes
 * ':', control characters are escaped. Lost samples are one stack "[lost samples]", so that shares of
 * the sum are those of pprof.
 */
#ifndef ENCODE_COLLAPSED_H
#define ENCODE_COLLAPSED_H

#include "profiler/base/buffer.h"
#include "profiler/encode/root.h"
#include "profiler/model/profile.h"

/*
 * Appends to `out`. `root` may be NULL: then the process's comm alone is the root frame, as in perf's.
 * 0, or -ENOMEM / -E2BIG, with part of the lines written.
 */
int collapsed_encode(const struct profile *p, const struct root_keys *root, struct buffer *out);

/* Two beside each other, as FlameGraph's difffolded writes them: "root;caller;leaf COUNT COUNT\n". */
int collapsed_encode_pair(const struct profile *before, const struct profile *after,
			  const struct root_keys *root, struct buffer *out);

#endif
