/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request asks for: the first line's target, taken apart. Any bytes may come; what is unusual is refused rather than repaired.
 */
#ifndef WEB_TARGET_H
#define WEB_TARGET_H

#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/base/err.h"
#include "profiler/reader/request.h"

#define TARGET_MAX_BYTES (16u << 10)

struct target {
	char *text; /* owned; what the pointers below are into */
	const char *path; /* decoded; begins with one '/' */
	struct reader_parameter parameters[READER_MAX_PARAMETERS]; /* decoded, in their order */
	uint32_t count;
};

/*
 * "/path?name=value&…": percent-encoded, '+' is a space in names and values. 0; -EINVAL or -E2BIG and a sentence; -ENOMEM. *ret is to be
 * released whatever comes back.
 */
int target_parse(struct target *ret, const char *raw, struct err *err);
void target_release(struct target *t);

/* The first of this name, or NULL. */
const char *target_find(const struct target *t, const char *name);

/* Takes all of this name out. */
void target_remove(struct target *t, const char *name);

/* Appends it encoded, as a client may be sent to. */
void target_write(const struct target *t, struct buffer *out);

#endif
