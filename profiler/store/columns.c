// SPDX-License-Identifier: Apache-2.0
/*
 * The dictionary; samples are columns_samples.c's. Each field of each kind of item is a column of
 * its own: neighbours in a column are alike, so that deltas are small and zstd finds what repeats.
 * A node's parent is mostly the node before it, and its column mostly zeros.
 *
 * Refused: numbers that are true beyond a file. Each has its own, so that any of them can go
 * without another's becoming wrong.
 */
#include "profiler/store/columns.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/store/varint.h"

#define MAX_LABELS 64 /* as in model/profile.c */
#define MAX_LINES 1000
#define MAX_COUNTERS 4096 /* names that a file may have */
#define MAX_TEXT_BYTES (1u << 20)

/* ---- dictionary, to bytes ---- */

static void write_texts(const struct profile *p, uint32_t from, struct buffer *out)
{
	for (uint32_t i = from; i < p->strings.count; i++)
		varint_put(out, p->strings.items[i].len);
	for (uint32_t i = from; i < p->strings.count; i++)
		buffer_append(out, p->strings.items[i].text, p->strings.items[i].len);
}

static void write_mappings(const struct profile *p, uint32_t from, struct buffer *out)
{
	const struct profile_mapping *m = p->mappings.items;
	uint32_t n = p->mappings.count;

	for (uint32_t i = from; i < n; i++)
		varint_put(out, m[i].start);
	for (uint32_t i = from; i < n; i++)
		varint_put(out, m[i].limit);
	for (uint32_t i = from; i < n; i++)
		varint_put(out, m[i].offset);
	for (uint32_t i = from; i < n; i++)
		varint_put(out, m[i].name);
	for (uint32_t i = from; i < n; i++)
		varint_put(out, m[i].build_id);
	for (uint32_t i = from; i < n; i++)
		varint_put(out, m[i].kind);
}

static void write_functions(const struct profile *p, uint32_t from, struct buffer *out)
{
	const struct profile_function *f = p->functions.items;
	uint32_t n = p->functions.count, last = 0;

	for (uint32_t i = from; i < n; i++) {
		varint_put_signed(out, (int64_t)f[i].name - last);
		last = f[i].name;
	}
	for (uint32_t i = from; i < n; i++)
		varint_put_signed(out, (int64_t)f[i].system_name - f[i].name);
	last = 0;
	for (uint32_t i = from; i < n; i++) {
		varint_put_signed(out, (int64_t)f[i].file - last);
		last = f[i].file;
	}
	for (uint32_t i = from; i < n; i++)
		varint_put(out, f[i].start_line);
}

/* What `next` gives, from *at on: the next location, or NULL behind the last one. */
typedef const struct profile_location *next_location(const struct profile *p, uint32_t *at,
						     uint32_t known);

static const struct profile_location *next_new(const struct profile *p, uint32_t *at,
					       uint32_t known)
{
	(void)known;
	return *at < p->locations.count ? &p->locations.items[(*at)++] : NULL;
}

/* One that is among those `known`, when it was amended the last time. */
static const struct profile_location *next_amended(const struct profile *p, uint32_t *at,
						   uint32_t known)
{
	while (*at < p->amended.count) {
		uint32_t location = p->amended.items[(*at)++].location;
		const struct profile_location *l = &p->locations.items[location];

		if (location < known && l->amended == *at)
			return l;
	}
	return NULL;
}

/*
 * How many lines each has, and whether it has a name; then of all lines the functions, and the
 * numbers.
 */
static void write_lines(const struct profile *p, next_location *next, uint32_t from, uint32_t known,
			struct buffer *out)
{
	const struct profile_location *l;
	uint32_t last = 0, at = from;

	while ((l = next(p, &at, known)))
		varint_put(out, (uint64_t)(l->line_count - 1) << 1 | l->named);
	at = from;
	while ((l = next(p, &at, known)))
		for (uint32_t i = l->first_line; i < l->first_line + l->line_count; i++) {
			varint_put_signed(out, (int64_t)p->lines.items[i].function - last);
			last = p->lines.items[i].function;
		}
	at = from;
	while ((l = next(p, &at, known)))
		for (uint32_t i = l->first_line; i < l->first_line + l->line_count; i++)
			varint_put(out, p->lines.items[i].line);
}

static void write_locations(const struct profile *p, uint32_t from, struct buffer *out)
{
	const struct profile_location *l = p->locations.items;
	uint32_t n = p->locations.count;
	uint64_t last = 0;

	for (uint32_t i = from; i < n; i++) {
		varint_put_signed(out, (int64_t)(l[i].address - last));
		last = l[i].address;
	}
	/* PROFILE_NONE is 0 then. */
	for (uint32_t i = from; i < n; i++)
		varint_put(out, (uint32_t)(l[i].mapping + 1));
	write_lines(p, next_new, from, 0, out);
}

/* Of those that the file has: what is new comes as it is now. */
static void write_amendments(const struct profile *p, const struct columns_marks *from,
			     struct buffer *out)
{
	const struct profile_location *l;
	uint32_t at = from->amended, count = 0, last = 0;

	while (next_amended(p, &at, from->locations))
		count++;
	varint_put(out, count);
	at = from->amended;
	while ((l = next_amended(p, &at, from->locations))) {
		uint32_t id = (uint32_t)(l - p->locations.items);

		varint_put_signed(out, (int64_t)id - last);
		last = id;
	}
	write_lines(p, next_amended, from->amended, from->locations, out);
}

static void write_nodes(const struct profile *p, uint32_t from, struct buffer *out)
{
	const struct profile_node *node = p->nodes.items;
	uint32_t n = p->nodes.count, last = 0;

	for (uint32_t i = from; i < n; i++)
		varint_put(out, i - 1 - node[i].parent);
	for (uint32_t i = from; i < n; i++) {
		varint_put_signed(out, (int64_t)node[i].location - last);
		last = node[i].location;
	}
	for (uint32_t i = from; i < n; i++)
		varint_put(out, node[i].flags);
}

static void write_series(const struct profile *p, uint32_t from, struct buffer *out)
{
	const struct profile_label *l = p->labels.items;
	uint32_t first;

	for (uint32_t i = from; i < p->series.count; i++)
		varint_put(out, p->series.items[i].label_count);
	if (from == p->series.count)
		return;
	first = p->series.items[from].first_label;
	for (uint32_t i = first; i < p->labels.count; i++)
		varint_put(out, l[i].key);
	for (uint32_t i = first; i < p->labels.count; i++)
		varint_put(out, (uint32_t)(l[i].text + 1));
	for (uint32_t i = first; i < p->labels.count; i++)
		if (l[i].text == PROFILE_NONE)
			varint_put_signed(out, l[i].number);
}

static void write_counter_names(struct buffer *out)
{
	for (size_t i = 0; i < COUNTER_COUNT; i++) {
		const char *name = counter_name((enum counter)i);

		varint_put(out, strlen(name));
		buffer_text(out, name);
	}
}

/* What every file begins with, and every profile has: the empty string, the empty stack. */
static struct columns_marks marks_begin(const struct columns_marks *marks)
{
	struct columns_marks m = *marks;

	m.strings += !m.strings;
	m.nodes += !m.nodes;
	return m;
}

struct columns_marks columns_marks_of(const struct profile *p)
{
	return (struct columns_marks){
		.strings = p->strings.count,
		.mappings = p->mappings.count,
		.functions = p->functions.count,
		.locations = p->locations.count,
		.nodes = p->nodes.count,
		.series = p->series.count,
		.names = COUNTER_COUNT,
		.amended = p->amended.count,
	};
}

void columns_write_dictionary(const struct profile *p, const struct columns_marks *marks,
			      struct buffer *out)
{
	const struct columns_marks from = marks_begin(marks), to = columns_marks_of(p);
	const uint32_t starts[] = { from.names,     from.strings, from.mappings, from.functions,
				    from.locations, from.nodes,   from.series };
	const uint32_t ends[] = { to.names,     to.strings, to.mappings, to.functions,
				  to.locations, to.nodes,   to.series };

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		assert(starts[i] <= ends[i]);
		varint_put(out, starts[i]);
		varint_put(out, ends[i] - starts[i]);
	}
	if (!from.names)
		write_counter_names(out);
	write_texts(p, from.strings, out);
	write_mappings(p, from.mappings, out);
	write_functions(p, from.functions, out);
	write_locations(p, from.locations, out);
	write_nodes(p, from.nodes, out);
	write_series(p, from.series, out);
	write_amendments(p, &from, out);
}

/* ---- and back ---- */

/* One location's lines. */
struct shape {
	uint32_t first_line, line_count, named;
};

/* Counters' names, strings, mappings, functions, locations, nodes, series. */
enum { KINDS = 7 };

struct columns_amendment {
	uint32_t location;
	struct shape shape;
};

int columns_dictionary_init(struct columns_dictionary *d, size_t max_bytes, uint32_t max_items)
{
	*d = (struct columns_dictionary){ 0 };
	return profile_init(&d->profile, max_bytes, max_items);
}

void columns_dictionary_release(struct columns_dictionary *d)
{
	profile_release(&d->profile);
	array_release(&d->counters);
	array_release(&d->amendments);
}

/* Room for `n` more items, and as many bytes at least must be left: each has one in each column. */
#define room(d, r, array, n)                                                              \
	((n) > (uint64_t)((r)->end - (r)->at)                                             \
		 ? -EBADMSG                                                               \
		 : array_reserve((void **)&(array)->items, &(array)->capacity,            \
				 (uint64_t)(array)->count + (n), sizeof(*(array)->items), \
				 (d)->profile.max_items))

static int read_counter_names(struct columns_dictionary *d, struct varint_reader *r, uint32_t n)
{
	int e = array_reserve((void **)&d->counters.items, &d->counters.capacity,
			      (uint64_t)d->counters.count + n, sizeof(*d->counters.items),
			      MAX_COUNTERS);

	if (e < 0)
		return e;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t len = varint_get_most(r, MAX_TEXT_BYTES), known = 0;

		if (len > (size_t)(r->end - r->at))
			return -EBADMSG;
		for (; known < COUNTER_COUNT; known++) {
			const char *name = counter_name((enum counter)known);

			if (strlen(name) == len && !memcmp(name, r->at, len))
				break;
		}
		d->counters.items[d->counters.count++] = known;
		r->at += len;
	}
	return 0;
}

static int read_texts(struct columns_dictionary *d, struct varint_reader *r, uint32_t n)
{
	struct profile *p = &d->profile;
	uint32_t first = p->strings.count;
	int e = room(d, r, &p->strings, n);

	if (e < 0)
		return e;
	for (uint32_t i = 0; i < n; i++)
		p->strings.items[first + i].len = varint_get_most(r, MAX_TEXT_BYTES);
	for (uint32_t i = 0; i < n; i++) {
		struct profile_string *s = &p->strings.items[first + i];

		if (s->len > (size_t)(r->end - r->at) || memchr(r->at, '\0', s->len))
			return -EBADMSG;
		errno = 0;
		s->text = arena_copy(&p->arena, (const char *)r->at, s->len);
		if (!s->text)
			return errno ? -ENOMEM : -E2BIG;
		r->at += s->len;
		p->strings.count++;
	}
	return 0;
}

static int read_mappings(struct columns_dictionary *d, struct varint_reader *r, uint32_t n)
{
	struct profile *p = &d->profile;
	struct profile_mapping *m;
	int e = room(d, r, &p->mappings, n);

	if (e < 0 || !n)
		return e;
	m = p->mappings.items + p->mappings.count;
	memset(m, 0, n * sizeof(*m));
	for (uint32_t i = 0; i < n; i++)
		m[i].start = varint_get(r);
	for (uint32_t i = 0; i < n; i++)
		m[i].limit = varint_get(r);
	for (uint32_t i = 0; i < n; i++)
		m[i].offset = varint_get(r);
	for (uint32_t i = 0; i < n; i++)
		m[i].name = varint_get_below(r, p->strings.count);
	for (uint32_t i = 0; i < n; i++)
		m[i].build_id = varint_get_below(r, p->strings.count);
	for (uint32_t i = 0; i < n; i++)
		m[i].kind = varint_get_most(r, PROFILE_MAPPING_NONE);
	p->mappings.count += n;
	return 0;
}

static int read_functions(struct columns_dictionary *d, struct varint_reader *r, uint32_t n)
{
	struct profile *p = &d->profile;
	struct profile_function *f;
	uint32_t last = 0;
	int e = room(d, r, &p->functions, n);

	if (e < 0 || !n)
		return e;
	f = p->functions.items + p->functions.count;
	for (uint32_t i = 0; i < n; i++)
		f[i].name = varint_get_delta(r, &last, p->strings.count);
	for (uint32_t i = 0; i < n; i++) {
		last = f[i].name;
		f[i].system_name = varint_get_delta(r, &last, p->strings.count);
	}
	last = 0;
	for (uint32_t i = 0; i < n; i++)
		f[i].file = varint_get_delta(r, &last, p->strings.count);
	for (uint32_t i = 0; i < n; i++)
		f[i].start_line = varint_get_most(r, UINT32_MAX);
	p->functions.count += n;
	return 0;
}

/* Behind *lines others that are still to be read. -E2BIG: there is no room for so many. */
static int read_shape(const struct profile *p, struct varint_reader *r, uint64_t *lines,
		      struct shape *ret)
{
	uint32_t shape = varint_get_below(r, 2 * MAX_LINES);

	ret->named = shape & 1;
	ret->line_count = (shape >> 1) + 1;
	ret->first_line = p->lines.count + (uint32_t)*lines;
	*lines += ret->line_count;
	return *lines > p->max_items - p->lines.count ? -E2BIG : 0;
}

static int read_lines(struct columns_dictionary *d, struct varint_reader *r, uint64_t n)
{
	struct profile *p = &d->profile;
	struct profile_line *l;
	uint32_t last = 0;
	int e = room(d, r, &p->lines, n);

	if (e < 0 || !n)
		return e;
	l = p->lines.items + p->lines.count;
	for (uint64_t i = 0; i < n; i++)
		l[i].function = varint_get_delta(r, &last, p->functions.count);
	for (uint64_t i = 0; i < n; i++)
		l[i].line = varint_get_most(r, UINT32_MAX);
	p->lines.count += (uint32_t)n;
	return 0;
}

static int read_locations(struct columns_dictionary *d, struct varint_reader *r, uint32_t n)
{
	struct profile *p = &d->profile;
	struct profile_location *l;
	uint64_t address = 0, lines = 0;
	int e = room(d, r, &p->locations, n);

	if (e < 0 || !n)
		return e;
	l = p->locations.items + p->locations.count;
	for (uint32_t i = 0; i < n; i++) {
		address += (uint64_t)varint_get_signed(r);
		l[i] = (struct profile_location){ .address = address };
	}
	for (uint32_t i = 0; i < n; i++)
		l[i].mapping = varint_get_most(r, p->mappings.count) - 1;
	for (uint32_t i = 0; i < n; i++) {
		struct shape shape;

		e = read_shape(p, r, &lines, &shape);
		if (e < 0)
			return e;
		l[i].first_line = shape.first_line;
		l[i].line_count = shape.line_count;
		l[i].named = shape.named & 1;
	}
	p->locations.count += n;
	return read_lines(d, r, lines);
}

/* Into d->amendments, of locations that were there before this dictionary: `known`. */
static int read_amendments(struct columns_dictionary *d, struct varint_reader *r, uint32_t known)
{
	uint32_t n = varint_get_most(r, UINT32_MAX), location = 0;
	uint64_t lines = 0;
	int e = room(d, r, &d->amendments, n);

	d->amendments.count = 0;
	if (e < 0)
		return e;
	for (uint32_t i = 0; i < n; i++)
		d->amendments.items[i].location = varint_get_delta(r, &location, known);
	for (uint32_t i = 0; i < n; i++) {
		e = read_shape(&d->profile, r, &lines, &d->amendments.items[i].shape);
		if (e < 0)
			return e;
	}
	d->amendments.count = n;
	return read_lines(d, r, lines);
}

static void apply_amendments(struct columns_dictionary *d)
{
	for (uint32_t i = 0; i < d->amendments.count; i++) {
		const struct columns_amendment *a = &d->amendments.items[i];
		struct profile_location *l = &d->profile.locations.items[a->location];

		l->first_line = a->shape.first_line;
		l->line_count = a->shape.line_count;
		l->named = a->shape.named & 1;
	}
}

static int read_nodes(struct columns_dictionary *d, struct varint_reader *r, uint32_t n)
{
	struct profile *p = &d->profile;
	uint32_t first = p->nodes.count, last = 0;
	struct profile_node *node;
	int e = room(d, r, &p->nodes, n);

	if (e < 0)
		return e;
	node = p->nodes.items;
	/* A parent comes before its children: no stack is endless. */
	for (uint32_t i = first; i < first + n; i++)
		node[i].parent = i - 1 - varint_get_below(r, i);
	for (uint32_t i = first; i < first + n; i++)
		node[i].location = varint_get_delta(r, &last, p->locations.count);
	for (uint32_t i = first; i < first + n; i++)
		node[i].flags = varint_get_most(r, UINT32_MAX);
	p->nodes.count += n;
	return 0;
}

static int read_labels(struct columns_dictionary *d, struct varint_reader *r, uint64_t n)
{
	struct profile *p = &d->profile;
	struct profile_label *l;
	int e = room(d, r, &p->labels, n);

	if (e < 0 || !n)
		return e;
	l = p->labels.items + p->labels.count;
	for (uint64_t i = 0; i < n; i++)
		l[i].key = varint_get_below(r, p->strings.count);
	for (uint64_t i = 0; i < n; i++)
		l[i].text = varint_get_most(r, p->strings.count) - 1;
	for (uint64_t i = 0; i < n; i++)
		l[i].number = l[i].text == PROFILE_NONE ? varint_get_signed(r) : 0;
	p->labels.count += (uint32_t)n;
	return 0;
}

/* Each key once: nobody who asks for a label is to find another one behind it. */
static bool keys_differ(const struct profile *p, const struct profile_series *s)
{
	const struct profile_label *l;

	if (!s->label_count)
		return true;
	l = &p->labels.items[s->first_label];
	for (uint32_t i = 0; i < s->label_count; i++)
		for (uint32_t j = 0; j < i; j++)
			if (l[i].key == l[j].key ||
			    !strcmp(profile_text(p, l[i].key), profile_text(p, l[j].key)))
				return false;
	return true;
}

static int read_series(struct columns_dictionary *d, struct varint_reader *r, uint32_t n)
{
	struct profile *p = &d->profile;
	uint32_t first = p->series.count;
	struct profile_series *s;
	uint64_t labels = 0;
	int e = room(d, r, &p->series, n);

	if (e < 0 || !n)
		return e;
	s = p->series.items + first;
	for (uint32_t i = 0; i < n; i++) {
		s[i].label_count = varint_get_most(r, MAX_LABELS);
		s[i].first_label = p->labels.count + (uint32_t)labels;
		labels += s[i].label_count;
		if (labels > p->max_items - p->labels.count)
			return -E2BIG;
	}
	e = read_labels(d, r, labels);
	if (e < 0 || r->bad)
		return e;
	p->series.count += n;
	for (uint32_t i = 0; i < n; i++)
		if (!keys_differ(p, &s[i]))
			return -EBADMSG;
	return 0;
}

/* From which numbers on, and how many of each. */
static int read_counts(const struct columns_dictionary *d, struct varint_reader *r,
		       uint32_t ret[KINDS])
{
	const struct profile *p = &d->profile;
	const uint32_t have[KINDS] = { d->counters.count,  p->strings.count,   p->mappings.count,
				       p->functions.count, p->locations.count, p->nodes.count,
				       p->series.count };

	for (size_t i = 0; i < KINDS; i++) {
		/* What it goes on from is what we have, or something is missing between. */
		if (varint_get(r) != have[i])
			return -EBADMSG;
		ret[i] = varint_get_most(r, UINT32_MAX);
	}
	return 0;
}

static int read_items(struct columns_dictionary *d, struct varint_reader *r)
{
	static int (*const readers[KINDS])(struct columns_dictionary *, struct varint_reader *,
					   uint32_t) = {
		read_counter_names, read_texts, read_mappings, read_functions,
		read_locations,     read_nodes, read_series,
	};
	uint32_t known = d->profile.locations.count, counts[KINDS];
	int e = read_counts(d, r, counts);

	for (size_t i = 0; i < KINDS && e == 0; i++)
		e = r->bad ? -EBADMSG : readers[i](d, r, counts[i]);
	if (e == 0)
		e = read_amendments(d, r, known);
	if (e < 0)
		return e;
	return r->bad || r->at != r->end ? -EBADMSG : 0;
}

int columns_read_dictionary(struct columns_dictionary *d, const void *bytes, size_t len)
{
	struct varint_reader r = { bytes, (const unsigned char *)bytes + len, false };
	struct profile *p = &d->profile;
	const struct columns_marks before = columns_marks_of(p);
	uint32_t names = d->counters.count, lines = p->lines.count, labels = p->labels.count;
	int e = read_items(d, &r);

	if (e == 0) {
		apply_amendments(d);
		return 0;
	}
	d->counters.count = names;
	p->strings.count = before.strings;
	p->mappings.count = before.mappings;
	p->functions.count = before.functions;
	p->lines.count = lines;
	p->locations.count = before.locations;
	p->nodes.count = before.nodes;
	p->labels.count = labels;
	p->series.count = before.series;
	return e;
}
