// SPDX-License-Identifier: Apache-2.0
/*
 * A line is cut at its last space, what is before that at each ';'. Each frame is a location of its own, but
 * for inlined ones, which become lines of their caller's.
 *
 * Refused: guessing whether the first frame is a process or a function. stackcollapse-perf, bcc and we all put the
 * process there.
 */
#include "profiler/decode/collapsed_read.h"

#include <errno.h>
#include <string.h>

#include "profiler/base/number.h"
#include "profiler/decode/limits.h"
#include "profiler/decode/origin.h"

#define MAX_LINES 1000 /* profile_location() */
#define SUFFIX_BYTES 4 /* "_[k]" */
#define SHOWN_BYTES 60 /* of a wrong line */

enum annotation { NO_ANNOTATION, KERNEL, RUNTIME_CODE, INLINED };

static const struct {
	char letter;
	enum annotation annotation;
	enum profile_mapping_kind kind;
	const char *mapping;
} annotations[] = {
	{ 'k', KERNEL, PROFILE_MAPPING_KERNEL, "[kernel.kallsyms]" },
	{ 'j', RUNTIME_CODE, PROFILE_MAPPING_ANONYMOUS, "[anonymous memory]" },
	{ 'i', INLINED, PROFILE_MAPPING_NONE, NULL },
};

/* A physical frame: a function and what was inlined there. */
struct frame {
	struct profile_line lines[MAX_LINES]; /* outermost first */
	uint32_t count;
	uint32_t mapping;
	bool named;
};

struct folded {
	struct profile *p;
	struct frame frame;
	struct profile_line inner[MAX_LINES]; /* the same, innermost first */
};

static size_t annotation_of(const char *s, size_t len)
{
	const char *end = s + len - SUFFIX_BYTES;

	if (len > SUFFIX_BYTES && end[0] == '_' && end[1] == '[' && end[3] == ']')
		for (size_t i = 0; i < sizeof(annotations) / sizeof(annotations[0]); i++)
			if (annotations[i].letter == end[2])
				return i;
	return sizeof(annotations) / sizeof(annotations[0]);
}

static int add_function(struct profile *p, const char *s, size_t len)
{
	struct profile_function f = { 0 };
	int r = profile_string(p, s, len);

	if (r < 0)
		return r;
	f.name = f.system_name = (uint32_t)r;
	return profile_function(p, &f);
}

static int add_mapping(struct profile *p, size_t annotation, uint32_t *ret)
{
	const char *name = annotations[annotation].mapping;
	struct profile_mapping m = { .kind = annotations[annotation].kind };
	int r = profile_string(p, name, strlen(name));

	if (r < 0)
		return r;
	m.name = (uint32_t)r;
	r = profile_mapping(p, &m);
	if (r >= 0)
		*ret = (uint32_t)r;
	return r;
}

/* The node of the frame that is complete. */
static int end_frame(struct folded *f, int node)
{
	int r;

	if (!f->frame.count)
		return node;
	for (uint32_t i = 0; i < f->frame.count; i++)
		f->inner[i] = f->frame.lines[f->frame.count - 1 - i];
	r = profile_location(f->p, f->frame.mapping, 0, f->frame.named, f->inner, f->frame.count);
	f->frame.count = 0;
	return r < 0 ? r : profile_node(f->p, (uint32_t)node, (uint32_t)r, 0);
}

/* Returns the node that the stack has so far. */
static int add_frame(struct folded *f, int node, const char *s, size_t len)
{
	size_t annotation = annotation_of(s, len);
	bool annotated = annotation < sizeof(annotations) / sizeof(annotations[0]);
	bool inlined = annotated && annotations[annotation].annotation == INLINED;
	int r;

	if (annotated)
		len -= SUFFIX_BYTES;
	if (!inlined || !f->frame.count || f->frame.count == MAX_LINES) {
		node = end_frame(f, node);
		f->frame.mapping = PROFILE_NONE;
		f->frame.named = !origin_is_stand_in(s, len);
	}
	if (node >= 0 && annotated && !inlined) {
		r = add_mapping(f->p, annotation, &f->frame.mapping);
		if (r < 0)
			return r;
	}
	r = add_function(f->p, s, len);
	if (r < 0)
		return r;
	f->frame.lines[f->frame.count++] = (struct profile_line){ .function = (uint32_t)r };
	return node;
}

static int add_series(struct profile *p, const char *comm, size_t len)
{
	struct profile_label label = { 0 };
	int r = profile_string(p, "comm", 4);

	if (r < 0)
		return r;
	label.key = (uint32_t)r;
	r = profile_string(p, comm, len);
	if (r < 0)
		return r;
	label.text = (uint32_t)r;
	return profile_series(p, &label, 1);
}

static int add_stack(struct folded *f, const char *s, size_t len, uint64_t count)
{
	const char *at = memchr(s, ';', len), *end = s + len;
	int node = 0, series = add_series(f->p, s, at ? (size_t)(at - s) : len);

	if (series < 0)
		return series;
	f->frame.count = 0;
	while (at && node >= 0) {
		const char *frame = at + 1;

		at = memchr(frame, ';', (size_t)(end - frame));
		node = add_frame(f, node, frame, (size_t)((at ? at : end) - frame));
	}
	if (node >= 0)
		node = end_frame(f, node);
	return node < 0 ? node : profile_add(f->p, (uint32_t)series, (uint32_t)node, count, count);
}

static int add_line(struct folded *f, const char *s, size_t len, size_t line, struct err *err)
{
	const char *space;
	uint64_t count;

	while (len && (s[len - 1] == '\r' || s[len - 1] == ' '))
		len--;
	if (!len || *s == '#')
		return 0;
	space = memrchr(s, ' ', len);
	if (!space || space == s || memchr(s, '\0', len) ||
	    number_parse(space + 1, len - (size_t)(space + 1 - s), INT64_MAX, &count) < 0)
		return err_set(err, -EINVAL,
			       "line %zu is no stack with a number behind it: \"%.*s\"", line,
			       len < SHOWN_BYTES ? (int)len : SHOWN_BYTES, s);
	return count ? add_stack(f, s, (size_t)(space - s), count) : 0;
}

static int read_lines(struct folded *f, const char *s, size_t len, struct err *err)
{
	const char *end = s + len;
	int r = 0;

	for (size_t line = 1; s < end && r >= 0; line++) {
		const char *next = memchr(s, '\n', (size_t)(end - s));

		r = add_line(f, s, (size_t)((next ? next : end) - s), line, err);
		s = next ? next + 1 : end;
	}
	return r < 0 ? r : 0;
}

int collapsed_read(const void *bytes, size_t len, struct profile *ret, struct err *err)
{
	struct folded *f = calloc(1, sizeof(*f));
	int r = f ? profile_init(ret, DECODE_MAX_TEXT_BYTES, DECODE_MAX_ITEMS) : -ENOMEM;

	if (r < 0) {
		free(f);
		return err_errno(err, r, "it can't be read");
	}
	f->p = ret;
	ret->facts = (struct profile_facts){
		.event = "samples", .value_type = "samples", .value_unit = "count", .period = 1
	};
	r = read_lines(f, bytes, len, err);
	free(f);
	if (r == -E2BIG)
		err_set(err, r, "it is larger than what is read: %u million entries",
			DECODE_MAX_ITEMS >> 20);
	if (r == -ENOMEM)
		err_errno(err, r, "it can't be read");
	if (r < 0)
		profile_release(ret);
	return r;
}
