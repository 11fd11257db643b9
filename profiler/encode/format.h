/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The formats an answer can have: their names, their file names, their encoders.
 */
#ifndef ENCODE_FORMAT_H
#define ENCODE_FORMAT_H

#include <stdbool.h>

#include "profiler/base/buffer.h"
#include "profiler/base/err.h"
#include "profiler/encode/root.h"
#include "profiler/encode/text.h"
#include "profiler/model/profile.h"

struct format {
	const char *name;
	bool binary;
	const char *suffixes[4];
	int (*encode)(const struct profile *p, const struct root_keys *root,
		      const struct text_options *text, struct buffer *out);
};

extern const struct format format_text, format_pprof, format_collapsed, format_json;

/* NULL, and a sentence, if there is no such format. */
const struct format *format_by_name(const char *name, struct err *err);

/* By a file name's end; pprof if that says nothing. */
const struct format *format_by_file(const char *path);

#endif
