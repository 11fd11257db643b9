// SPDX-License-Identifier: Apache-2.0
/*
 * Our own files come back as they were, byte for byte; files of others, written here message by message, as pprof
 * takes them; and damaged ones not at all, each with its reason.
 */
#include "profiler/decode/pprof_read.h"

#include <errno.h>
#include <libdeflate.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "profiler/decode/gunzip.h"
#include "profiler/encode/pprof.h"
#include "profiler/encode/pprof.pb-c.h"
#include "tests/unit/encode_profile.h"
#include "tests/unit/torture.h"

/* ---- round trips ---- */

static void encode(const struct profile *p, struct buffer *out)
{
	buffer_init(out, 64 << 20);
	assert_int_equal(pprof_encode(p, NULL, out), 0);
}

static void read_back(const struct buffer *bytes, struct profile *ret)
{
	struct err err = { "" };

	if (pprof_read(bytes->data, bytes->len, ret, &err) != 0)
		fail_msg("not read: %s", err.text);
}

/* What is encoded, read, and encoded again is the same. Returns what was read. */
static void expect_same(const struct profile *p, struct profile *ret)
{
	struct buffer first, second;

	encode(p, &first);
	read_back(&first, ret);
	encode(ret, &second);
	assert_int_equal(second.len, first.len);
	assert_memory_equal(second.data, first.data, first.len);
	buffer_release(&first);
	buffer_release(&second);
}

/* What the format doesn't have, guessed frames, is left out. */
static void without_flags(struct profile *to, const struct profile *from)
{
	uint32_t series[64];

	test_profile(to);
	for (uint32_t i = 0; i < from->series.count; i++) {
		const struct profile_label *pid = profile_label_find(from, i, "pid");
		const struct profile_label *comm = profile_label_find(from, i, "comm");

		series[i] =
			test_series(to, profile_text(from, comm->text), pid->number, pid->number);
	}
	for (uint32_t i = 0; i < from->samples.count; i++) {
		const struct profile_sample *s = &from->samples.items[i];
		uint32_t path[64], depth = 0, node = 0;

		for (uint32_t n = s->node; n; n = from->nodes.items[n].parent)
			path[depth++] = from->nodes.items[n].location;
		while (depth--) {
			const struct profile_location *l = &from->locations.items[path[depth]];
			const struct profile_line *in = &from->lines.items[l->first_line];
			struct profile_line lines[3];

			for (uint32_t j = 0; j < l->line_count; j++)
				lines[j] = test_line(
					to,
					profile_text(from,
						     from->functions.items[in[j].function].name),
					in[j].line);
			node = test_id(profile_node(
				to, node,
				test_id(profile_location(
					to,
					test_mapping(
						to, profile_text(
							    from,
							    from->mappings.items[l->mapping].name)),
					l->address, true, lines, l->line_count)),
				0));
		}
		test_id(profile_add(to, series[s->series], node, s->count, s->value));
	}
}

static void test_random_profiles(void **state)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct profile random, plain, read, again;

		test_random_profile(&random, seed, 300);
		without_flags(&plain, &random);
		expect_same(&plain, &read);
		assert_int_equal(read.samples.count, plain.samples.count);
		assert_int_equal(profile_total_value(&read), profile_total_value(&random));
		expect_same(&read, &again);
		profile_release(&random);
		profile_release(&plain);
		profile_release(&read);
		profile_release(&again);
	}
}

/* With everything that is said in comments, and lost samples. */
static void test_facts(void **state)
{
	struct profile p, read;

	test_profile(&p);
	test_stack(&p, test_series(&p, "a", 1, 1), 7, "main@/usr/bin/a", "f@/usr/lib/libc.so.6",
		   "[libc.so.6]@/usr/lib/libc.so.6", NULL);
	test_stack(&p, test_series(&p, "b", 2, 2), 1, "do_syscall_64@[kernel.kallsyms]", NULL);
	test_stack(&p, test_series(&p, "b", 2, 3), 2, NULL);
	p.facts.filtered = true;
	p.facts.event = "cycles";
	p.facts.busy_ns = 12340000000;
	p.facts.steal_ns = 10000000;
	p.facts.own_cpu_ns = 123000000;
	p.facts.own_bpf_ns = 45000000;
	p.facts.own_memory_bytes = 21 << 20;
	p.facts.own_kernel_bytes = 7 << 20;
	p.facts.memory_budget_bytes = 256 << 20;
	p.counters.value[COUNTER_SAMPLES_MISSED] = 5;
	p.counters.value[COUNTER_FRAMES_GUESSED] = 1234567890123;
	expect_same(&p, &read);
	assert_true(read.facts.filtered);
	assert_string_equal(read.facts.event, "cycles");
	assert_string_equal(read.facts.value_unit, "nanoseconds");
	assert_int_equal(read.facts.frequency_hz, 99);
	assert_int_equal(read.facts.busy_ns, p.facts.busy_ns);
	assert_int_equal(read.facts.machine_ns, p.facts.machine_ns);
	assert_int_equal(read.facts.own_cpu_ns, p.facts.own_cpu_ns);
	assert_int_equal(read.facts.own_memory_bytes, p.facts.own_memory_bytes);
	assert_int_equal(read.facts.memory_budget_bytes, p.facts.memory_budget_bytes);
	assert_int_equal(counters_lost(&read.counters), 5);
	assert_int_equal(read.counters.value[COUNTER_FRAMES_GUESSED], 1234567890123);
	assert_int_equal(read.samples.count, 3);
	for (uint32_t i = 0; i < read.mappings.count; i++)
		assert_int_equal(read.mappings.items[i].kind, p.mappings.items[i].kind);
	for (uint32_t i = 0; i < read.locations.count; i++)
		assert_int_equal(read.locations.items[i].named, p.locations.items[i].named);
	profile_release(&p);
	profile_release(&read);
}

/* ---- files of others ---- */

/* A message whose parts a test changes. */
struct message {
	Pprof__ValueType types[3], *type_list[3], period_type;
	Pprof__Function functions[2], *function_list[2];
	Pprof__Mapping mapping, *mapping_list[1];
	Pprof__Line lines[3], *line_list[3];
	Pprof__Location locations[3], *location_list[3];
	Pprof__Label labels[3], *label_list[3];
	uint64_t stack[3];
	int64_t values[3];
	int64_t comments[2];
	Pprof__Sample sample, *sample_list[1];
	char *strings[16];
	Pprof__Profile profile;
};

enum {
	S_EMPTY,
	S_SAMPLES,
	S_COUNT,
	S_CPU,
	S_NS,
	S_MAIN,
	S_INLINED,
	S_BINARY,
	S_KEY,
	S_VALUE,
	S_REMARK
};

static void message_init(struct message *m)
{
	static const char *const strings[] = { "",        "samples",           "count",
					       "cpu",     "nanoseconds",       "main",
					       "inlined", "/usr/bin/x.so",     "key",
					       "value",   "slowburn: nonsense" };

	memset(m, 0, sizeof(*m));
	memcpy(m->strings, strings, sizeof(strings));
	pprof__profile__init(&m->profile);
	pprof__mapping__init(&m->mapping);
	pprof__sample__init(&m->sample);
	pprof__value_type__init(&m->period_type);
	for (int i = 0; i < 3; i++) {
		pprof__value_type__init(&m->types[i]);
		pprof__line__init(&m->lines[i]);
		pprof__location__init(&m->locations[i]);
		pprof__label__init(&m->labels[i]);
		m->type_list[i] = &m->types[i];
		m->line_list[i] = &m->lines[i];
		m->location_list[i] = &m->locations[i];
		m->label_list[i] = &m->labels[i];
	}
	for (int i = 0; i < 2; i++) {
		pprof__function__init(&m->functions[i]);
		m->function_list[i] = &m->functions[i];
		m->functions[i].id = 1000 - (uint64_t)i; /* any numbers, in any order */
		m->functions[i].name = S_MAIN + i;
		m->functions[i].system_name = S_MAIN + i;
	}
	m->mapping.id = UINT64_MAX;
	m->mapping.filename = S_BINARY;
	m->mapping_list[0] = &m->mapping;
	m->lines[0].function_id = 999;
	m->lines[1].function_id = 1000;
	m->locations[0] =
		(Pprof__Location){ m->locations[0].base, .id = 7,     .mapping_id = UINT64_MAX,
				   .address = 16,        .n_line = 2, .line = m->line_list };
	m->locations[1].id = 3;
	m->locations[1].mapping_id = UINT64_MAX;
	m->locations[2].id = 12;
	m->stack[0] = 7;
	m->stack[1] = 3;
	m->stack[2] = 12;
	m->sample.location_id = m->stack;
	m->sample.n_location_id = 3;
	m->values[0] = 5;
	m->values[1] = 50000000;
	m->sample.value = m->values;
	m->sample.n_value = 2;
	m->sample.label = m->label_list;
	m->sample_list[0] = &m->sample;
	m->types[0].type = S_SAMPLES;
	m->types[0].unit = S_COUNT;
	m->types[1].type = S_CPU;
	m->types[1].unit = S_NS;
	m->period_type = m->types[1];
	m->profile.sample_type = m->type_list;
	m->profile.n_sample_type = 2;
	m->profile.period_type = &m->period_type;
	m->profile.period = 10000000;
	m->profile.sample = m->sample_list;
	m->profile.n_sample = 1;
	m->profile.mapping = m->mapping_list;
	m->profile.n_mapping = 1;
	m->profile.location = m->location_list;
	m->profile.n_location = 3;
	m->profile.function = m->function_list;
	m->profile.n_function = 2;
	m->profile.string_table = m->strings;
	m->profile.n_string_table = 11;
}

static int message_read(const struct message *m, struct profile *ret, struct err *err)
{
	size_t len = pprof__profile__get_packed_size(&m->profile);
	uint8_t *bytes = malloc(len + 1);
	int r;

	pprof__profile__pack(&m->profile, bytes);
	r = pprof_read(bytes, len, ret, err);
	free(bytes);
	return r;
}

static const char *frame(const struct profile *p, uint32_t node, uint32_t line)
{
	const struct profile_location *l = &p->locations.items[p->nodes.items[node].location];

	assert_true(line < l->line_count);
	return profile_text(p,
			    p->functions.items[p->lines.items[l->first_line + line].function].name);
}

static void test_of_others(void **state)
{
	struct message m;
	struct profile p;
	uint32_t node;

	message_init(&m);
	assert_int_equal(message_read(&m, &p, NULL), 0);
	assert_int_equal(p.samples.count, 1);
	assert_int_equal(p.samples.items[0].count, 5);
	assert_int_equal(p.samples.items[0].value, 50000000);
	assert_string_equal(p.facts.value_type, "cpu");
	assert_int_equal(p.facts.cpus_online, 0);
	node = p.samples.items[0].node;
	assert_string_equal(frame(&p, node, 0), "inlined");
	assert_string_equal(frame(&p, node, 1), "main");
	node = p.nodes.items[node].parent;
	assert_string_equal(frame(&p, node, 0), "[x.so]");
	node = p.nodes.items[node].parent;
	assert_string_equal(frame(&p, node, 0), "[unknown]");
	assert_int_equal(p.nodes.items[node].parent, 0);
	profile_release(&p);
}

/* As go tool pprof: the default type if there is one, else the last; and how many samples that is. */
static void test_types(void **state)
{
	struct message m;
	struct profile p;

	message_init(&m);
	m.profile.default_sample_type = S_SAMPLES;
	assert_int_equal(message_read(&m, &p, NULL), 0);
	assert_string_equal(p.facts.value_type, "samples");
	assert_int_equal(p.samples.items[0].value, 5);
	profile_release(&p);

	message_init(&m);
	m.profile.default_sample_type = S_KEY; /* no type: the last */
	m.types[0].type = S_VALUE;
	assert_int_equal(message_read(&m, &p, NULL), 0);
	assert_int_equal(p.samples.items[0].value, 50000000);
	assert_int_equal(p.samples.items[0].count, 5); /* by the period */
	profile_release(&p);

	m.profile.period = 0;
	assert_int_equal(message_read(&m, &p, NULL), 0);
	assert_int_equal(p.samples.items[0].count, 1);
	profile_release(&p);
}

static void test_labels(void **state)
{
	const struct profile_label *l;
	struct message m;
	struct profile p;

	message_init(&m);
	m.sample.n_label = 3;
	m.labels[0].key = S_KEY;
	m.labels[0].str = S_VALUE;
	m.labels[1].key = S_KEY; /* twice: the first counts */
	m.labels[1].str = S_MAIN;
	m.labels[2].key = S_CPU;
	m.labels[2].num = -3;
	assert_int_equal(message_read(&m, &p, NULL), 0);
	l = profile_label_find(&p, 0, "key");
	assert_string_equal(profile_text(&p, l->text), "value");
	l = profile_label_find(&p, 0, "cpu");
	assert_int_equal(l->text, PROFILE_NONE);
	assert_int_equal(l->number, -3);
	profile_release(&p);
}

/* ---- damaged ones ---- */

static void no_types(struct message *m)
{
	m->profile.n_sample_type = 0;
}
static void no_strings(struct message *m)
{
	m->profile.n_string_table = 0;
}
static void first_string(struct message *m)
{
	static char x[] = "x";

	m->strings[0] = x;
}
static void text_outside(struct message *m)
{
	m->functions[0].name = 11;
}
static void text_negative(struct message *m)
{
	m->functions[0].filename = -1;
}
static void mapping_text(struct message *m)
{
	m->mapping.build_id = 1 << 20;
}
static void label_text(struct message *m)
{
	m->sample.n_label = 1;
	m->labels[0].key = 11;
}
static void function_twice(struct message *m)
{
	m->functions[1].id = 1000;
}
static void function_zero(struct message *m)
{
	m->functions[1].id = 0;
}
static void location_twice(struct message *m)
{
	m->locations[1].id = 7;
}
static void no_function(struct message *m)
{
	m->lines[1].function_id = 5;
}
static void no_mapping(struct message *m)
{
	m->locations[1].mapping_id = 5;
}
static void no_location(struct message *m)
{
	m->stack[1] = 4;
}
static void location_zero(struct message *m)
{
	m->stack[1] = 0;
}
static void few_values(struct message *m)
{
	m->sample.n_value = 1;
}
static void negative(struct message *m)
{
	m->values[1] = -1;
}
static void negative_count(struct message *m)
{
	m->values[0] = -1;
}

static const struct {
	const char *name;
	void (*damage)(struct message *m);
	const char *why;
} damages[] = {
	{ "no types", no_types, "doesn't say what its values are" },
	{ "no strings", no_strings, "texts don't begin with" },
	{ "first string", first_string, "texts don't begin with" },
	{ "text outside", text_outside, "a function's name is text 11, of 11" },
	{ "text negative", text_negative, "a function's file is text -1" },
	{ "mapping text", mapping_text, "a mapping's build id is text 1048576" },
	{ "label text", label_text, "a label's key is text 11" },
	{ "function twice", function_twice, "function 1000 is there twice" },
	{ "function zero", function_zero, "a function has no id" },
	{ "location twice", location_twice, "location 7 is there twice" },
	{ "no function", no_function, "location 7 is in function 5, which isn't there" },
	{ "no mapping", no_mapping, "location 3 is in mapping 5, which isn't there" },
	{ "no location", no_location, "a sample is at location 4, which isn't there" },
	{ "location zero", location_zero, "a sample is at location 0, which isn't there" },
	{ "few values", few_values, "a sample has 1 values of 2 types" },
	{ "negative", negative, "difference of two profiles" },
	{ "negative count", negative_count, "difference of two profiles" },
};

static void test_damaged(void **state)
{
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		struct err err = { "" };
		struct message m;
		struct profile p;
		int r;

		message_init(&m);
		damages[i].damage(&m);
		r = message_read(&m, &p, &err);
		if (r != -EINVAL || !strstr(err.text, damages[i].why))
			fail_msg("%s: is %d \"%s\", should be %d \"…%s…\"", damages[i].name, r,
				 err.text, -EINVAL, damages[i].why);
	}
}

/* Somebody else's words in our comment's place change nothing. */
static void test_strange_comment(void **state)
{
	struct message m;
	struct profile p;

	message_init(&m);
	m.comments[0] = S_REMARK;
	m.profile.comment = m.comments;
	m.profile.n_comment = 1;
	assert_int_equal(message_read(&m, &p, NULL), 0);
	assert_int_equal(p.facts.cpus_online, 0);
	assert_int_equal(p.samples.count, 1);
	profile_release(&p);
}

/* Each prefix and each flipped byte of a file: read or refused, with a sentence. */
static void test_cut_and_flipped(void **state)
{
	struct buffer bytes, raw = BUFFER_INIT(1 << 24);
	struct profile p, read;

	test_random_profile(&p, 3, 10);
	encode(&p, &bytes);
	assert_int_equal(gunzip(bytes.data, bytes.len, &raw, NULL), 0);
	for (size_t i = 0; i < bytes.len; i++) {
		struct err err = { "" };

		if (pprof_read(bytes.data, i, &read, &err) == 0)
			fail_msg("a file cut to %zu of %zu bytes was read", i, bytes.len);
		assert_int_not_equal(strlen(err.text), 0);
	}
	for (size_t i = 0; i < raw.len; i++) {
		struct err err = { "" };

		raw.data[i] ^= 0x41;
		if (pprof_read(raw.data, raw.len, &read, &err) == 0)
			profile_release(&read);
		else
			assert_int_not_equal(strlen(err.text), 0);
		raw.data[i] ^= 0x41;
	}
	profile_release(&p);
	buffer_release(&bytes);
	buffer_release(&raw);
}

/* 1 GiB of zeros in 1 MiB. */
static void test_bomb(void **state)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(9);
	const size_t len = (size_t)300 << 20, room = 1 << 20;
	void *zeros = calloc(len, 1), *bomb = malloc(room);
	struct err err = { "" };
	struct profile p;
	size_t n;

	n = libdeflate_gzip_compress(c, zeros, len, bomb, room);
	assert_int_not_equal(n, 0);
	free(zeros);
	assert_int_equal(pprof_read(bomb, n, &p, &err), -E2BIG);
	assert_non_null(strstr(err.text, "256 MiB when it is decompressed"));
	free(bomb);
	libdeflate_free_compressor(c);
}

static int read_some(void *ctx)
{
	const struct buffer *bytes = ctx;
	struct profile p;
	int r = pprof_read(bytes->data, bytes->len, &p, NULL);

	if (r == 0)
		profile_release(&p);
	return r;
}

static void test_torture(void **state)
{
	struct buffer bytes;
	struct profile p;

	test_random_profile(&p, 9, 20);
	encode(&p, &bytes);
	assert_true(torture(read_some, &bytes) > 10);
	profile_release(&p);
	buffer_release(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_profiles),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_of_others),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_strange_comment),
		cmocka_unit_test(test_cut_and_flipped),
		cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
