/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reply while it is made. Functions and modules are numbered in the order in which they are
 * added.
 */
#ifndef SYMBOLIZER_REPLY_H
#define SYMBOLIZER_REPLY_H

#include <stddef.h>
#include <stdint.h>

#include "profiler/base/array.h"
#include "profiler/base/buffer.h"
#include "symbolizer/protocol.h"

struct reply {
	enum symbol_status status;
	struct symbol_answer *answers; /* count of them, at first without function and module */
	uint32_t count;
	ARRAY(struct symbol_function) functions;
	ARRAY(struct symbol_module) modules;
	struct buffer strings;
	uint32_t build_id;
};

/* 0 or -ENOMEM; in both cases reply_release() may be called, as on a zeroed one. */
int reply_init(struct reply *r, uint32_t count);
void reply_release(struct reply *r);

/*
 * Adds a function under the name as it is in the file (`len` bytes, without NUL, cut to
 * SYMBOLS_MAX_NAME) and its demangled form, or under `shown` if that is not NULL. 0, -ENOMEM, or
 * -E2BIG when the reply is full.
 */
int reply_add_function(struct reply *r, uint64_t start, uint64_t size, const char *name, size_t len,
		       const char *shown, uint32_t *ret_number);
int reply_add_module(struct reply *r, uint64_t start, uint64_t limit, uint64_t offset,
		     const char *name, size_t len, uint32_t *ret_number);
int reply_set_build_id(struct reply *r, const unsigned char *id, size_t len);

/* Appends the message of symbolizer/protocol.h. 0, -ENOMEM or -E2BIG. */
int reply_write(const struct reply *r, struct buffer *out);

#endif
