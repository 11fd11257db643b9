// SPDX-License-Identifier: Apache-2.0
/*
 * Each location is judged once, each node then in one pass, parents first: what a stack has is what its parent's
 * has, and one location more. What is left of a stack is made from the outside in, when a sample wants it.
 *
 * Refused: judging stack by stack, as pprof does. The tree has each common caller once.
 */
#include "profiler/query/frames.h"

#include <errno.h>
#include <stdlib.h>

#define BIT(pattern) (1u << (pattern))
/* All of them but show-from, which has a rule of its own. */
#define BY_NAME (BIT(FRAMES_SHOW_FROM) - 1)
#define HIDDEN BIT(FRAMES_HIDE) /* among a view's and a node's flags: nothing of it is left */

/* A location as it is to be seen. */
struct view {
	uint32_t flags; /* BIT(): focus, ignore, show-from; HIDDEN */
	uint32_t first, count; /* of the lines that are left */
};

struct frames {
	const struct frames_options *options;
	const struct profile *p;
	struct merge *m;
	uint32_t given; /* BIT() of the patterns that there are */
	uint8_t *function_bits, *mapping_bits; /* which patterns match */
	struct view *views;
	ARRAY(struct profile_line) lines;
	uint8_t *flags; /* of nodes */
	uint32_t *nodes; /* in the other profile, + 1 */
	uint32_t *inner; /* the location that is the innermost seen one at a node, + 1 */
	ARRAY(uint32_t) path;
};

/* ---- names ---- */

static int match(const struct frames *f, uint32_t string, uint8_t *bits)
{
	const struct profile_string *s = &f->p->strings.items[string];

	for (int k = 0; k < FRAMES_PATTERN_COUNT; k++) {
		int r;

		if (!f->options->patterns[k] || *bits & BIT(k))
			continue;
		r = pattern_match(f->options->patterns[k], s->text, s->len);
		if (r < 0)
			return r;
		if (r)
			*bits |= (uint8_t)BIT(k);
	}
	return 0;
}

static int match_names(struct frames *f)
{
	int r = 0;

	for (uint32_t i = 0; i < f->p->functions.count && r == 0; i++) {
		r = match(f, f->p->functions.items[i].name, &f->function_bits[i]);
		if (r == 0)
			r = match(f, f->p->functions.items[i].file, &f->function_bits[i]);
	}
	for (uint32_t i = 0; i < f->p->mappings.count && r == 0; i++)
		r = match(f, f->p->mappings.items[i].name, &f->mapping_bits[i]);
	return r;
}

/* ---- locations ---- */

static bool line_is_left(const struct frames *f, uint32_t function, uint8_t mapping_bits)
{
	uint8_t bits = f->function_bits[function] | mapping_bits;

	if (f->given & BIT(FRAMES_HIDE) && bits & BIT(FRAMES_HIDE))
		return false;
	return !(f->given & BIT(FRAMES_SHOW)) || bits & BIT(FRAMES_SHOW);
}

static int add_lines(struct frames *f, const struct profile_location *l, uint8_t mapping_bits,
		     struct view *v)
{
	for (uint32_t i = l->first_line; i < l->first_line + l->line_count; i++) {
		uint32_t function = f->p->lines.items[i].function;
		struct profile_line *added;

		if (!line_is_left(f, function, mapping_bits))
			continue;
		/* Inlined into itself. */
		if (f->options->collapse_recursion && v->count &&
		    f->lines.items[f->lines.count - 1].function == function)
			continue;
		added = array_push(&f->lines, UINT32_MAX);
		if (!added)
			return -ENOMEM;
		*added = f->p->lines.items[i];
		v->count++;
	}
	return 0;
}

/* Of the lines that are left, those from the outermost match on. */
static void show_from(struct frames *f, uint8_t mapping_bits, struct view *v)
{
	uint32_t count = v->count;

	if (mapping_bits & BIT(FRAMES_SHOW_FROM)) {
		v->flags |= BIT(FRAMES_SHOW_FROM);
		return;
	}
	while (count && !(f->function_bits[f->lines.items[v->first + count - 1].function] &
			  BIT(FRAMES_SHOW_FROM)))
		count--;
	if (!count)
		return;
	v->flags |= BIT(FRAMES_SHOW_FROM);
	v->count = count;
}

static int look_at(struct frames *f, uint32_t location)
{
	const struct profile_location *l = &f->p->locations.items[location];
	uint8_t mapping_bits = l->mapping == PROFILE_NONE ? 0 : f->mapping_bits[l->mapping];
	struct view *v = &f->views[location];
	uint8_t bits = mapping_bits;
	int r;

	for (uint32_t i = l->first_line; i < l->first_line + l->line_count; i++)
		bits |= f->function_bits[f->p->lines.items[i].function];
	if (bits & BIT(FRAMES_IGNORE))
		v->flags |= BIT(FRAMES_IGNORE);
	else if (!(f->given & BIT(FRAMES_FOCUS)) || bits & BIT(FRAMES_FOCUS))
		v->flags |= BIT(FRAMES_FOCUS);
	v->first = f->lines.count;
	r = add_lines(f, l, mapping_bits, v);
	if (r < 0)
		return r;
	if (!v->count)
		v->flags |= HIDDEN;
	else if (f->given & BIT(FRAMES_SHOW_FROM))
		show_from(f, mapping_bits, v);
	return 0;
}

/* ---- nodes ---- */

/* HIDDEN on a node: nothing of its stack is left. */
static void look_at_node(struct frames *f, uint32_t node)
{
	const struct profile_node *n = &f->p->nodes.items[node];
	const struct view *v = &f->views[n->location];
	uint8_t above = f->flags[n->parent];

	f->flags[node] = (uint8_t)(above | (v->flags & (BIT(FRAMES_FOCUS) | BIT(FRAMES_IGNORE) |
							BIT(FRAMES_SHOW_FROM))));
	if (!(v->flags & HIDDEN))
		f->flags[node] &= (uint8_t)~HIDDEN;
}

static int prepare(struct frames *f)
{
	int r;

	f->function_bits = calloc((size_t)f->p->functions.count + 1, 1);
	f->mapping_bits = calloc((size_t)f->p->mappings.count + 1, 1);
	f->views = calloc((size_t)f->p->locations.count + 1, sizeof(*f->views));
	f->flags = calloc(f->p->nodes.count, 1);
	f->nodes = calloc(f->p->nodes.count, sizeof(*f->nodes));
	f->inner = calloc(f->p->nodes.count, sizeof(*f->inner));
	if (!f->function_bits || !f->mapping_bits || !f->views || !f->flags || !f->nodes ||
	    !f->inner)
		return -ENOMEM;
	r = match_names(f);
	for (uint32_t i = 0; i < f->p->locations.count && r == 0; i++)
		r = look_at(f, i);
	f->nodes[0] = 1;
	f->flags[0] = HIDDEN;
	for (uint32_t i = 1; i < f->p->nodes.count && r == 0; i++)
		look_at_node(f, i);
	return r;
}

int frames_new(struct frames **ret, const struct frames_options *options, const struct profile *p,
	       struct merge *m, struct err *err)
{
	struct frames *f = calloc(1, sizeof(*f));
	int r = f ? 0 : -ENOMEM;

	if (r == 0) {
		*f = (struct frames){ .options = options, .p = p, .m = m };
		for (int k = 0; k < FRAMES_PATTERN_COUNT; k++)
			f->given |= options->patterns[k] ? BIT(k) : 0;
		r = prepare(f);
	}
	if (r == 0)
		*ret = f;
	else
		frames_free(f);
	if (r == -ELOOP)
		return err_set(err, r, "a regular expression takes too long: make it simpler");
	if (r < 0)
		err_errno(err, r, "cannot look at the frames");
	return r;
}

void frames_free(struct frames *f)
{
	if (!f)
		return;
	free(f->function_bits);
	free(f->mapping_bits);
	free(f->views);
	free(f->flags);
	free(f->nodes);
	free(f->inner);
	array_release(&f->lines);
	array_release(&f->path);
	free(f);
}

bool frames_keep(const struct frames *f, uint32_t node)
{
	uint8_t flags = f->flags[node];

	if (f->given & BY_NAME) {
		if (!(flags & BIT(FRAMES_FOCUS)) || flags & BIT(FRAMES_IGNORE))
			return false;
		if (flags & HIDDEN)
			return false;
	}
	return !(f->given & BIT(FRAMES_SHOW_FROM)) || flags & BIT(FRAMES_SHOW_FROM);
}

/* Do the outermost line of one and the innermost line of the other name one function? */
static bool calls_itself(const struct frames *f, uint32_t caller, uint32_t callee)
{
	const struct view *x = &f->views[caller], *y = &f->views[callee];
	const struct profile_line *lines = f->lines.items;

	return f->p->locations.items[caller].mapping == f->p->locations.items[callee].mapping &&
	       f->p->functions.items[lines[x->first].function].name ==
		       f->p->functions.items[lines[y->first + y->count - 1].function].name;
}

/* The node below that of its parent, which is known. */
static int make_node(struct frames *f, uint32_t node)
{
	const struct profile_node *n = &f->p->nodes.items[node];
	const struct view *v = &f->views[n->location];
	bool shown = !(f->given & BIT(FRAMES_SHOW_FROM)) || f->flags[node] & BIT(FRAMES_SHOW_FROM);
	uint32_t count = v->count, parent = f->nodes[n->parent] - 1;
	int r;

	f->inner[node] = f->inner[n->parent];
	if (!shown)
		return 0;
	if (v->count && f->options->collapse_recursion && f->inner[node] &&
	    calls_itself(f, f->inner[node] - 1, n->location))
		count--;
	if (!count)
		return (int)parent;
	r = merge_lines(f->m, &f->p->locations.items[n->location], &f->lines.items[v->first],
			count);
	if (r < 0)
		return r;
	f->inner[node] = n->location + 1;
	return profile_node(f->m->to, parent, (uint32_t)r, n->flags);
}

int frames_node(struct frames *f, uint32_t node)
{
	uint32_t leaf = node;

	f->path.count = 0;
	for (; !f->nodes[node]; node = f->p->nodes.items[node].parent) {
		uint32_t *pushed = array_push(&f->path, f->p->nodes.count);

		if (!pushed)
			return -ENOMEM;
		*pushed = node;
	}
	for (uint32_t i = f->path.count; i-- > 0;) {
		int r = make_node(f, f->path.items[i]);

		if (r < 0)
			return r;
		f->nodes[f->path.items[i]] = (uint32_t)r + 1;
	}
	return (int)f->nodes[leaf] - 1;
}
