/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pprof's profile.proto, gzip'd: github.com/google/pprof/blob/main/proto/profile.proto; the fields are
 * in pprof.proto beside this file, in our words. What tools make of it: docs/PPROF.md.
 *
 * - Values: samples/count and facts.value_type/value_unit (cpu/nanoseconds), the second the default; only the
 *   first if it is the same.
 * - Series labels: comm, thread, cgroup are strings, pid and tid numbers. An empty text is no label.
 * - Every mapping says has_functions, since names are all here and no tool should look for them on its
 *   own machine. The first is the program (not a library) with most time in and below it. A mapping
 *   whose locations lie outside it is widened to hold them.
 * - Lost samples are one stack "[lost samples]" of their count times the period: that CPU time was
 *   spent, so that shares of the total don't grow by what was lost.
 * - Comments: what was profiled, and every counter that isn't 0.
 * - Texts are printable UTF-8: others are escaped (base/text.h), since one wrong byte makes the whole
 *   file unreadable to proto3.
 */
#ifndef ENCODE_PPROF_H
#define ENCODE_PPROF_H

#include "profiler/base/buffer.h"
#include "profiler/encode/root.h"
#include "profiler/model/profile.h"
#include "profiler/query/diff.h"

/* Appends to `out`. `root` may be NULL. 0, or -ENOMEM / -E2BIG: then `out` is as it was. */
int pprof_encode(const struct profile *p, const struct root_keys *root, struct buffer *out);

/*
 * A difference as `go tool pprof -diff_base` makes it: the samples of both, those of the first negative and with
 * the label pprof::base, by which pprof knows what percentages are of. Values are as they were sampled: neither
 * lengths nor losses are made up for.
 */
int pprof_encode_diff(const struct diff *d, struct buffer *out);

#endif
