// SPDX-License-Identifier: Apache-2.0
/*
 * A profile without samples interns what is needed: its series are the groups. Group 0 is a series of no labels, under
 * which nobody else is: a group by keys has them all.
 */
#include "profiler/reader/grouping.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/text.h"

#define MAX_TEXT_BYTES ((size_t)64 << 20)
#define MAX_ITEMS (1u << 22)
#define MAX_LABELS 64

int grouping_init(struct grouping *g, const struct group_keys *keys)
{
	int r;

	*g = (struct grouping){ .keys = keys };
	r = profile_init(&g->names, MAX_TEXT_BYTES, MAX_ITEMS);
	if (r == 0) {
		r = profile_series(&g->names, NULL, 0);
		if (r < 0)
			profile_release(&g->names);
	}
	return r < 0 ? -ENOMEM : 0;
}

void grouping_release(struct grouping *g)
{
	profile_release(&g->names);
	array_release(&g->of_series);
}

void grouping_begin(struct grouping *g, const struct profile *p)
{
	g->file = p;
	g->of_series.count = 0;
}

static int copy_text(struct grouping *g, uint32_t string)
{
	const struct profile_string *s = &g->file->strings.items[string];

	return profile_string(&g->names, s->text, s->len);
}

static int add_label(struct grouping *g, struct profile_label *to, const char *key, size_t len,
		     const struct profile_label *from)
{
	int r = profile_string(&g->names, key, len);

	if (r < 0)
		return r;
	*to = (struct profile_label){ .key = (uint32_t)r };
	if (!from)
		return 0;
	to->text = from->text;
	to->number = from->number;
	if (from->text == PROFILE_NONE)
		return 0;
	to->number = 0;
	r = copy_text(g, from->text);
	to->text = (uint32_t)r;
	return r < 0 ? r : 0;
}

static int add_group(struct grouping *g, uint32_t series)
{
	const struct profile_series *s = &g->file->series.items[series];
	uint32_t count = g->keys ? g->keys->count : s->label_count;
	struct profile_label labels[MAX_LABELS];
	int r = 0;

	if (count > MAX_LABELS)
		return -E2BIG;
	for (uint32_t i = 0; i < count && r == 0; i++) {
		const struct profile_label *l = &g->file->labels.items[s->first_label + i];

		if (g->keys)
			r = add_label(g, &labels[i], g->keys->keys[i], strlen(g->keys->keys[i]),
				      profile_label_find(g->file, series, g->keys->keys[i]));
		else
			r = add_label(g, &labels[i], profile_text(g->file, l->key),
				      g->file->strings.items[l->key].len, l);
	}
	if (r == 0)
		r = profile_series(&g->names, labels, count);
	return r < (int)GROUPING_MAX ? r : -E2BIG;
}

int grouping_of(struct grouping *g, uint32_t series)
{
	int r;

	while (g->of_series.count <= series) {
		uint32_t *added = array_push(&g->of_series, UINT32_MAX);

		if (!added)
			return -ENOMEM;
		*added = PROFILE_NONE;
	}
	if (g->of_series.items[series] != PROFILE_NONE)
		return (int)g->of_series.items[series];
	r = add_group(g, series);
	if (r == -E2BIG) {
		g->rest++;
		r = 0;
	}
	if (r >= 0)
		g->of_series.items[series] = (uint32_t)r;
	return r;
}

static void put_value(const struct grouping *g, const struct profile_label *l, struct buffer *out,
		      void (*put)(struct buffer *, const char *, size_t))
{
	const struct profile_string *s;

	if (l->text == PROFILE_NONE) {
		buffer_printf(out, "%" PRId64, l->number);
		return;
	}
	s = &g->names.strings.items[l->text];
	put(out, s->text, s->len);
}

void grouping_json(const struct grouping *g, uint32_t group, struct buffer *out)
{
	const struct profile_series *s = &g->names.series.items[group];

	buffer_text(out, "{");
	for (uint32_t i = 0; i < s->label_count; i++) {
		const struct profile_label *l = &g->names.labels.items[s->first_label + i];
		const struct profile_string *key = &g->names.strings.items[l->key];

		buffer_text(out, i ? ", " : "");
		text_json(out, key->text, key->len);
		buffer_text(out, ": ");
		put_value(g, l, out, text_json);
	}
	buffer_text(out, "}");
}

void grouping_text(const struct grouping *g, uint32_t group, struct buffer *out)
{
	const struct profile_series *s = &g->names.series.items[group];

	if (!s->label_count)
		buffer_text(out, "all");
	for (uint32_t i = 0; i < s->label_count; i++) {
		const struct profile_label *l = &g->names.labels.items[s->first_label + i];
		const struct profile_string *key = &g->names.strings.items[l->key];
		size_t before;

		buffer_text(out, i ? ", " : "");
		if (s->label_count > 1) {
			text_escape(out, key->text, key->len);
			buffer_text(out, ": ");
		}
		before = out->len;
		put_value(g, l, out, text_escape);
		if (out->len == before)
			buffer_text(out, "-");
	}
}

static int compare_ranks(const void *a, const void *b)
{
	const struct group_rank *x = a, *y = b;

	if (x->value != y->value)
		return x->value > y->value ? -1 : 1;
	return (x->group > y->group) - (x->group < y->group);
}

void group_ranks_sort(struct group_rank *ranks, uint32_t count)
{
	if (count)
		qsort(ranks, count, sizeof(*ranks), compare_ranks);
}
