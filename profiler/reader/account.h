/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `slowburn store info` and `verify` print, and `export` writes, from the files of a store.
 */
#ifndef READER_ACCOUNT_H
#define READER_ACCOUNT_H

#include "profiler/base/buffer.h"
#include "profiler/reader/job.h"
#include "profiler/store/reader.h"

/*
 * info: a table of levels, and what is not there and why. verify: decodes everything there is; a line for each file that is damaged,
 * or whose end was cut off, and a sum. export: a range as one pprof file.
 *
 * *ret_bad: files that could not be read, or not to their end; of an export, what is wrong with the first of them is in `err`, and the
 * rest is there. 0, -ENOMEM, -ENODATA (there is nothing in the range), -EPROTO (no such kind), and a sentence.
 */
int account_run(const struct reader_account *job, const struct store_source *source,
		struct buffer *out, uint32_t *ret_bad, struct err *err);

#endif
