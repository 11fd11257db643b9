// SPDX-License-Identifier: Apache-2.0
/*
 * One walk over what is shown makes the rows; then each column is written as a whole: equal things stand together,
 * which is what gzip likes. All values are divided by what they have in common, which mostly is the period: then they
 * are counts of samples, and short.
 */
#include "profiler/encode/flamegraph.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/encode/flametree.h"
#include "profiler/encode/json.h"

#define MAX_ROWS (1u << 24)

struct row {
	uint32_t depth, frame, flags;
	uint64_t self[2], total[2];
};

/* A row that stands for nodes. */
struct merged {
	uint32_t row, nodes;
};

/* What of some items is in the answer, in the order in which it comes there. */
struct used {
	uint32_t *numbers; /* by item, + 1 */
	ARRAY(uint32_t) items;
};

struct flamegraph {
	const struct profile *p;
	struct flametree tree;
	ARRAY(struct row) rows;
	ARRAY(struct merged) merged;
	struct used frames, modules, files;
	uint32_t node_count;
	uint64_t scale;
	bool two;
};

/* ---- rows ---- */

static uint64_t common(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static int add_row(struct flamegraph *g, const struct row *row)
{
	struct row *added = array_push(&g->rows, MAX_ROWS);

	if (!added)
		return -ENOMEM;
	*added = *row;
	for (int side = 0; side < 2; side++)
		g->scale = common(g->scale, common(row->self[side], row->total[side]));
	return 0;
}

static int use(struct used *u, uint32_t item)
{
	uint32_t *added;

	if (u->numbers[item])
		return (int)u->numbers[item] - 1;
	added = array_push(&u->items, MAX_ROWS);
	if (!added)
		return -ENOMEM;
	*added = item;
	u->numbers[item] = u->items.count;
	return (int)u->items.count - 1;
}

static void used_release(struct used *u)
{
	free(u->numbers);
	array_release(&u->items);
}

/* 0: none, which is always there. */
static uint32_t module_of(const struct flamegraph *g, uint32_t frame)
{
	const struct calltree *t = g->tree.calls;

	return frame < t->frames.count ? t->frames.items[frame].module : 0;
}

/* What says where a frame's function is, or NULL. */
static const struct profile_function *function_of(const struct flamegraph *g, uint32_t frame)
{
	const struct calltree *t = g->tree.calls;

	return frame < t->frames.count ? &g->p->functions.items[t->functions.items[frame]] : NULL;
}

/* A string, of which 0 is "". */
static uint32_t file_of(const struct flamegraph *g, uint32_t frame)
{
	const struct profile_function *f = function_of(g, frame);

	return f ? f->file : 0;
}

static int use_frame(struct flamegraph *g, uint32_t frame)
{
	int r = use(&g->modules, module_of(g, frame));

	if (r >= 0)
		r = use(&g->files, file_of(g, frame));
	return r < 0 ? r : use(&g->frames, frame);
}

/* Its number in the tree's frames and root texts: behind both are all, and others. */
static uint32_t frame_count(const struct flamegraph *g)
{
	return g->tree.calls->frames.count + g->tree.roots.items.count;
}

static int add_node(struct flamegraph *g, uint32_t node, uint32_t depth)
{
	const struct flame_node *n = &g->tree.nodes.items[node];
	struct row row = { .depth = depth, .flags = n->flags };
	int frame = use_frame(g, node ? n->frame : frame_count(g));

	if (frame < 0)
		return frame;
	row.frame = (uint32_t)frame;
	memcpy(row.self, n->self, sizeof(row.self));
	memcpy(row.total, n->total, sizeof(row.total));
	return add_row(g, &row);
}

/* What is left of a node's total when its self and shown children are taken from it. */
static int add_other(struct flamegraph *g, uint32_t node, uint32_t depth)
{
	const struct flame_node *n = &g->tree.nodes.items[node];
	struct row row = { .depth = depth, .flags = FLAME_OTHER };
	struct merged *merged;
	int frame;

	if (!n->merged)
		return 0;
	frame = use_frame(g, frame_count(g) + 1);
	merged = array_push(&g->merged, MAX_ROWS);
	if (frame < 0 || !merged)
		return -ENOMEM;
	row.frame = (uint32_t)frame;
	for (int side = 0; side < 2; side++) {
		row.total[side] = n->total[side] - n->self[side];
		for (uint32_t i = n->first_child; i; i = g->tree.nodes.items[i].next_sibling)
			row.total[side] -= g->tree.nodes.items[i].total[side];
		row.self[side] = row.total[side];
	}
	*merged = (struct merged){ g->rows.count, n->merged };
	return add_row(g, &row);
}

/* Depth first; others come last among their siblings. */
static int walk(struct flamegraph *g)
{
	const struct flame_node *nodes = g->tree.nodes.items;
	uint32_t node = 0, depth = 0;
	int r;

	for (;;) {
		r = add_node(g, node, depth);
		if (r < 0)
			return r;
		if (nodes[node].first_child) {
			node = nodes[node].first_child;
			depth++;
			continue;
		}
		r = add_other(g, node, depth + 1);
		while (r == 0 && node && !nodes[node].next_sibling) {
			node = nodes[node].parent;
			r = add_other(g, node, depth--);
		}
		if (r < 0 || !node)
			return r;
		node = nodes[node].next_sibling;
	}
}

/* ---- JSON ---- */

static void put_facts(struct buffer *out, const struct profile_facts *f, uint64_t samples,
		      uint64_t value, uint64_t lost)
{
	buffer_printf(out,
		      "\"start_ns\": %" PRIu64 ", \"duration_ns\": %" PRIu64
		      ", \"period\": %" PRIu64 ", \"samples\": %" PRIu64 ", \"value\": %" PRIu64
		      ", \"lost_samples\": %" PRIu64 ", \"machine_ns\": %" PRIu64
		      ", \"busy_ns\": %" PRIu64 ", \"filtered\": %s",
		      f->time_ns, f->duration_ns, f->period, samples, value, lost, f->machine_ns,
		      f->busy_ns, f->filtered ? "true" : "false");
}

const char *flamegraph_kind_name(uint32_t kind)
{
	static const char *const names[] = {
		[PROFILE_MAPPING_USER] = "user",           [PROFILE_MAPPING_KERNEL] = "kernel",
		[PROFILE_MAPPING_ANONYMOUS] = "anonymous", [PROFILE_MAPPING_UNREAD] = "unread",
		[PROFILE_MAPPING_NONE] = "none",
	};

	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "none";
}

/* What a frame of the answer is called. */
static void put_name(const struct flamegraph *g, struct buffer *out, uint32_t frame)
{
	const struct calltree *t = g->tree.calls;
	const struct profile_string *s;

	if (frame >= frame_count(g)) {
		buffer_text(out, frame == frame_count(g) ? "\"\"" : "\"(other)\"");
		return;
	}
	s = frame < t->frames.count ? &g->p->strings.items[t->frames.items[frame].name]
				    : &g->tree.roots.items.items[frame - t->frames.count];
	text_json(out, s->text, s->len);
}

static void put_names(const struct flamegraph *g, struct buffer *out)
{
	const struct calltree *t = g->tree.calls;

	buffer_text(out, ",\n\"modules\": [");
	for (uint32_t i = 0; i < g->modules.items.count; i++) {
		const struct call_module *m = &t->modules.items[g->modules.items.items[i]];

		buffer_text(out, i ? "," : "");
		text_json(out, m->text, m->len);
	}
	buffer_text(out, "],\n\"files\": [");
	for (uint32_t i = 0; i < g->files.items.count; i++) {
		const struct profile_string *s = &g->p->strings.items[g->files.items.items[i]];

		buffer_text(out, i ? "," : "");
		text_json(out, s->text, s->len);
	}
	buffer_text(out, "],\n\"frames\": {\"name\": [");
	for (uint32_t i = 0; i < g->frames.items.count; i++) {
		buffer_text(out, i ? "," : "");
		put_name(g, out, g->frames.items.items[i]);
	}
	buffer_text(out, "]");
}

enum property { MODULE, KIND, NAMED, SOURCE, LINE, PROPERTIES };

static void put_property(const struct flamegraph *g, struct buffer *out, uint32_t frame,
			 enum property property)
{
	const struct calltree *t = g->tree.calls;
	const struct call_frame *f = frame < t->frames.count ? &t->frames.items[frame] : NULL;

	if (property == MODULE)
		json_number(out, g->modules.numbers[module_of(g, frame)] - 1);
	else if (property == NAMED)
		json_number(out, f ? f->named : 1);
	else if (property == SOURCE)
		json_number(out, g->files.numbers[file_of(g, frame)] - 1);
	else if (property == LINE)
		json_number(out, f ? function_of(g, frame)->start_line : 0);
	else if (f)
		buffer_printf(out, "\"%s\"", flamegraph_kind_name(f->kind));
	else
		buffer_text(out, frame < frame_count(g) ? "\"label\"" : "\"none\"");
}

static void put_frames(const struct flamegraph *g, struct buffer *out)
{
	static const char *const names[PROPERTIES] = { "module", "kind", "named", "file", "line" };

	put_names(g, out);
	for (int property = 0; property < PROPERTIES; property++) {
		buffer_printf(out, ",\n\"%s\": [", names[property]);
		for (uint32_t i = 0; i < g->frames.items.count; i++) {
			buffer_text(out, i ? "," : "");
			put_property(g, out, g->frames.items.items[i], (enum property)property);
		}
		buffer_text(out, "]");
	}
	buffer_text(out, "}");
}

enum column { DEPTH, FRAME, FLAGS, TOTAL, SELF, TOTAL_BEFORE, SELF_BEFORE, COLUMNS };

/* Of two profiles, side 0 is the one before. */
static uint64_t cell(const struct flamegraph *g, const struct row *row, enum column column)
{
	switch (column) {
	case DEPTH:
		return row->depth;
	case FRAME:
		return row->frame;
	case FLAGS:
		return row->flags;
	case TOTAL:
		return row->total[g->two] / g->scale;
	case SELF:
		return row->self[g->two] / g->scale;
	case TOTAL_BEFORE:
		return row->total[0] / g->scale;
	case SELF_BEFORE:
	case COLUMNS:
		break;
	}
	return row->self[0] / g->scale;
}

static void put_nodes(const struct flamegraph *g, struct buffer *out)
{
	static const char *const names[COLUMNS] = { "depth", "frame",        "flags",      "total",
						    "self",  "total_before", "self_before" };

	buffer_text(out, ",\n\"nodes\": {");
	for (int column = 0; column < (g->two ? COLUMNS : TOTAL_BEFORE); column++) {
		buffer_printf(out, "%s\"%s\": [", column ? ",\n" : "", names[column]);
		for (uint32_t i = 0; i < g->rows.count; i++) {
			if (i)
				buffer_append(out, ",", 1);
			json_number(out, cell(g, &g->rows.items[i], (enum column)column));
		}
		buffer_text(out, "]");
	}
	buffer_printf(out, "},\n\"node_count\": %" PRIu32 ", \"merged\": [", g->node_count);
	for (uint32_t i = 0; i < g->merged.count; i++)
		buffer_printf(out, "%s[%" PRIu32 ",%" PRIu32 "]", i ? "," : "",
			      g->merged.items[i].row, g->merged.items[i].nodes);
	buffer_text(out, "]}\n");
}

/* ---- the whole ---- */

static int make_rows(struct flamegraph *g, const struct flamegraph_options *o)
{
	uint64_t all = flame_total(&g->tree.nodes.items[0]);
	int r = flametree_prune(&g->tree, o->max_nodes, (uint64_t)((double)all * o->min_share));

	for (uint32_t i = 0; i < g->tree.nodes.count; i++)
		g->node_count += flame_total(&g->tree.nodes.items[i]) != 0;
	g->frames.numbers = calloc((size_t)frame_count(g) + 2, sizeof(uint32_t));
	g->modules.numbers = calloc((size_t)g->tree.calls->modules.count + 1, sizeof(uint32_t));
	g->files.numbers = calloc((size_t)g->p->strings.count + 1, sizeof(uint32_t));
	if (r == 0 && !(g->frames.numbers && g->modules.numbers && g->files.numbers))
		r = -ENOMEM;
	if (r == 0)
		r = walk(g);
	if (!g->scale)
		g->scale = 1;
	return r;
}

static int encode(struct flamegraph *g, const struct calltree *calls,
		  const struct flamegraph_options *o, const struct flame_side *sides,
		  struct buffer *out)
{
	int r = flametree_init(&g->tree, calls, o->root, sides, g->two ? 2 : 1);

	if (r < 0)
		return r;
	r = make_rows(g, o);
	if (r == 0) {
		buffer_printf(out, ",\n\"scale\": %" PRIu64, g->scale);
		put_frames(g, out);
		put_nodes(g, out);
	}
	used_release(&g->frames);
	used_release(&g->modules);
	used_release(&g->files);
	array_release(&g->rows);
	array_release(&g->merged);
	flametree_release(&g->tree);
	return r < 0 ? r : buffer_error(out);
}

static void put_kind(struct buffer *out, const struct profile_facts *f)
{
	buffer_text(out, "{\"type\": ");
	text_json(out, f->value_type, strlen(f->value_type));
	buffer_text(out, ", \"unit\": ");
	text_json(out, f->value_unit, strlen(f->value_unit));
	buffer_text(out, ", ");
}

int flamegraph_encode(const struct profile *p, const struct flamegraph_options *options,
		      struct buffer *out)
{
	const struct flame_side side = { p->samples.items, p->samples.count };
	struct flamegraph g = { .p = p };
	struct calltree calls;
	int r = calltree_init(&calls, p);

	if (r < 0)
		return r;
	put_kind(out, &p->facts);
	put_facts(out, &p->facts, profile_total_count(p), profile_total_value(p),
		  counters_lost(&p->counters));
	r = encode(&g, &calls, options, &side, out);
	calltree_release(&calls);
	return r;
}

int flamegraph_encode_diff(const struct diff *d, const struct flamegraph_options *options,
			   struct buffer *out)
{
	const struct diff_side *before = &d->sides[0], *after = &d->sides[1];
	const struct flame_side sides[] = {
		{ before->samples.items, before->samples.count },
		{ after->samples.items, after->samples.count },
	};
	struct flamegraph g = { .p = &d->both, .two = true };

	put_kind(out, &after->facts);
	put_facts(out, &after->facts, after->count, after->value, after->lost);
	buffer_text(out, ",\n\"before\": {");
	put_facts(out, &before->facts, before->count, before->value, before->lost);
	buffer_printf(out, "},\n\"mode\": \"%s\"", d->relative ? "relative" : "absolute");
	return encode(&g, &d->tree, options, sides, out);
}
