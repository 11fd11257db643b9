/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile from pprof's profile.proto (encode/pprof.proto), gzip'd or plain: ours, or anybody's. The bytes are
 * not trusted; what pprof itself refuses (ids that aren't there or are there twice, texts outside the table) is
 * refused here, with a sentence.
 *
 * - The value is the type that go tool pprof shows: default_sample_type, else the last. The number of samples
 *   is the type samples/count; where there is none, value / period; where the file doesn't say what a period
 *   is worth, one for each of its samples.
 * - A kind of mapping and whether a function is a stand-in are not in the format: they are told by names,
 *   "[kernel.kallsyms]", "[libc.so.6]". A location without functions gets a stand-in, its file in brackets.
 * - Of a label that is there twice in a sample the first counts; units of labels, drop_frames and keep_frames are
 *   passed over.
 * - What our own encoder says in comments (facts, counters, lost samples) is taken back: a file of ours that
 *   is read and written again is the same, byte for byte, if no labels were put in as root frames.
 * - Negative values are refused: such a file is a difference of two profiles already.
 */
#ifndef DECODE_PPROF_READ_H
#define DECODE_PPROF_READ_H

#include <stddef.h>

#include "profiler/base/err.h"
#include "profiler/model/profile.h"

/* `ret` is made here. 0; -EINVAL, -E2BIG or -ENOMEM and a sentence. */
int pprof_read(const void *bytes, size_t len, struct profile *ret, struct err *err);

#endif
