/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `slowburn store info` and `verify` print, from the files of a store.
 */
#ifndef STOREKEEPER_ACCOUNT_H
#define STOREKEEPER_ACCOUNT_H

#include "profiler/base/buffer.h"
#include "profiler/store/reader.h"

/*
 * A table of levels, and what is not there and why. *ret_bad: files that could not be read, or not to their end. 0, -ENOMEM
 * and a sentence.
 */
int account_info(const struct store_source *source, struct buffer *out, uint32_t *ret_bad,
		 struct err *err);

/* Decodes everything there is; a line for each file that is damaged, or whose end was cut off, and a sum. The same. */
int account_verify(const struct store_source *source, struct buffer *out, uint32_t *ret_bad,
		   struct err *err);

#endif
