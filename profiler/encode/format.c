// SPDX-License-Identifier: Apache-2.0
/*
 * One table. A file name that says nothing is pprof: it is the format that loses nothing.
 */
#include "profiler/encode/format.h"

#include <errno.h>
#include <string.h>

#include "profiler/encode/collapsed.h"
#include "profiler/encode/json.h"
#include "profiler/encode/pprof.h"

static int encode_text(const struct profile *p, const struct root_keys *root,
		       const struct text_options *text, struct buffer *out)
{
	(void)root;
	return text_encode(p, text, out);
}

static int encode_pprof(const struct profile *p, const struct root_keys *root,
			const struct text_options *text, struct buffer *out)
{
	(void)text;
	return pprof_encode(p, root, out);
}

static int encode_collapsed(const struct profile *p, const struct root_keys *root,
			    const struct text_options *text, struct buffer *out)
{
	(void)text;
	return collapsed_encode(p, root, out);
}

static int encode_json(const struct profile *p, const struct root_keys *root,
		       const struct text_options *text, struct buffer *out)
{
	(void)root;
	return json_encode(p, text && text->by.count ? &text->by : NULL, out);
}

const struct format format_text = {
	.name = "text",
	.suffixes = { ".txt" },
	.encode = encode_text,
};
const struct format format_pprof = {
	.name = "pprof",
	.binary = true,
	.suffixes = { ".pb.gz", ".pprof", ".prof" },
	.encode = encode_pprof,
};
const struct format format_collapsed = {
	.name = "collapsed",
	.suffixes = { ".collapsed", ".folded" },
	.encode = encode_collapsed,
};

const struct format format_json = {
	.name = "json",
	.suffixes = { ".json" },
	.encode = encode_json,
};

static const struct format *const formats[] = { &format_text, &format_pprof, &format_collapsed,
						&format_json };
#define FORMATS (sizeof(formats) / sizeof(formats[0]))

const struct format *format_by_name(const char *name, struct err *err)
{
	for (size_t i = 0; i < FORMATS; i++)
		if (!strcmp(formats[i]->name, name))
			return formats[i];
	err_set(err, -EINVAL, "format \"%s\" is not text, pprof, collapsed or json", name);
	return NULL;
}

const struct format *format_by_file(const char *path)
{
	size_t len = strlen(path);

	for (size_t i = 0; i < FORMATS; i++) {
		for (size_t j = 0; formats[i]->suffixes[j]; j++) {
			size_t n = strlen(formats[i]->suffixes[j]);

			if (len > n && !strcmp(path + len - n, formats[i]->suffixes[j]))
				return formats[i];
		}
	}
	return &format_pprof;
}
