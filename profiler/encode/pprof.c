// SPDX-License-Identifier: Apache-2.0
/*
 * Writes the message in parts: two protobuf messages of one type, one behind the other, are one message
 * whose repeated fields are joined. So each string, function, location and sample is packed as a Profile
 * of its own, from one struct on the stack, and nothing but the result is ever allocated. (Fields that
 * aren't repeated are in one part only: Go's reader takes a second time_nanos for a second profile.)
 *
 * Ids are numbers in the model + 1, and strings keep theirs. What the model doesn't have (lost samples,
 * root frames) comes behind.
 *
 * Refused: building the whole tree of protobuf-c's structs, 330 bytes a sample, to write 60.
 */
#include "profiler/encode/pprof.h"

#include <errno.h>
#include <inttypes.h>
#include <libdeflate.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/text.h"
#include "profiler/encode/pprof.pb-c.h"

#define MAX_RAW_BYTES ((size_t)1 << 30)
#define MAX_SERIES_LABELS 64 /* profile_series() */
#define MAX_LABELS (MAX_SERIES_LABELS + 1) /* and that of a base */
#define MAX_LOCATION_LINES 1000 /* profile_location() */
#define MAX_COMMENTS (COUNTER_COUNT + 5)
#define GZIP_LEVEL 6

/* What the samples and locations say of a mapping. */
struct mapping_use {
	uint64_t value; /* in it and below it, each sample once */
	uint32_t last_sample; /* counted last; from 1 */
	uint64_t lowest, highest; /* addresses */
	bool has_filenames, has_line_numbers, has_inline_frames;
};

struct writer {
	const struct profile *p;
	const struct root_keys *root; /* or NULL */
	struct buffer raw;
	struct buffer scratch; /* one text at a time */
	struct mapping_use *mappings;
	struct root_texts root_texts;
	uint32_t *root_of_series; /* root->count numbers into root_texts for each series */
	ARRAY(uint64_t) stack;
	uint32_t string_count, sample_count;
	const struct diff *diff; /* or NULL */
	size_t value_count; /* 1 if samples are all that is known */
};

/* Ids of what is made up here: behind those of the model, for functions and locations alike. */
static uint64_t lost_id(uint32_t model_count)
{
	return (uint64_t)model_count + 1;
}

static uint64_t root_id(uint32_t model_count, uint32_t text)
{
	return lost_id(model_count) + 1 + text;
}

static int64_t signed_capped(uint64_t v)
{
	return v < INT64_MAX ? (int64_t)v : INT64_MAX;
}

static void put(struct writer *w, const Pprof__Profile *part)
{
	size_t len = pprof__profile__get_packed_size(part);
	uint8_t *at = buffer_extend(&w->raw, len);

	if (at)
		pprof__profile__pack(part, at);
}

/* Appends to the string table and returns the text's number there. */
static int64_t put_string(struct writer *w, const char *text, size_t len)
{
	Pprof__Profile part = PPROF__PROFILE__INIT;
	const char *clean = text;

	if (!text_is_clean(text, len)) {
		buffer_clear(&w->scratch);
		text_escape(&w->scratch, text, len);
		clean = buffer_cstr(&w->scratch);
		if (!clean) {
			w->raw.error = buffer_error(&w->scratch);
			return 0;
		}
	}
	part.string_table = (char **)&clean;
	part.n_string_table = 1;
	put(w, &part);
	return w->string_count++;
}

static int64_t put_text(struct writer *w, const char *text)
{
	return put_string(w, text, strlen(text));
}

static void put_strings(struct writer *w)
{
	for (uint32_t i = 0; i < w->p->strings.count; i++)
		put_string(w, w->p->strings.items[i].text, w->p->strings.items[i].len);
}

static void put_function(struct writer *w, const Pprof__Function *f)
{
	Pprof__Profile part = PPROF__PROFILE__INIT;

	part.function = (Pprof__Function **)&f;
	part.n_function = 1;
	put(w, &part);
}

static void put_functions(struct writer *w)
{
	Pprof__Function out = PPROF__FUNCTION__INIT;

	for (uint32_t i = 0; i < w->p->functions.count; i++) {
		const struct profile_function *f = &w->p->functions.items[i];

		out.id = (uint64_t)i + 1;
		out.name = f->name;
		out.system_name = f->system_name;
		out.filename = f->file;
		out.start_line = f->start_line;
		put_function(w, &out);
	}
}

static void put_location(struct writer *w, const Pprof__Location *l)
{
	Pprof__Profile part = PPROF__PROFILE__INIT;

	part.location = (Pprof__Location **)&l;
	part.n_location = 1;
	put(w, &part);
}

static void put_locations(struct writer *w)
{
	const struct profile *p = w->p;
	Pprof__Line lines[MAX_LOCATION_LINES], *pointers[MAX_LOCATION_LINES];
	Pprof__Location out = PPROF__LOCATION__INIT;

	for (uint32_t i = 0; i < MAX_LOCATION_LINES; i++) {
		pprof__line__init(&lines[i]);
		pointers[i] = &lines[i];
	}
	out.line = pointers;
	for (uint32_t i = 0; i < p->locations.count; i++) {
		const struct profile_location *l = &p->locations.items[i];

		for (uint32_t j = 0; j < l->line_count; j++) {
			lines[j].function_id =
				(uint64_t)p->lines.items[l->first_line + j].function + 1;
			lines[j].line = p->lines.items[l->first_line + j].line;
		}
		out.id = (uint64_t)i + 1;
		out.mapping_id = l->mapping == PROFILE_NONE ? 0 : (uint64_t)l->mapping + 1;
		out.address = l->address;
		out.n_line = l->line_count;
		put_location(w, &out);
	}
}

/* A function and a location that are in no binary: `id` is both's. */
static void put_frame(struct writer *w, uint64_t function_id, uint64_t location_id,
		      const char *name, size_t len)
{
	Pprof__Function f = PPROF__FUNCTION__INIT;
	Pprof__Line line = PPROF__LINE__INIT, *lines = &line;
	Pprof__Location l = PPROF__LOCATION__INIT;

	f.id = function_id;
	f.name = put_string(w, name, len);
	f.system_name = f.name;
	put_function(w, &f);
	line.function_id = function_id;
	l.id = location_id;
	l.line = &lines;
	l.n_line = 1;
	put_location(w, &l);
}

/* Finds the root frames of every series, and writes each distinct one once. */
static int put_root_frames(struct writer *w)
{
	const struct profile *p = w->p;
	size_t keys = w->root ? w->root->count : 0;

	if (!keys || !p->series.count)
		return 0;
	w->root_of_series = calloc(p->series.count * keys, sizeof(*w->root_of_series));
	if (!w->root_of_series)
		return -ENOMEM;
	for (size_t i = 0; i < p->series.count * keys; i++) {
		int r;

		buffer_clear(&w->scratch);
		r = root_frame_text(p, (uint32_t)(i / keys), w->root->keys[i % keys], &w->scratch);
		if (r < 0)
			return r;
		r = root_texts_add(&w->root_texts, w->scratch.data, w->scratch.len);
		if (r < 0)
			return r;
		w->root_of_series[i] = (uint32_t)r;
	}
	for (uint32_t i = 0; i < w->root_texts.items.count; i++)
		put_frame(w, root_id(p->functions.count, i), root_id(p->locations.count, i),
			  w->root_texts.items.items[i].text, w->root_texts.items.items[i].len);
	return 0;
}

static inline int stack_push(struct writer *w, uint64_t location_id)
{
	if (w->stack.count == w->stack.capacity) {
		int r = array_reserve((void **)&w->stack.items, &w->stack.capacity,
				      w->stack.count + 1, sizeof(*w->stack.items),
				      w->p->nodes.count + ROOT_MAX_KEYS);

		if (r < 0)
			return r;
	}
	w->stack.items[w->stack.count++] = location_id;
	return 0;
}

/* The locations of a sample, leaf first, then its root frames, the outermost last. */
static int fill_stack(struct writer *w, const struct profile_sample *s)
{
	const struct profile *p = w->p;
	uint32_t number = ++w->sample_count;
	size_t keys = w->root ? w->root->count : 0;
	int r = 0;

	w->stack.count = 0;
	for (uint32_t n = s->node; n && r == 0; n = p->nodes.items[n].parent) {
		uint32_t location = p->nodes.items[n].location;
		uint32_t mapping = p->locations.items[location].mapping;

		r = stack_push(w, (uint64_t)location + 1);
		if (mapping != PROFILE_NONE && w->mappings[mapping].last_sample != number) {
			w->mappings[mapping].last_sample = number;
			w->mappings[mapping].value += s->value;
		}
	}
	for (size_t k = keys; k-- > 0 && r == 0;)
		r = stack_push(w, root_id(p->locations.count,
					  w->root_of_series[s->series * keys + k]));
	return r;
}

/* Writes the stack in w->stack. */
static void put_sample(struct writer *w, int64_t count, int64_t value, Pprof__Label **labels,
		       size_t label_count)
{
	int64_t values[2] = { count, value };
	Pprof__Sample s = PPROF__SAMPLE__INIT, *samples = &s;
	Pprof__Profile part = PPROF__PROFILE__INIT;

	s.location_id = w->stack.items;
	s.n_location_id = w->stack.count;
	s.value = values;
	s.n_value = w->value_count;
	s.label = labels;
	s.n_label = label_count;
	part.sample = &samples;
	part.n_sample = 1;
	put(w, &part);
}

static uint32_t fill_labels(const struct profile *p, uint32_t series, Pprof__Label *labels)
{
	const struct profile_series *s = &p->series.items[series];
	uint32_t count = 0;

	for (uint32_t i = 0; i < s->label_count; i++) {
		const struct profile_label *l = &p->labels.items[s->first_label + i];

		/* Text 0 is "", but to pprof it says that the label is a number. */
		if (l->text == 0)
			continue;
		labels[count].key = l->key;
		labels[count].str = l->text == PROFILE_NONE ? 0 : l->text;
		labels[count].num = l->text == PROFILE_NONE ? l->number : 0;
		count++;
	}
	return count;
}

/* `base` is a label that they get, or NULL: those of a base are negative. */
static int put_some(struct writer *w, const struct profile_sample *samples, uint32_t count,
		    const Pprof__Label *base)
{
	Pprof__Label labels[MAX_LABELS], *pointers[MAX_LABELS];

	for (uint32_t i = 0; i < MAX_LABELS; i++) {
		pprof__label__init(&labels[i]);
		pointers[i] = &labels[i];
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t label_count = fill_labels(w->p, samples[i].series, labels);
		int r = fill_stack(w, &samples[i]);

		if (r < 0)
			return r;
		if (base)
			labels[label_count++] = *base;
		put_sample(w, signed_capped(samples[i].count) * (base ? -1 : 1),
			   signed_capped(samples[i].value) * (base ? -1 : 1), pointers,
			   label_count);
	}
	return 0;
}

static int put_samples(struct writer *w)
{
	const struct diff_side *sides = w->diff ? w->diff->sides : NULL;
	Pprof__Label base = PPROF__LABEL__INIT;
	int r;

	if (!sides)
		return put_some(w, w->p->samples.items, w->p->samples.count, NULL);
	base.key = put_text(w, "pprof::base");
	base.str = put_text(w, "true");
	r = put_some(w, sides[1].samples.items, sides[1].samples.count, NULL);
	return r < 0 ? r : put_some(w, sides[0].samples.items, sides[0].samples.count, &base);
}

static int put_lost(struct writer *w)
{
	static const char name[] = "[lost samples]";
	const struct profile *p = w->p;
	uint64_t value, lost = counters_lost(&p->counters);
	int r;

	if (!lost)
		return 0;
	if (__builtin_mul_overflow(lost, p->facts.period, &value))
		value = UINT64_MAX;
	put_frame(w, lost_id(p->functions.count), lost_id(p->locations.count), name,
		  sizeof(name) - 1);
	w->stack.count = 0;
	r = stack_push(w, lost_id(p->locations.count));
	if (r < 0)
		return r;
	put_sample(w, signed_capped(lost), signed_capped(value), NULL, 0);
	return 0;
}

static void look_at_locations(struct writer *w)
{
	const struct profile *p = w->p;

	for (uint32_t i = 0; i < p->mappings.count; i++) {
		w->mappings[i].lowest = p->mappings.items[i].start;
		w->mappings[i].highest = p->mappings.items[i].start;
	}
	for (uint32_t i = 0; i < p->locations.count; i++) {
		const struct profile_location *l = &p->locations.items[i];
		struct mapping_use *m;

		if (l->mapping == PROFILE_NONE)
			continue;
		m = &w->mappings[l->mapping];
		if (l->address < m->lowest)
			m->lowest = l->address;
		if (l->address > m->highest)
			m->highest = l->address;
		if (l->line_count > 1)
			m->has_inline_frames = true;
		for (uint32_t j = l->first_line; j < l->first_line + l->line_count; j++) {
			const struct profile_line *line = &p->lines.items[j];

			m->has_line_numbers |= line->line != 0;
			m->has_filenames |= p->functions.items[line->function].file != 0;
		}
	}
}

/* A file that isn't a shared object by its name: what pprof takes for the main program, too. */
static bool is_program(const char *path)
{
	const char *so = strstr(path, ".so");

	return path[0] && path[0] != '[' && !(so && (!so[3] || strchr("._ ", so[3])));
}

/* The program, else any file, with most time in and below it; PROFILE_NONE if there is no file. */
static uint32_t main_mapping(const struct writer *w)
{
	uint32_t best = PROFILE_NONE;
	bool best_is_program = false;

	for (uint32_t i = 0; i < w->p->mappings.count; i++) {
		const struct profile_mapping *m = &w->p->mappings.items[i];
		bool program = is_program(profile_text(w->p, m->name));

		if (m->kind != PROFILE_MAPPING_USER && m->kind != PROFILE_MAPPING_UNREAD)
			continue;
		if (best == PROFILE_NONE || program > best_is_program ||
		    (program == best_is_program &&
		     w->mappings[i].value > w->mappings[best].value)) {
			best = i;
			best_is_program = program;
		}
	}
	return best;
}

static void put_mapping(struct writer *w, uint32_t number)
{
	const struct profile_mapping *m = &w->p->mappings.items[number];
	const struct mapping_use *use = &w->mappings[number];
	Pprof__Mapping out = PPROF__MAPPING__INIT, *mappings = &out;
	Pprof__Profile part = PPROF__PROFILE__INIT;

	out.id = (uint64_t)number + 1;
	out.memory_start = use->lowest;
	out.memory_limit = m->limit > use->highest     ? m->limit
			   : use->highest < UINT64_MAX ? use->highest + 1
						       : UINT64_MAX;
	out.file_offset = m->offset;
	out.filename = m->name;
	out.build_id = m->build_id;
	out.has_functions = true;
	out.has_filenames = use->has_filenames;
	out.has_line_numbers = use->has_line_numbers;
	out.has_inline_frames = use->has_inline_frames;
	part.mapping = &mappings;
	part.n_mapping = 1;
	put(w, &part);
}

static void put_mappings(struct writer *w)
{
	uint32_t first = main_mapping(w);

	if (first != PROFILE_NONE)
		put_mapping(w, first);
	for (uint32_t i = 0; i < w->p->mappings.count; i++)
		if (i != first)
			put_mapping(w, i);
}

__attribute__((format(printf, 2, 3))) static int64_t put_printf(struct writer *w, const char *fmt,
								...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return put_text(w, text);
}

static double seconds(uint64_t ns)
{
	return (double)ns / (double)NS_PER_S;
}

static double mib(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

/* What there is to say in words: tools print it above their answer. */
static size_t put_comments(struct writer *w, int64_t *comments)
{
	const struct profile_facts *f = &w->p->facts;
	uint64_t lost = counters_lost(&w->p->counters);
	size_t n = 0;

	if (!f->cpus_online || w->diff) /* none of ours; of none */
		return 0;
	comments[n++] = put_printf(
		w,
		"slowburn: %s, %s, %" PRIu32 " samples a second on %" PRIu32 " of %" PRIu32 " CPUs",
		f->filtered ? "what its filter let through" : "the whole machine", f->event,
		f->frequency_hz, f->cpus_profiled, f->cpus_online);
	if (f->machine_ns)
		comments[n++] = put_printf(w, "/proc/stat: busy %.2f s of %.2f s, stolen %.2f s",
					   seconds(f->busy_ns), seconds(f->machine_ns),
					   seconds(f->steal_ns));
	if (f->own_cpu_ns)
		comments[n++] = put_printf(
			w, "own cost while sampling: %.3f s of CPU, %.3f s within BPF programs",
			seconds(f->own_cpu_ns), seconds(f->own_bpf_ns));
	if (f->memory_budget_bytes)
		comments[n++] = put_printf(
			w,
			"own memory: %.1f MiB, and %.1f in the kernel for rings and maps, of %.1f "
			"allowed",
			mib(f->own_memory_bytes), mib(profile_kernel_bytes(f)),
			mib(f->memory_budget_bytes));
	if (lost)
		comments[n++] =
			put_printf(w, "lost: %" PRIu64 " samples, here as [lost samples]", lost);
	for (enum counter id = 0; id < COUNTER_COUNT; id++)
		if (counter_get(&w->p->counters, id))
			comments[n++] = put_printf(w, "%" PRIu64 " %s",
						   counter_get(&w->p->counters, id),
						   counter_help(id));
	return n;
}

/* What is in the profile once: the last part. */
static void put_facts(struct writer *w)
{
	const struct profile_facts *f = &w->p->facts;
	Pprof__ValueType count = PPROF__VALUE_TYPE__INIT, value = PPROF__VALUE_TYPE__INIT;
	Pprof__ValueType *types[] = { &count, &value };
	Pprof__Profile part = PPROF__PROFILE__INIT;
	int64_t comments[MAX_COMMENTS];

	count.type = put_text(w, "samples");
	count.unit = put_text(w, "count");
	value.type = put_text(w, f->value_type);
	value.unit = put_text(w, f->value_unit);
	part.sample_type = types;
	part.n_sample_type = w->value_count;
	part.period_type = &value;
	part.default_sample_type = value.type;
	part.period = signed_capped(f->period);
	part.time_nanos = signed_capped(f->time_ns);
	part.duration_nanos = signed_capped(f->duration_ns);
	part.comment = comments;
	part.n_comment = put_comments(w, comments);
	put(w, &part);
}

static int put_all(struct writer *w)
{
	int r;

	put_strings(w);
	put_functions(w);
	put_locations(w);
	r = put_root_frames(w);
	if (r < 0)
		return r;
	r = put_samples(w);
	if (r < 0)
		return r;
	r = put_lost(w);
	if (r < 0)
		return r;
	look_at_locations(w);
	put_mappings(w);
	put_facts(w);
	return buffer_error(&w->raw);
}

/* Appends `raw` to `out`, compressed; no time and no name within, so that equal profiles are equal. */
static int gzip(const struct buffer *raw, struct buffer *out)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(GZIP_LEVEL);
	size_t before = out->len, room, len = 0;
	void *at;

	if (!c)
		return -ENOMEM;
	room = libdeflate_gzip_compress_bound(c, raw->len);
	if (room > out->max - out->len)
		room = out->max - out->len;
	at = buffer_extend(out, room);
	if (at)
		len = libdeflate_gzip_compress(c, raw->data, raw->len, at, room);
	libdeflate_free_compressor(c);
	out->len = before + len;
	if (!at)
		return buffer_error(out);
	return len ? 0 : -E2BIG;
}

/* Of a file that has no other values. */
static bool counts_only(const struct profile *p)
{
	return !strcmp(p->facts.value_type, "samples") && !strcmp(p->facts.value_unit, "count");
}

static int encode(struct writer *w, struct buffer *out)
{
	int r = buffer_error(out);

	if (r < 0)
		return r;
	w->value_count = counts_only(w->p) ? 1 : 2;
	buffer_init(&w->raw, MAX_RAW_BYTES);
	buffer_init(&w->scratch, MAX_RAW_BYTES);
	root_texts_init(&w->root_texts);
	w->mappings = calloc((size_t)w->p->mappings.count + 1, sizeof(*w->mappings));
	r = w->mappings ? put_all(w) : -ENOMEM;
	if (r == 0)
		r = gzip(&w->raw, out);
	free(w->mappings);
	free(w->root_of_series);
	array_release(&w->stack);
	root_texts_release(&w->root_texts);
	buffer_release(&w->scratch);
	buffer_release(&w->raw);
	return r;
}

int pprof_encode(const struct profile *p, const struct root_keys *root, struct buffer *out)
{
	struct writer w = { .p = p, .root = root };

	return encode(&w, out);
}

int pprof_encode_diff(const struct diff *d, struct buffer *out)
{
	struct writer w = { .p = &d->both, .diff = d };

	return encode(&w, out);
}
