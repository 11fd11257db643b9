// SPDX-License-Identifier: Apache-2.0
/*
 * protobuf-c builds its tree in an arena of bounded size; then strings, mappings, functions and locations are
 * taken over in the order of their ids, and samples in that of the file. Each reference is looked up before it is
 * followed, and what it becomes is kept beside its id. Only texts that something refers to are taken: comments
 * and names of types lie in the same table.
 *
 * Refused: taking what is wrong for something else. A file with an id that isn't there is damaged, and nobody
 * knows what else of it is.
 */
#include "profiler/decode/pprof_read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/decode/gunzip.h"
#include "profiler/decode/id_table.h"
#include "profiler/decode/limits.h"
#include "profiler/decode/origin.h"
#include "profiler/decode/remarks.h"
#include "profiler/encode/pprof.pb-c.h"

#define MAX_LABELS 64 /* profile_series() */
#define MAX_LINES 1000 /* profile_location() */
#define NO_COLUMN SIZE_MAX

struct reader {
	const Pprof__Profile *in;
	struct profile *p;
	struct err *err;
	uint32_t *strings; /* of the profile, by number in the file; first: is it referred to? */
	struct id_table mappings, functions, locations;
	size_t value_column, count_column; /* of a sample's values */
	uint64_t lost_location, lost_function; /* ids of our "[lost samples]"; 0: none */
	struct profile_line lines[MAX_LINES];
};

/* ---- texts ---- */

static const char *text_of(const struct reader *d, int64_t text)
{
	return text >= 0 && (uint64_t)text < d->in->n_string_table ? d->in->string_table[text] : "";
}

static int refer(struct reader *d, int64_t text, const char *what)
{
	if (text < 0 || (uint64_t)text >= d->in->n_string_table)
		return err_set(d->err, -EINVAL, "%s is text %" PRId64 ", of %zu in the file", what,
			       text, d->in->n_string_table);
	d->strings[text] = 1;
	return 0;
}

static int refer_functions(struct reader *d)
{
	int r = 0;

	for (size_t i = 0; i < d->in->n_function && r == 0; i++) {
		const Pprof__Function *f = d->in->function[i];

		if (f->id == d->lost_function)
			continue;
		r = refer(d, f->name, "a function's name");
		if (r == 0)
			r = refer(d, f->system_name, "a function's system name");
		if (r == 0)
			r = refer(d, f->filename, "a function's file");
	}
	return r;
}

static int refer_mappings(struct reader *d)
{
	int r = 0;

	for (size_t i = 0; i < d->in->n_mapping && r == 0; i++) {
		r = refer(d, d->in->mapping[i]->filename, "a mapping's file");
		if (r == 0)
			r = refer(d, d->in->mapping[i]->build_id, "a mapping's build id");
	}
	return r;
}

static int refer_labels(struct reader *d)
{
	int r = 0;

	for (size_t i = 0; i < d->in->n_sample; i++) {
		const Pprof__Sample *s = d->in->sample[i];

		for (size_t j = 0; j < s->n_label && r == 0; j++) {
			r = refer(d, s->label[j]->key, "a label's key");
			if (r == 0)
				r = refer(d, s->label[j]->str, "a label");
		}
	}
	return r;
}

/* In the order of the file, so that what was written by us is as it was. */
static int take_strings(struct reader *d)
{
	int r = refer_functions(d);

	if (r == 0)
		r = refer_mappings(d);
	if (r == 0)
		r = refer_labels(d);
	for (size_t i = 0; i < d->in->n_string_table && r >= 0; i++) {
		if (!d->strings[i])
			continue;
		r = profile_string(d->p, d->in->string_table[i], strlen(d->in->string_table[i]));
		if (r >= 0)
			d->strings[i] = (uint32_t)r;
	}
	return r < 0 ? r : 0;
}

/* ---- types of values ---- */

static bool is_type(const struct reader *d, const Pprof__ValueType *t, const char *type,
		    const char *unit)
{
	return !strcmp(text_of(d, t->type), type) && !strcmp(text_of(d, t->unit), unit);
}

static int choose_columns(struct reader *d)
{
	const char *wanted = text_of(d, d->in->default_sample_type);

	if (!d->in->n_sample_type)
		return err_set(d->err, -EINVAL,
			       "it doesn't say what its values are: it is no pprof profile");
	d->value_column = d->in->n_sample_type - 1;
	d->count_column = NO_COLUMN;
	for (size_t i = d->in->n_sample_type; i-- > 0;) {
		if (*wanted && !strcmp(text_of(d, d->in->sample_type[i]->type), wanted))
			d->value_column = i;
		if (is_type(d, d->in->sample_type[i], "samples", "count"))
			d->count_column = i;
	}
	return 0;
}

/* A text of the file's that lives as long as the profile; not one of its strings, which are written. */
static int keep(struct reader *d, int64_t text, const char **ret)
{
	const char *s = text_of(d, text), *copy = arena_copy(&d->p->arena, s, strlen(s));

	if (!copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}

static uint64_t positive(int64_t v)
{
	return v > 0 ? (uint64_t)v : 0;
}

static int take_facts(struct reader *d)
{
	const Pprof__ValueType *t = d->in->sample_type[d->value_column];
	struct profile_facts f = {
		.time_ns = positive(d->in->time_nanos),
		.duration_ns = positive(d->in->duration_nanos),
		.period = positive(d->in->period),
		.event = "",
	};
	bool ours = false;
	int r = keep(d, t->type, &f.value_type);

	if (r == 0)
		r = keep(d, t->unit, &f.value_unit);
	if (r < 0)
		return r;
	d->p->facts = f;
	for (size_t i = 0; i < d->in->n_comment; i++) {
		const char *comment = text_of(d, d->in->comment[i]);

		if (i == 0)
			ours = remarks_begin(d->p, comment);
		else if (ours)
			remarks_take(d->p, comment);
	}
	if (!ours)
		d->p->facts.event = d->p->facts.value_type;
	return 0;
}

/* ---- our lost samples ---- */

/* Our encoder makes of them a function and a location of their own, behind all others but root frames. */
static void find_lost(struct reader *d)
{
	if (!d->in->n_comment || strncmp(text_of(d, d->in->comment[0]), "slowburn: ", 10) != 0)
		return;
	for (size_t i = d->in->n_function; i-- > 0 && !d->lost_function;)
		if (!strcmp(text_of(d, d->in->function[i]->name), "[lost samples]"))
			d->lost_function = d->in->function[i]->id;
	for (size_t i = d->in->n_location; i-- > 0 && d->lost_function && !d->lost_location;) {
		const Pprof__Location *l = d->in->location[i];

		if (!l->mapping_id && l->n_line == 1 && l->line[0]->function_id == d->lost_function)
			d->lost_location = l->id;
	}
	if (!d->lost_location)
		d->lost_function = 0;
}

/* ---- mappings, functions, locations ---- */

static int sort_ids(struct reader *d, struct id_table *t, const char *what)
{
	uint64_t id;
	int r = id_table_sort(t, &id);

	if (r < 0 && !id)
		return err_set(d->err, r, "a %s has no id", what);
	return r < 0 ? err_set(d->err, r, "%s %" PRIu64 " is there twice", what, id) : 0;
}

static int take_mappings(struct reader *d)
{
	int r = id_table_init(&d->mappings, d->in->n_mapping);

	for (uint32_t i = 0; i < d->mappings.count; i++)
		d->mappings.slots[i].id = d->in->mapping[i]->id;
	if (r == 0)
		r = sort_ids(d, &d->mappings, "mapping");
	for (uint32_t i = 0; i < d->mappings.count && r >= 0; i++) {
		const Pprof__Mapping *in = d->in->mapping[d->mappings.slots[i].item];
		const struct profile_mapping m = {
			.start = in->memory_start,
			.limit = in->memory_limit,
			.offset = in->file_offset,
			.name = d->strings[in->filename],
			.build_id = d->strings[in->build_id],
			.kind = origin_of_mapping(text_of(d, in->filename)),
		};

		r = profile_mapping(d->p, &m);
		d->mappings.slots[i].number = (uint32_t)r;
	}
	return r < 0 ? r : 0;
}

static uint32_t line_number(int64_t line)
{
	return line > 0 && line < UINT32_MAX ? (uint32_t)line : 0;
}

static int take_functions(struct reader *d)
{
	int r = id_table_init(&d->functions, d->in->n_function);

	for (uint32_t i = 0; i < d->functions.count; i++)
		d->functions.slots[i].id = d->in->function[i]->id;
	if (r == 0)
		r = sort_ids(d, &d->functions, "function");
	for (uint32_t i = 0; i < d->functions.count && r >= 0; i++) {
		const Pprof__Function *in = d->in->function[d->functions.slots[i].item];
		const struct profile_function f = {
			.name = d->strings[in->name],
			.system_name = d->strings[in->system_name],
			.file = d->strings[in->filename],
			.start_line = line_number(in->start_line),
		};

		if (in->id == d->lost_function)
			continue;
		r = profile_function(d->p, &f);
		d->functions.slots[i].number = (uint32_t)r;
	}
	return r < 0 ? r : 0;
}

/* "[libc.so.6]" for code there that nobody named. */
static int stand_in(struct reader *d, uint32_t mapping, struct profile_line *ret)
{
	const char *path = mapping == PROFILE_NONE
				   ? ""
				   : profile_text(d->p, d->p->mappings.items[mapping].name);
	const char *slash = *path == '[' ? NULL : strrchr(path, '/');
	_cleanup_(buffer_release) struct buffer name = BUFFER_INIT(DECODE_MAX_TEXT_BYTES);
	struct profile_function f = { 0 };
	int r;

	if (*path == '[')
		buffer_text(&name, path);
	else
		buffer_printf(&name, "[%s]",
			      !*path              ? "unknown"
			      : slash && slash[1] ? slash + 1
						  : path);
	if (buffer_error(&name) < 0)
		return buffer_error(&name);
	r = profile_string(d->p, name.data, name.len);
	if (r < 0)
		return r;
	f.name = f.system_name = (uint32_t)r;
	r = profile_function(d->p, &f);
	if (r < 0)
		return r;
	*ret = (struct profile_line){ .function = (uint32_t)r };
	return 0;
}

static int take_lines(struct reader *d, const Pprof__Location *in)
{
	if (in->n_line > MAX_LINES)
		return err_set(d->err, -E2BIG,
			       "location %" PRIu64 " has %zu inlined functions: at most %d", in->id,
			       in->n_line, MAX_LINES);
	for (size_t i = 0; i < in->n_line; i++) {
		const struct id_slot *f = id_table_find(&d->functions, in->line[i]->function_id);

		if (!f)
			return err_set(d->err, -EINVAL,
				       "location %" PRIu64 " is in function %" PRIu64
				       ", which isn't there",
				       in->id, in->line[i]->function_id);
		if (f->id == d->lost_function)
			return err_set(d->err, -EINVAL,
				       "location %" PRIu64 " is of samples that were lost", in->id);
		d->lines[i] = (struct profile_line){ f->number, line_number(in->line[i]->line) };
	}
	return 0;
}

static int take_location(struct reader *d, struct id_slot *slot)
{
	const Pprof__Location *in = d->in->location[slot->item];
	const struct id_slot *m = in->mapping_id ? id_table_find(&d->mappings, in->mapping_id)
						 : NULL;
	uint32_t mapping = m ? m->number : PROFILE_NONE;
	const struct profile_string *name;
	int r;

	if (in->mapping_id && !m)
		return err_set(d->err, -EINVAL,
			       "location %" PRIu64 " is in mapping %" PRIu64 ", which isn't there",
			       in->id, in->mapping_id);
	r = in->n_line ? take_lines(d, in) : stand_in(d, mapping, &d->lines[0]);
	if (r < 0)
		return r;
	name = &d->p->strings.items[d->p->functions.items[d->lines[0].function].name];
	r = profile_location(d->p, mapping, in->address, !origin_is_stand_in(name->text, name->len),
			     d->lines, in->n_line ? (uint32_t)in->n_line : 1);
	slot->number = (uint32_t)r;
	return r < 0 ? r : 0;
}

static int take_locations(struct reader *d)
{
	int r = id_table_init(&d->locations, d->in->n_location);

	for (uint32_t i = 0; i < d->locations.count; i++)
		d->locations.slots[i].id = d->in->location[i]->id;
	if (r == 0)
		r = sort_ids(d, &d->locations, "location");
	for (uint32_t i = 0; i < d->locations.count && r == 0; i++)
		if (d->locations.slots[i].id != d->lost_location)
			r = take_location(d, &d->locations.slots[i]);
	return r;
}

/* ---- samples ---- */

static bool has_key(const struct profile_label *labels, uint32_t count, uint32_t key)
{
	for (uint32_t i = 0; i < count; i++)
		if (labels[i].key == key)
			return true;
	return false;
}

static int take_series(struct reader *d, const Pprof__Sample *s)
{
	struct profile_label labels[MAX_LABELS];
	uint32_t count = 0;

	for (size_t i = 0; i < s->n_label; i++) {
		const Pprof__Label *in = s->label[i];
		uint32_t key = d->strings[in->key];

		if (has_key(labels, count, key))
			continue;
		if (count == MAX_LABELS)
			return err_set(d->err, -E2BIG, "a sample has more than %d labels",
				       MAX_LABELS);
		labels[count++] = (struct profile_label){
			.key = key,
			.text = in->str ? d->strings[in->str] : PROFILE_NONE,
			.number = in->str ? 0 : in->num,
		};
	}
	return profile_series(d->p, labels, count);
}

static int take_stack(struct reader *d, const Pprof__Sample *s)
{
	int node = 0;

	for (size_t i = s->n_location_id; i-- > 0 && node >= 0;) {
		const struct id_slot *l = id_table_find(&d->locations, s->location_id[i]);

		if (!l || l->id == d->lost_location)
			return err_set(d->err, -EINVAL,
				       "a sample is at location %" PRIu64 ", which isn't there",
				       s->location_id[i]);
		node = profile_node(d->p, (uint32_t)node, l->number, 0);
	}
	return node;
}

/* How many samples a value is. */
static uint64_t count_of(const struct reader *d, const Pprof__Sample *s, uint64_t value)
{
	const Pprof__ValueType *t = d->in->sample_type[d->value_column], *p = d->in->period_type;

	if (d->count_column != NO_COLUMN)
		return (uint64_t)s->value[d->count_column];
	if (d->in->period > 0 && p && is_type(d, t, text_of(d, p->type), text_of(d, p->unit)) &&
	    value >= (uint64_t)d->in->period)
		return value / (uint64_t)d->in->period;
	return 1;
}

static int take_sample(struct reader *d, const Pprof__Sample *s)
{
	int series, node;
	uint64_t value;

	if (s->n_value != d->in->n_sample_type)
		return err_set(d->err, -EINVAL, "a sample has %zu values of %zu types", s->n_value,
			       d->in->n_sample_type);
	if (s->value[d->value_column] < 0 ||
	    (d->count_column != NO_COLUMN && s->value[d->count_column] < 0))
		return err_set(
			d->err, -EINVAL,
			"it has negative values: it is a difference of two profiles, and neither "
			"can be had from it");
	if (d->lost_location && s->n_location_id == 1 && s->location_id[0] == d->lost_location)
		return 0; /* the counters have them */
	value = (uint64_t)s->value[d->value_column];
	if (!value && (d->count_column == NO_COLUMN || !s->value[d->count_column]))
		return 0;
	series = take_series(d, s);
	if (series < 0)
		return series;
	node = take_stack(d, s);
	if (node < 0)
		return node;
	return profile_add(d->p, (uint32_t)series, (uint32_t)node, count_of(d, s, value), value);
}

/* ---- the whole ---- */

static int take_all(struct reader *d)
{
	int r;

	if (!d->in->n_string_table || *d->in->string_table[0])
		return err_set(d->err, -EINVAL,
			       "its texts don't begin with \"\": it is no pprof profile");
	d->strings = calloc(d->in->n_string_table, sizeof(*d->strings));
	if (!d->strings)
		return -ENOMEM;
	r = choose_columns(d);
	if (r < 0)
		return r;
	find_lost(d);
	r = take_strings(d);
	if (r == 0)
		r = take_mappings(d);
	if (r == 0)
		r = take_functions(d);
	if (r == 0)
		r = take_locations(d);
	for (size_t i = 0; i < d->in->n_sample && r >= 0; i++)
		r = take_sample(d, d->in->sample[i]);
	return r < 0 ? r : take_facts(d);
}

static int take_profile(const Pprof__Profile *in, struct profile *ret, struct err *err)
{
	struct reader *d = calloc(1, sizeof(*d));
	int r = d ? profile_init(ret, DECODE_MAX_TEXT_BYTES, DECODE_MAX_ITEMS) : -ENOMEM;

	if (r < 0)
		goto out;
	*d = (struct reader){ .in = in, .p = ret, .err = err };
	r = take_all(d);
	if (r < 0)
		profile_release(ret);
	free(d->strings);
	id_table_release(&d->mappings);
	id_table_release(&d->functions);
	id_table_release(&d->locations);
out:
	free(d);
	return r;
}

/* What protobuf-c builds, and why it couldn't. */
struct tree {
	struct arena arena;
	int error;
};

static void *tree_alloc(void *ctx, size_t size)
{
	struct tree *t = ctx;
	void *p;

	/* Only malloc() touches errno: the arena's limit leaves it. */
	errno = 0;
	p = arena_alloc(&t->arena, size);
	if (!p)
		t->error = errno ? -ENOMEM : -E2BIG;
	return p;
}

static void tree_free(void *ctx, void *pointer)
{
	(void)ctx;
	(void)pointer;
}

static int read_raw(const void *bytes, size_t len, struct profile *ret, struct err *err)
{
	struct tree tree = { .error = 0 };
	ProtobufCAllocator allocator = { tree_alloc, tree_free, &tree };
	const Pprof__Profile *in;
	int r;

	arena_init(&tree.arena, DECODE_MAX_TREE_BYTES);
	in = pprof__profile__unpack(&allocator, len, bytes);
	if (in)
		r = take_profile(in, ret, err);
	else
		r = tree.error
			    ? tree.error
			    : err_set(err, -EINVAL,
				      "it is no profile: neither pprof nor collapsed stacks, or damaged");
	arena_release(&tree.arena);
	return r;
}

int pprof_read(const void *bytes, size_t len, struct profile *ret, struct err *err)
{
	_cleanup_(buffer_release) struct buffer raw = BUFFER_INIT(DECODE_MAX_RAW_BYTES);
	int r;

	if (err)
		err->text[0] = '\0';
	if (gunzip_is_needed(bytes, len)) {
		r = gunzip(bytes, len, &raw, err);
		if (r < 0)
			return r;
		bytes = raw.data ? raw.data : "";
		len = raw.len;
	}
	r = read_raw(bytes, len, ret, err);
	if (r < 0 && err && !*err->text)
		return r == -E2BIG ? err_set(err, r,
					     "it is larger than what is read: %u million entries",
					     DECODE_MAX_ITEMS >> 20)
				   : err_errno(err, r, "it can't be read");
	return r;
}
