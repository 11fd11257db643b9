// SPDX-License-Identifier: Apache-2.0
/*
 * Samples of one root and one stack (by function: calltree.h) are added up first, so that memory is
 * what the result needs, and only then become text. Lines are sorted as text, and equal ones joined
 * once more: functions of one name in two modules are one line here.
 */
#include "profiler/encode/collapsed.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/model/calltree.h"

#define MAX_TEXT_BYTES ((size_t)1 << 30)

/* One line: its key is (root, node) first, its text later. */
struct line {
	uint32_t root; /* number of its text */
	uint32_t node; /* of the call tree */
	uint64_t count;
	size_t off, len; /* in texts */
};

struct folding {
	const struct profile *p;
	struct calltree tree;
	struct root_texts roots; /* one or more frames joined by ';' */
	uint32_t *root_of_series;
	struct root_texts frames; /* as they are written */
	uint32_t *text_of_frame;
	ARRAY(struct line) lines;
	struct index line_index;
	ARRAY(uint32_t) stack;
	struct buffer texts;
	struct buffer scratch;
};

static_assert(offsetof(struct line, count) == 8, "root and node are the key");

/* From `from` on, what is a ';' would begin another frame. */
static void no_separators(struct buffer *b, size_t from)
{
	for (size_t i = from; i < b->len; i++)
		if (b->data[i] == ';')
			b->data[i] = ':';
}

static int scratch_intern(struct folding *f, struct root_texts *texts)
{
	int r = buffer_error(&f->scratch);

	return r < 0 ? r
		     : root_texts_add(texts, f->scratch.data ? f->scratch.data : "",
				      f->scratch.len);
}

static void comm_text(struct folding *f, uint32_t series)
{
	const struct profile_label *l = profile_label_find(f->p, series, "comm");

	if (l && l->text != PROFILE_NONE && l->text != 0)
		text_escape(&f->scratch, profile_text(f->p, l->text),
			    f->p->strings.items[l->text].len);
	else
		buffer_text(&f->scratch, "[unknown]");
	no_separators(&f->scratch, 0);
}

static int find_roots(struct folding *f, const struct root_keys *root)
{
	f->root_of_series = calloc((size_t)f->p->series.count + 1, sizeof(*f->root_of_series));
	if (!f->root_of_series)
		return -ENOMEM;
	for (uint32_t i = 0; i < f->p->series.count; i++) {
		int r;

		buffer_clear(&f->scratch);
		if (!root || !root->count)
			comm_text(f, i);
		for (uint32_t k = 0; root && k < root->count; k++) {
			size_t from;

			if (k)
				buffer_text(&f->scratch, ";");
			from = f->scratch.len;
			root_frame_text(f->p, i, root->keys[k], &f->scratch);
			no_separators(&f->scratch, from);
		}
		r = scratch_intern(f, &f->roots);
		if (r < 0)
			return r;
		f->root_of_series[i] = (uint32_t)r;
	}
	return 0;
}

static int find_frames(struct folding *f)
{
	const struct profile *p = f->p;

	f->text_of_frame = calloc((size_t)f->tree.frames.count + 1, sizeof(*f->text_of_frame));
	if (!f->text_of_frame)
		return -ENOMEM;
	for (uint32_t i = 0; i < f->tree.frames.count; i++) {
		const struct call_frame *c = &f->tree.frames.items[i];
		int r;

		buffer_clear(&f->scratch);
		if (c->name)
			text_escape(&f->scratch, profile_text(p, c->name),
				    p->strings.items[c->name].len);
		else
			buffer_text(&f->scratch, "[unknown]");
		no_separators(&f->scratch, 0);
		if (c->kind == PROFILE_MAPPING_KERNEL)
			buffer_text(&f->scratch, "_[k]");
		r = scratch_intern(f, &f->frames);
		if (r < 0)
			return r;
		f->text_of_frame[i] = (uint32_t)r;
	}
	return 0;
}

static bool line_equal(const void *owner, uint32_t item, const void *key)
{
	const struct folding *f = owner;
	const struct line *k = key;

	return f->lines.items[item].root == k->root && f->lines.items[item].node == k->node;
}

static int add_line(struct folding *f, const struct profile_sample *s)
{
	const struct line key = { .root = f->root_of_series[s->series],
				  .node = f->tree.node_of[s->node] };
	uint64_t hash = hash_bytes(&key, offsetof(struct line, count));
	uint32_t found = index_find(&f->line_index, hash, line_equal, f, &key);

	if (found == UINT32_MAX) {
		struct line *added = array_push(&f->lines, f->p->samples.count);

		if (!added)
			return -ENOMEM;
		*added = key;
		found = f->lines.count - 1;
		if (index_add(&f->line_index, hash, found) < 0)
			return -ENOMEM;
	}
	f->lines.items[found].count += s->count;
	return 0;
}

/* Appends "root;caller;leaf" to texts. */
static int write_stack(struct folding *f, struct line *l)
{
	const struct profile_string *text = &f->roots.items.items[l->root];

	f->stack.count = 0;
	for (uint32_t n = l->node; n; n = f->tree.nodes.items[n].parent) {
		uint32_t *pushed = array_push(&f->stack, f->tree.nodes.count);

		if (!pushed)
			return -ENOMEM;
		*pushed = f->text_of_frame[f->tree.nodes.items[n].frame];
	}
	l->off = f->texts.len;
	buffer_append(&f->texts, text->text, text->len);
	for (uint32_t i = f->stack.count; i-- > 0;) {
		text = &f->frames.items.items[f->stack.items[i]];
		buffer_append(&f->texts, ";", 1);
		buffer_append(&f->texts, text->text, text->len);
	}
	l->len = f->texts.len - l->off;
	return buffer_error(&f->texts);
}

static int compare_lines(const void *a, const void *b, void *texts)
{
	const struct line *x = a, *y = b;
	const char *data = ((const struct buffer *)texts)->data;
	int r = memcmp(data + x->off, data + y->off, x->len < y->len ? x->len : y->len);

	return r ? r : (x->len > y->len) - (x->len < y->len);
}

static void write_lines(struct folding *f, struct buffer *out)
{
	uint64_t count = 0;

	if (f->lines.count)
		qsort_r(f->lines.items, f->lines.count, sizeof(*f->lines.items), compare_lines,
			&f->texts);
	for (uint32_t i = 0; i < f->lines.count; i++) {
		const struct line *l = &f->lines.items[i];

		count += l->count;
		if (i + 1 < f->lines.count && !compare_lines(l, l + 1, &f->texts))
			continue;
		buffer_append(out, f->texts.data + l->off, l->len);
		buffer_printf(out, " %" PRIu64 "\n", count);
		count = 0;
	}
}

static int fold(struct folding *f, const struct root_keys *root)
{
	int r = find_roots(f, root);

	if (r < 0)
		return r;
	r = find_frames(f);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < f->p->samples.count; i++) {
		r = add_line(f, &f->p->samples.items[i]);
		if (r < 0)
			return r;
	}
	for (uint32_t i = 0; i < f->lines.count; i++) {
		r = write_stack(f, &f->lines.items[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The lost samples are a line like others, in its place: '[' is behind 'A' to 'Z', before 'a'. */
static int add_lost(struct folding *f)
{
	static const char text[] = "[lost samples]";
	struct line *l;

	if (!counters_lost(&f->p->counters))
		return 0;
	l = array_push(&f->lines, f->p->samples.count + 1);
	if (!l)
		return -ENOMEM;
	*l = (struct line){ .count = counters_lost(&f->p->counters),
			    .off = f->texts.len,
			    .len = sizeof(text) - 1 };
	buffer_text(&f->texts, text);
	return buffer_error(&f->texts);
}

static void folding_release(struct folding *f)
{
	calltree_release(&f->tree);
	root_texts_release(&f->roots);
	root_texts_release(&f->frames);
	free(f->root_of_series);
	free(f->text_of_frame);
	array_release(&f->lines);
	array_release(&f->stack);
	index_release(&f->line_index);
	buffer_release(&f->texts);
	buffer_release(&f->scratch);
}

int collapsed_encode(const struct profile *p, const struct root_keys *root, struct buffer *out)
{
	struct folding f = { .p = p };
	int r = calltree_init(&f.tree, p);

	if (r < 0)
		return r;
	root_texts_init(&f.roots);
	root_texts_init(&f.frames);
	buffer_init(&f.texts, MAX_TEXT_BYTES);
	buffer_init(&f.scratch, MAX_TEXT_BYTES);
	r = fold(&f, root);
	if (r == 0)
		r = add_lost(&f);
	if (r == 0) {
		write_lines(&f, out);
		r = buffer_error(out);
	}
	folding_release(&f);
	return r;
}

/* ---- two of them ---- */

/* A line of an encoded profile: "stack COUNT". */
struct row {
	const char *text, *count;
	size_t text_len, count_len;
};

/* Takes the first line off what is left; false at the end. */
static bool next_row(const char **at, const char *end, struct row *ret)
{
	const char *newline = *at < end ? memchr(*at, '\n', (size_t)(end - *at)) : NULL;
	const char *space = newline ? memrchr(*at, ' ', (size_t)(newline - *at)) : NULL;

	if (!space)
		return false;
	*ret = (struct row){ *at, space + 1, (size_t)(space - *at), (size_t)(newline - space - 1) };
	*at = newline + 1;
	return true;
}

static int compare_rows(const struct row *a, const struct row *b)
{
	size_t len = a->text_len < b->text_len ? a->text_len : b->text_len;
	int r = memcmp(a->text, b->text, len);

	return r ? r : (a->text_len > b->text_len) - (a->text_len < b->text_len);
}

/* Both are sorted: one pass. */
static void join(const struct buffer *before, const struct buffer *after, struct buffer *out)
{
	const char *a = before->data, *a_end = a + before->len;
	const char *b = after->data, *b_end = b + after->len;
	struct row x, y;
	bool has_x = next_row(&a, a_end, &x), has_y = next_row(&b, b_end, &y);

	while (has_x || has_y) {
		int order = !has_x ? 1 : !has_y ? -1 : compare_rows(&x, &y);
		const struct row *first = order <= 0 ? &x : &y;

		buffer_append(out, first->text, first->text_len);
		buffer_text(out, " ");
		buffer_append(out, order <= 0 ? x.count : "0", order <= 0 ? x.count_len : 1);
		buffer_text(out, " ");
		buffer_append(out, order >= 0 ? y.count : "0", order >= 0 ? y.count_len : 1);
		buffer_text(out, "\n");
		if (order <= 0)
			has_x = next_row(&a, a_end, &x);
		if (order >= 0)
			has_y = next_row(&b, b_end, &y);
	}
}

int collapsed_encode_pair(const struct profile *before, const struct profile *after,
			  const struct root_keys *root, struct buffer *out)
{
	struct buffer texts[2] = { BUFFER_INIT(MAX_TEXT_BYTES), BUFFER_INIT(MAX_TEXT_BYTES) };
	int r = collapsed_encode(before, root, &texts[0]);

	if (r == 0)
		r = collapsed_encode(after, root, &texts[1]);
	if (r == 0) {
		join(&texts[0], &texts[1], out);
		r = buffer_error(out);
	}
	buffer_release(&texts[0]);
	buffer_release(&texts[1]);
	return r;
}
