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
#include <string.h>

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
	struct profile *into;
	struct profile_merge *m;
	uint32_t given; /* BIT() of the patterns that there are */
	ARRAY(uint8_t) function_bits; /* which patterns match */
	ARRAY(uint8_t) mapping_bits;
	ARRAY(struct view) views; /* by location */
	ARRAY(struct profile_line) lines;
	ARRAY(uint8_t) flags; /* of nodes */
	ARRAY(uint32_t) nodes; /* in the other profile, + 1 */
	ARRAY(uint32_t) inner; /* the location that is the innermost seen one at a node, + 1 */
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

static int match_functions(struct frames *f, uint32_t first)
{
	int r = 0;

	for (uint32_t i = first; i < f->p->functions.count && r == 0; i++) {
		uint8_t *bits = &f->function_bits.items[i];

		r = match(f, f->p->functions.items[i].name, bits);
		if (r == 0)
			r = match(f, f->p->functions.items[i].file, bits);
	}
	return r;
}

static int match_mappings(struct frames *f, uint32_t first)
{
	int r = 0;

	for (uint32_t i = first; i < f->p->mappings.count && r == 0; i++)
		r = match(f, f->p->mappings.items[i].name, &f->mapping_bits.items[i]);
	return r;
}

/* ---- locations ---- */

static bool line_is_left(const struct frames *f, uint32_t function, uint8_t mapping_bits)
{
	uint8_t bits = f->function_bits.items[function] | mapping_bits;

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
	while (count && !(f->function_bits.items[f->lines.items[v->first + count - 1].function] &
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
	uint8_t mapping_bits = l->mapping == PROFILE_NONE ? 0 : f->mapping_bits.items[l->mapping];
	struct view *v = &f->views.items[location];
	uint8_t bits = mapping_bits;
	int r;

	for (uint32_t i = l->first_line; i < l->first_line + l->line_count; i++)
		bits |= f->function_bits.items[f->p->lines.items[i].function];
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
	const struct view *v = &f->views.items[n->location];
	uint8_t above = f->flags.items[n->parent];

	f->flags.items[node] =
		(uint8_t)(above | (v->flags & (BIT(FRAMES_FOCUS) | BIT(FRAMES_IGNORE) |
					       BIT(FRAMES_SHOW_FROM))));
	if (!(v->flags & HIDDEN))
		f->flags.items[node] &= (uint8_t)~HIDDEN;
}

/* As many items as the profile has now; new ones are zero. */
static int grow_array(void **items, uint32_t *capacity, uint32_t *count, uint32_t to, size_t size)
{
	int r = array_reserve(items, capacity, to, size, UINT32_MAX);

	if (r < 0 || to == *count)
		return r;
	memset((char *)*items + *count * size, 0, (to - *count) * size);
	*count = to;
	return 0;
}

#define grow(a, to) \
	grow_array((void **)&(a)->items, &(a)->capacity, &(a)->count, (to), sizeof(*(a)->items))

static int look_at_nodes(struct frames *f)
{
	uint32_t first = f->flags.count, count = f->p->nodes.count;
	int r = grow(&f->flags, count);

	if (r == 0)
		r = grow(&f->nodes, count);
	if (r == 0)
		r = grow(&f->inner, count);
	if (r < 0)
		return r;
	f->nodes.items[0] = 1;
	f->flags.items[0] = HIDDEN;
	for (uint32_t i = first ? first : 1; i < count; i++)
		look_at_node(f, i);
	return 0;
}

/* What is new in the profile since the last time. */
static int look(struct frames *f)
{
	uint32_t functions = f->function_bits.count, mappings = f->mapping_bits.count;
	uint32_t locations = f->views.count;
	int r = grow(&f->function_bits, f->p->functions.count);

	if (r == 0)
		r = grow(&f->mapping_bits, f->p->mappings.count);
	if (r == 0)
		r = grow(&f->views, f->p->locations.count);
	if (r == 0)
		r = match_functions(f, functions);
	if (r == 0)
		r = match_mappings(f, mappings);
	for (uint32_t i = locations; i < f->p->locations.count && r == 0; i++)
		r = look_at(f, i);
	return r < 0 ? r : look_at_nodes(f);
}

int frames_update(struct frames *f, struct err *err)
{
	int r = look(f);

	if (r == -ELOOP)
		return err_set(err, r, "a regular expression takes too long: make it simpler");
	return r < 0 ? err_errno(err, r, "cannot look at the frames") : 0;
}

int frames_new(struct frames **ret, const struct frames_options *options, const struct profile *p,
	       struct profile *into, struct profile_merge *m, struct err *err)
{
	struct frames *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return err_errno(err, -ENOMEM, "cannot look at the frames");
	*f = (struct frames){ .options = options, .p = p, .into = into, .m = m };
	for (int k = 0; k < FRAMES_PATTERN_COUNT; k++)
		f->given |= options->patterns[k] ? BIT(k) : 0;
	r = frames_update(f, err);
	if (r == 0)
		*ret = f;
	else
		frames_free(f);
	return r;
}

void frames_free(struct frames *f)
{
	if (!f)
		return;
	array_release(&f->function_bits);
	array_release(&f->mapping_bits);
	array_release(&f->views);
	array_release(&f->flags);
	array_release(&f->nodes);
	array_release(&f->inner);
	array_release(&f->lines);
	array_release(&f->path);
	free(f);
}

bool frames_keep(const struct frames *f, uint32_t node)
{
	uint8_t flags = f->flags.items[node];

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
	const struct view *x = &f->views.items[caller], *y = &f->views.items[callee];
	const struct profile_line *lines = f->lines.items;

	return f->p->locations.items[caller].mapping == f->p->locations.items[callee].mapping &&
	       f->p->functions.items[lines[x->first].function].name ==
		       f->p->functions.items[lines[y->first + y->count - 1].function].name;
}

/* The node below that of its parent, which is known. */
static int make_node(struct frames *f, uint32_t node)
{
	const struct profile_node *n = &f->p->nodes.items[node];
	const struct view *v = &f->views.items[n->location];
	bool shown = !(f->given & BIT(FRAMES_SHOW_FROM)) ||
		     f->flags.items[node] & BIT(FRAMES_SHOW_FROM);
	uint32_t count = v->count, parent = f->nodes.items[n->parent] - 1;
	int r;

	f->inner.items[node] = f->inner.items[n->parent];
	if (!shown)
		return 0;
	if (v->count && f->options->collapse_recursion && f->inner.items[node] &&
	    calls_itself(f, f->inner.items[node] - 1, n->location))
		count--;
	if (!count)
		return (int)parent;
	r = profile_merge_lines(f->m, n->location, &f->lines.items[v->first], count);
	if (r < 0)
		return r;
	f->inner.items[node] = n->location + 1;
	return profile_node(f->into, parent, (uint32_t)r, n->flags);
}

int frames_node(struct frames *f, uint32_t node)
{
	uint32_t leaf = node;

	f->path.count = 0;
	for (; !f->nodes.items[node]; node = f->p->nodes.items[node].parent) {
		uint32_t *pushed = array_push(&f->path, f->p->nodes.count);

		if (!pushed)
			return -ENOMEM;
		*pushed = node;
	}
	for (uint32_t i = f->path.count; i-- > 0;) {
		int r = make_node(f, f->path.items[i]);

		if (r < 0)
			return r;
		f->nodes.items[f->path.items[i]] = (uint32_t)r + 1;
	}
	return (int)f->nodes.items[leaf] - 1;
}
