// SPDX-License-Identifier: Apache-2.0
/*
 * Tables as text.c's, of changes: what is nobody's news is left out, and counted. Where nothing changed the nearest
 * few are shown, dim, so that "nothing" can be judged.
 */
#include "profiler/encode/difference.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/encode/figure.h"
#include "profiler/encode/json.h"
#include "profiler/encode/page.h"

#define DEFAULT_COLUMNS 100
#define MIN_COLUMNS 60
#define MAX_COLUMNS 1000
#define MAX_ROWS 1000
#define NEAREST_ROWS 3
#define STACK_FRAMES 12 /* shown at most, nearest the leaf */
#define STACK_INDENT 19
#define FIGURE_COLUMNS 46 /* before a function's name */

struct difference {
	const struct diff *d;
	struct page page;
	uint32_t rows;
	struct buffer unit;
};

/* ---- figures ---- */

static int decimals(const struct difference *x)
{
	return x->d->relative ? 2 : 3;
}

/* "+0.310  ±0.020" */
static void put_change(struct difference *x, const struct diff_item *item)
{
	char error[48];
	bool strong = item->q <= 0.05;

	snprintf(error, sizeof(error), "±%.*f", decimals(x), item->error);
	page_attribute(&x->page, strong ? PAGE_BOLD : PAGE_DIM);
	buffer_printf(x->page.out, "%+8.*f", decimals(x), item->change);
	page_attribute(&x->page, PAGE_PLAIN);
	page_attribute(&x->page, PAGE_DIM);
	page_spaces(&x->page, text_width(error, strlen(error)) < 8
				      ? 9 - text_width(error, strlen(error))
				      : 1);
	buffer_text(x->page.out, error);
	page_attribute(&x->page, PAGE_PLAIN);
}

static void put_sides(struct difference *x, const struct diff_item *item)
{
	buffer_printf(x->page.out, " %8.*f %8.*f", decimals(x), item->before, decimals(x),
		      item->after);
}

/* ---- the first lines ---- */

static void say_side(struct difference *x, int side)
{
	const struct diff_side *s = &x->d->sides[side];

	if (x->d->relative)
		page_say(&x->page, "%s samples", figure_count(s->count).text);
	else if (x->d->is_time)
		page_say(&x->page, "%.3f cores (%s s of CPU in %s s)",
			 side ? x->d->all.after : x->d->all.before, figure_value(s->value).text,
			 figure_value(s->facts.duration_ns).text);
	else
		page_say(&x->page, "%.3f %s", side ? x->d->all.after : x->d->all.before,
			 buffer_cstr(&x->unit));
}

static void headline(struct difference *x)
{
	const struct diff_item *all = &x->d->all;

	page_say(&x->page, "Before: ");
	say_side(x, 0);
	page_say(&x->page, "; after: ");
	say_side(x, 1);
	if (!x->d->relative) {
		page_say(&x->page, ": %+.3f ±%.3f", all->change, all->error);
		if (all->before > 0)
			page_say(&x->page, ", %+.0f %%", 100 * all->change / all->before);
	}
	page_attribute(&x->page, PAGE_BOLD);
	page_paragraph(&x->page, 0);
	page_attribute(&x->page, PAGE_PLAIN);
	if (x->d->relative)
		page_say(&x->page,
			 "Shares are compared, of what was sampled in each: how much that was "
			 "makes no difference.");
	page_paragraph(&x->page, 0);
}

static void title(struct difference *x, const char *name, const char *meaning)
{
	buffer_text(x->page.out, "\n");
	page_attribute(&x->page, PAGE_BOLD);
	buffer_text(x->page.out, name);
	page_attribute(&x->page, PAGE_PLAIN);
	page_attribute(&x->page, PAGE_DIM);
	buffer_printf(x->page.out, "  change in %s%s; ± two standard errors\n",
		      buffer_cstr(&x->unit), meaning);
	page_attribute(&x->page, PAGE_PLAIN);
}

/* How many rows a table has; says when none of them is a change. */
static uint32_t row_count(struct difference *x, const struct diff_list *l, uint32_t usual)
{
	uint32_t most = x->rows ? x->rows : usual;
	uint32_t nearest = l->items.count < NEAREST_ROWS ? l->items.count : NEAREST_ROWS;

	if (l->changed)
		return l->changed < most ? l->changed : most;
	page_say(&x->page, "Nothing here changed by more than chance%s",
		 nearest ? "; what comes nearest to it:" : ".");
	page_paragraph(&x->page, 2);
	return nearest;
}

static void rest(struct difference *x, const struct diff_list *l, uint32_t shown, const char *what)
{
	uint32_t more = l->changed > shown ? l->changed - shown : 0;

	page_attribute(&x->page, PAGE_DIM);
	if (more)
		page_say(&x->page, "%s more changed; ", figure_count(more).text);
	page_say(&x->page, "%s %s had enough samples to tell, of %s", figure_count(l->tested).text,
		 what, figure_count(l->items.count).text);
	page_paragraph(&x->page, 2);
	page_attribute(&x->page, PAGE_PLAIN);
}

/* ---- tables ---- */

static void put_name(struct difference *x, struct buffer *out, uint32_t string, size_t columns,
		     bool pad)
{
	page_name(&x->page, out, &x->d->both.strings.items[string], columns, pad);
}

static void functions_table(struct difference *x)
{
	const size_t module_columns = x->page.columns / 6;
	const size_t name_columns = x->page.columns > module_columns + FIGURE_COLUMNS + 12
					    ? x->page.columns - module_columns - FIGURE_COLUMNS - 2
					    : 10;
	const struct diff_list *l = &x->d->functions;
	uint32_t count;

	title(x, "FUNCTIONS", " of their own");
	count = row_count(x, l, 15);
	if (count)
		buffer_text(x->page.out,
			    "  change        ±   before    after    total  function\n");
	for (uint32_t i = 0; i < count; i++) {
		const struct diff_item *item = &l->items.items[i];
		const struct call_frame *f = &x->d->tree.frames.items[item->what];
		const struct call_module *m = &x->d->tree.modules.items[f->module];
		const struct buffer *module = page_escape(&x->page, m->text, m->len);
		_cleanup_(buffer_release) struct buffer name = BUFFER_INIT(4096);

		if (m->len)
			text_fit(&name, module->data, module->len, module_columns, false);
		put_change(x, item);
		put_sides(x, item);
		buffer_printf(x->page.out, " %+8.*f  ", decimals(x), item->total_change);
		put_name(x, x->page.out, f->name, name_columns, true);
		buffer_text(x->page.out, "  ");
		page_attribute(&x->page, PAGE_DIM);
		buffer_append(x->page.out, name.data ? name.data : "", name.len);
		page_attribute(&x->page, PAGE_PLAIN);
		page_end_row(&x->page);
	}
	rest(x, l, count, "functions");
}

static void put_group(struct difference *x, uint32_t group, struct buffer *out, size_t columns)
{
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(64 << 10);
	const struct buffer *clean;

	group_name_write(&x->d->groups, &x->d->both, group, &text);
	if (!text.data)
		return;
	clean = page_escape(&x->page, text.data, text.len);
	if (!buffer_error(clean))
		text_fit(out, clean->data, clean->len, columns, false);
}

static void groups_table(struct difference *x)
{
	const struct diff_list *l = &x->d->by_group;
	bool by_comm = group_keys_are_comm(&x->d->groups.keys);
	uint32_t count;

	title(x, by_comm ? "PROCESSES" : "GROUPS", "");
	count = row_count(x, l, 10);
	if (count)
		buffer_printf(x->page.out, "  change        ±   before    after  %s\n",
			      by_comm ? "process" : "group");
	for (uint32_t i = 0; i < count; i++) {
		put_change(x, &l->items.items[i]);
		put_sides(x, &l->items.items[i]);
		buffer_text(x->page.out, "  ");
		put_group(x, l->items.items[i].group, x->page.out, x->page.columns - 38);
		page_end_row(&x->page);
	}
	rest(x, l, count, by_comm ? "processes" : "groups");
}

static void put_stack(struct difference *x, const struct diff_item *item)
{
	const struct calltree *t = &x->d->tree;
	uint32_t shown = 0, more = 0;

	put_change(x, item);
	buffer_text(x->page.out, "  ");
	put_group(x, item->group, &x->page.sentence, 32);
	page_say(&x->page, ": ");
	if (!item->what)
		page_say(&x->page, "[no stack]");
	for (uint32_t n = item->what; n; n = t->nodes.items[n].parent) {
		if (shown == STACK_FRAMES) {
			more++;
			continue;
		}
		if (shown++)
			page_say(&x->page, PAGE_ARROW);
		put_name(x, &x->page.sentence, t->frames.items[t->nodes.items[n].frame].name,
			 (x->page.columns - STACK_INDENT) * 3 / 5, false);
	}
	if (more)
		page_say(&x->page, PAGE_ARROW "… %" PRIu32 " more", more);
	page_hang_stack(&x->page, STACK_INDENT);
}

static void stacks_table(struct difference *x)
{
	const struct diff_list *l = &x->d->stacks;
	uint32_t count;

	title(x, "STACKS", ": leaf ← caller");
	count = row_count(x, l, 5);
	for (uint32_t i = 0; i < count; i++)
		put_stack(x, &l->items.items[i]);
	rest(x, l, count, "stacks");
}

static void say_what_it_means(struct difference *x)
{
	const struct diff_side *a = &x->d->sides[0], *b = &x->d->sides[1];

	buffer_text(x->page.out, "\n");
	page_say(
		&x->page,
		"Of what is called a change in a table at most 5 %% is chance, in the mean. That is the "
		"chance of sampling: how much the work itself varies from run to run only more runs "
		"can tell.");
	page_paragraph(&x->page, 0);
	page_say(&x->page, "%s samples before, %s after", figure_count(a->count).text,
		 figure_count(b->count).text);
	if (a->lost || b->lost)
		page_say(&x->page, "; lost: %s before, %s after, %s", figure_count(a->lost).text,
			 figure_count(b->lost).text,
			 x->d->relative ? "and in none of this"
					: "taken to have been like the rest");
	page_say(&x->page, ".");
	page_paragraph(&x->page, 0);
}

/* ---- the whole ---- */

static void write_unit(const struct diff *d, struct buffer *unit)
{
	if (d->relative)
		buffer_text(unit, "percent points");
	else if (d->is_time)
		buffer_text(unit, "cores");
	else
		buffer_printf(unit, "%s%s/s", d->divisor > 1 ? "G " : "", d->both.facts.value_type);
}

static uint32_t clamp(uint32_t value, uint32_t usual, uint32_t least, uint32_t most)
{
	if (!value)
		return usual;
	return value < least ? least : value > most ? most : value;
}

int difference_text(const struct diff *d, const struct text_options *options, struct buffer *out)
{
	static const struct text_options usual;
	const struct text_options *o = options ? options : &usual;
	struct difference x = { .d = d, .unit = BUFFER_INIT(4096) };
	int r;

	x.rows = clamp(o->rows, 0, 1, MAX_ROWS);
	write_unit(d, &x.unit);
	r = buffer_cstr(&x.unit) ? 0 : buffer_error(&x.unit);
	if (r < 0)
		return r;
	page_init(&x.page, out, clamp(o->columns, DEFAULT_COLUMNS, MIN_COLUMNS, MAX_COLUMNS),
		  o->color);
	headline(&x);
	functions_table(&x);
	groups_table(&x);
	stacks_table(&x);
	say_what_it_means(&x);
	r = page_error(&x.page);
	page_release(&x.page);
	buffer_release(&x.unit);
	return r;
}

/* ---- JSON ---- */

static void put_item(struct buffer *out, const struct diff_item *item)
{
	buffer_printf(out,
		      "\"before\": %.9g, \"after\": %.9g, \"change\": %.9g, \"error\": %.9g, "
		      "\"samples\": [%" PRIu64 ", %" PRIu64 "], \"ln_p\": %.6g, \"q\": %.6g, "
		      "\"changed\": %s",
		      item->before, item->after, item->change, item->error, item->self.count[0],
		      item->self.count[1], item->ln_p, item->q, item->q <= 0.05 ? "true" : "false");
}

static void put_side_json(struct buffer *out, const char *name, const struct diff_side *s)
{
	buffer_printf(out,
		      ",\n \"%s\": {\"samples\": %" PRIu64 ", \"value\": %" PRIu64
		      ", \"lost_samples\": %" PRIu64 ", \"duration_ns\": %" PRIu64 "}",
		      name, s->count, s->value, s->lost, s->facts.duration_ns);
}

static void put_json_string(struct buffer *out, const struct diff *d, uint32_t string)
{
	text_json(out, profile_text(&d->both, string), d->both.strings.items[string].len);
}

static uint32_t shown(const struct diff_list *l, uint32_t max)
{
	return max && l->items.count > max ? max : l->items.count;
}

static void functions_json(struct buffer *out, const struct diff *d, uint32_t max)
{
	buffer_text(out, ",\n \"functions\": [");
	for (uint32_t i = 0; i < shown(&d->functions, max); i++) {
		const struct diff_item *item = &d->functions.items.items[i];
		const struct call_frame *f = &d->tree.frames.items[item->what];
		const struct call_module *m = &d->tree.modules.items[f->module];

		buffer_text(out, i ? ",\n  {\"name\": " : "\n  {\"name\": ");
		put_json_string(out, d, f->name);
		buffer_text(out, ", \"module\": ");
		text_json(out, m->text, m->len);
		buffer_text(out, ", ");
		put_item(out, item);
		buffer_printf(out, ", \"total_change\": %.9g}", item->total_change);
	}
	buffer_text(out, "]");
}

static int groups_json(struct buffer *out, const struct diff *d, uint32_t max)
{
	int r = 0;

	buffer_text(out, ",\n \"groups\": [");
	for (uint32_t i = 0; i < shown(&d->by_group, max) && r == 0; i++) {
		buffer_text(out, i ? ",\n  {\"labels\": " : "\n  {\"labels\": ");
		r = json_group(out, &d->groups, &d->both, d->by_group.items.items[i].group);
		buffer_text(out, ", ");
		put_item(out, &d->by_group.items.items[i]);
		buffer_text(out, "}");
	}
	buffer_text(out, "]");
	return r;
}

static int stacks_json(struct buffer *out, const struct diff *d, uint32_t max)
{
	int r = 0;

	buffer_text(out, ",\n \"stacks\": [");
	for (uint32_t i = 0; i < shown(&d->stacks, max) && r == 0 && !buffer_error(out); i++) {
		const struct diff_item *item = &d->stacks.items.items[i];

		buffer_text(out, i ? ",\n  {\"labels\": " : "\n  {\"labels\": ");
		r = json_group(out, &d->groups, &d->both, item->group);
		buffer_text(out, ", \"frames\": [");
		for (uint32_t n = item->what; n; n = d->tree.nodes.items[n].parent) {
			buffer_text(out, n == item->what ? "" : ", ");
			put_json_string(out, d,
					d->tree.frames.items[d->tree.nodes.items[n].frame].name);
		}
		buffer_text(out, "], ");
		put_item(out, item);
		buffer_text(out, "}");
	}
	buffer_text(out, "]");
	return r;
}

int difference_json(const struct diff *d, uint32_t max, struct buffer *out)
{
	_cleanup_(buffer_release) struct buffer unit = BUFFER_INIT(4096);
	int r;

	write_unit(d, &unit);
	if (!buffer_cstr(&unit))
		return buffer_error(&unit);
	buffer_printf(out, "{\"mode\": \"%s\", \"unit\": ", d->relative ? "relative" : "absolute");
	text_json(out, unit.data, unit.len);
	put_side_json(out, "before", &d->sides[0]);
	put_side_json(out, "after", &d->sides[1]);
	buffer_text(out, ",\n \"all\": {");
	put_item(out, &d->all);
	buffer_text(out, "}");
	buffer_printf(out,
		      ",\n \"counts\": {\"functions\": %" PRIu32 ", \"groups\": %" PRIu32
		      ", \"stacks\": %" PRIu32 "}",
		      d->functions.items.count, d->by_group.items.count, d->stacks.items.count);
	functions_json(out, d, max);
	r = groups_json(out, d, max);
	if (r == 0)
		r = stacks_json(out, d, max);
	buffer_text(out, "}\n");
	return r < 0 ? r : buffer_error(out);
}
