// SPDX-License-Identifier: Apache-2.0
#include "profiler/store/columns.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/store/varint.h"
#include "tests/unit/encode_profile.h"
#include "tests/unit/model_lines.h"
#include "tests/unit/torture.h"

#define MAX_BYTES (64u << 20)

static void test_varint(void **state)
{
	static const uint64_t values[] = { 0,     1,          127,        128,       16383,
					   16384, UINT32_MAX, 1ULL << 63, UINT64_MAX };
	struct buffer b = BUFFER_INIT(MAX_BYTES);
	struct varint_reader r;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		buffer_clear(&b);
		varint_put(&b, values[i]);
		varint_put_signed(&b, (int64_t)values[i]);
		r = (struct varint_reader){ (unsigned char *)b.data,
					    (unsigned char *)b.data + b.len, false };
		assert_int_equal(varint_get(&r), values[i]);
		assert_int_equal(varint_get_signed(&r), (int64_t)values[i]);
		assert_false(r.bad);
		assert_ptr_equal(r.at, r.end);
		assert_int_equal(varint_get(&r), 0);
		assert_true(r.bad);
	}
	buffer_release(&b);
}

static void test_varint_bad(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{ "", 0 },
		{ "\x80", 1 },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10 }, /* 2^64 and more */
		{ "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const unsigned char *b = (const unsigned char *)bad[i].bytes;
		struct varint_reader r = { b, b + bad[i].len, false };

		assert_int_equal(varint_get(&r), 0);
		assert_true(r.bad);
	}
}

/* A profile that goes on for some windows, read back one after the other. */
struct channel {
	struct columns_marks marks;
	struct columns_dictionary to;
	struct buffer bytes;
};

static void channel_init(struct channel *c)
{
	*c = (struct channel){ .bytes = BUFFER_INIT(MAX_BYTES) };
	assert_int_equal(columns_dictionary_init(&c->to, MAX_BYTES, 1 << 22), 0);
}

static void channel_release(struct channel *c)
{
	columns_dictionary_release(&c->to);
	buffer_release(&c->bytes);
}

static void pass(struct channel *c, const struct profile *p)
{
	buffer_clear(&c->bytes);
	columns_write_dictionary(p, &c->marks, &c->bytes);
	assert_int_equal(buffer_error(&c->bytes), 0);
	assert_int_equal(columns_read_dictionary(&c->to, c->bytes.data, c->bytes.len), 0);
	c->marks = columns_marks_of(p);
	buffer_clear(&c->bytes);
	assert_int_equal(columns_write_samples(p, &p->counters, &c->bytes), 0);
	assert_int_equal(columns_read_samples(&c->to, c->bytes.data, c->bytes.len), 0);
}

static void test_same(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct channel c;
		struct profile p;
		uint64_t random = seed;

		test_random_profile(&p, seed, 0);
		channel_init(&c);
		for (uint32_t window = 0; window < 5; window++) {
			char *was, *is;

			profile_clear_samples(&p);
			p.counters.value[COUNTER_SAMPLES] = window;
			p.counters.value[COUNTER_SAMPLES_DROPPED_STORE] = 7;
			for (uint32_t i = 0; i < 40 * (window % 3); i++)
				test_random_stack(&p, &random, i % p.series.count);
			pass(&c, &p);
			was = profile_lines(&p);
			is = profile_lines(&c.to.profile);
			assert_string_equal(is, was);
			free(was);
			free(is);
			assert_int_equal(c.to.profile.strings.count, p.strings.count);
			assert_int_equal(c.to.profile.nodes.count, p.nodes.count);
			assert_memory_equal(&c.to.profile.counters, &p.counters,
					    sizeof(p.counters));
			assert_int_equal(c.to.profile.facts.machine_ns, p.facts.machine_ns);
			assert_string_equal(c.to.profile.facts.event, p.facts.event);
		}
		channel_release(&c);
		profile_release(&p);
	}
}

/* Each extreme that a field can have. */
static void test_extremes(void **state)
{
	struct profile_mapping m = { UINT64_MAX - 1,       UINT64_MAX, UINT64_MAX, 0, 0,
				     PROFILE_MAPPING_NONE, 0 };
	struct profile_function f = { .start_line = UINT32_MAX };
	struct profile_line line = { 0, UINT32_MAX };
	struct channel c;
	struct profile p;
	char *was, *is;
	int location;

	test_profile(&p);
	channel_init(&c);
	m.name = test_string(&p, "\xff\xfe name");
	test_id(profile_mapping(&p, &m));
	line.function = test_id(profile_function(&p, &f));
	location = profile_location(&p, 0, UINT64_MAX, false, &line, 1);
	assert_int_equal(location, 0);
	location = profile_location(&p, PROFILE_NONE, 0, true, &line, 1);
	assert_int_equal(location, 1);
	test_id(profile_series(&p, NULL, 0));
	test_id(profile_series(&p, (struct profile_label[]){ test_number(&p, "n", INT64_MIN) }, 1));
	test_id(profile_series(&p, (struct profile_label[]){ test_number(&p, "n", INT64_MAX) }, 1));
	test_id(profile_add(&p, 0, 0, UINT64_MAX, 0));
	test_id(profile_add(&p, 1, 0, 0, UINT64_MAX));
	test_id(profile_add(&p, 2, test_id(profile_node(&p, 0, 0, UINT32_MAX)), 1, 1));
	test_id(profile_add(&p, 2, test_id(profile_node(&p, 1, 1, 0)), 1, 1));
	pass(&c, &p);
	was = profile_lines(&p);
	is = profile_lines(&c.to.profile);
	assert_string_equal(is, was);
	free(was);
	free(is);
	channel_release(&c);
	profile_release(&p);
}

static void expect_dictionary(const struct profile *p, const struct columns_marks *marks,
			      const char *want, size_t len)
{
	struct buffer b = BUFFER_INIT(MAX_BYTES);
	struct varint_reader r;

	columns_write_dictionary(p, marks, &b);
	/* First of counters' names: from which, how many. */
	r = (struct varint_reader){ (unsigned char *)b.data, (unsigned char *)b.data + b.len,
				    false };
	assert_int_equal(varint_get(&r), COUNTER_COUNT);
	assert_int_equal(varint_get(&r), 0);
	assert_int_equal(r.end - r.at, len);
	assert_memory_equal(r.at, want, len);
	buffer_release(&b);
}

/* What a file has had in it once, it has for ever: these bytes are the format. */
static void test_golden(void **state)
{
	/* clang-format off */
	static const char dictionary[] =
		/* from, how many: strings, mappings, functions, locations, nodes, series */
		"\x01\x07" "\x00\x01" "\x00\x02" "\x00\x02" "\x01\x02" "\x00\x01"
		/* strings: lengths, bytes */
		"\x04\x04\x03\x06\x10\x04\x01" "comm" "bash" "pid" "/bin/a" "0123456789abcdef" "main" "f"
		/* mapping: start, limit, offset, name, build id, kind */
		"\x80\x20" "\x80\x80\x80\x80\x01" "\x80\x20" "\x04" "\x05" "\x00"
		/* functions: name, system name, file, line */
		"\x0c\x02" "\x00\x00" "\x00\x00" "\x00\x00"
		/* locations: address, mapping + 1, lines - 1 and whether named; their functions and lines */
		"\x80\x40\x20" "\x01\x01" "\x01\x01" "\x00\x02" "\x05\x07"
		/* nodes: how far back the parent is, location, flags */
		"\x00\x00" "\x00\x02" "\x00\x01"
		/* series: labels; key, text + 1, number */
		"\x02" "\x01\x03" "\x03\x00" "\x0e"
		/* amendments: none */
		"\x00";
	/* The next one: nothing is new but a function, and what is known of the second location. */
	static const char amended[] =
		"\x08\x01" "\x01\x00" "\x02\x01" "\x02\x00" "\x03\x00" "\x01\x00"
		"\x01" "g" "\x10" "\x00" "\x00" "\x00"
		/* how many; location; lines - 1 and whether named; their functions and lines */
		"\x01" "\x02" "\x03" "\x04\x01" "\x2a\x07";
	/* clang-format on */
	struct columns_marks marks = { .names = COUNTER_COUNT };
	struct profile_label labels[2];
	struct profile_line line, lines[2];
	struct profile p;
	uint32_t mapping, node;

	test_profile(&p);
	labels[0] = test_label(&p, "comm", "bash");
	labels[1] = test_number(&p, "pid", 7);
	mapping = test_mapping(&p, "/bin/a");
	line = test_line(&p, "main", 5);
	node = test_id(profile_node(
		&p, 0, test_id(profile_location(&p, mapping, 0x1000, true, &line, 1)), 0));
	line = test_line(&p, "f", 7);
	node = test_id(profile_node(
		&p, node, test_id(profile_location(&p, mapping, 0x1010, true, &line, 1)), 1));
	test_id(profile_series(&p, labels, 2));
	expect_dictionary(&p, &marks, dictionary, sizeof(dictionary) - 1);
	marks = columns_marks_of(&p);
	lines[0] = test_line(&p, "g", 42);
	lines[1] = line;
	assert_int_equal(profile_location_amend(&p, 1, true, &line, 1), 0);
	assert_int_equal(profile_location_amend(&p, 1, true, lines, 2), 0);
	expect_dictionary(&p, &marks, amended, sizeof(amended) - 1);
	profile_release(&p);
}

/*
 * Whatever was amended when, the reader has of each location what was known last, and nothing
 * twice.
 */
static void test_amended(void **state)
{
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct channel c;
		struct profile p;
		uint64_t random = seed;

		test_random_profile(&p, seed, 0);
		channel_init(&c);
		for (uint32_t window = 0; window < 6; window++) {
			char *was, *is;

			for (uint32_t i = 0; i < 30; i++)
				test_random_stack(&p, &random, i % p.series.count);
			for (uint32_t i = 0; i < 60 && p.locations.count; i++) {
				struct profile_line lines[3];
				uint32_t n = 1 + test_random(&random) % 3;

				for (uint32_t j = 0; j < n; j++)
					lines[j] = test_line(&p, j ? "outer" : "inner",
							     test_random(&random) % 9);
				assert_int_equal(profile_location_amend(
							 &p,
							 test_random(&random) % p.locations.count,
							 test_random(&random) % 2, lines, n),
						 0);
			}
			pass(&c, &p);
			was = profile_lines(&p);
			is = profile_lines(&c.to.profile);
			assert_string_equal(is, was);
			free(was);
			free(is);
			for (uint32_t i = 0; i < p.locations.count; i++)
				assert_int_equal(c.to.profile.locations.items[i].named,
						 p.locations.items[i].named);
		}
		channel_release(&c);
		profile_release(&p);
	}
}

/*
 * Amendments of what isn't there, or comes with them; and a dictionary that fails leaves what was
 * there before.
 */
static void test_amended_badly(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int expected;
	} rows[] = {
		/* of two locations: how many; which; lines - 1 and named; functions; lines */
		{ "\x01\x02\x01\x00\x05", 5, 0 },
		{ "\x02\x00\x02\x01\x01\x00\x00\x05\x05", 9, 0 },
		{ "\x01\x04\x01\x00\x05", 5, -EBADMSG }, /* the third one */
		{ "\x01\x01\x01\x00\x05", 5, -EBADMSG }, /* -1 */
		{ "\x01\x02\x01\x02\x05", 5, -EBADMSG }, /* a function that isn't there */
		{ "\x01\x02\x01\x00", 4, -EBADMSG },
		{ "\x01\x02\x01\x00\x05\x00", 6, -EBADMSG },
		{ "\x01\x02\xd0\x0f\x00\x05", 6, -EBADMSG }, /* more lines than there may be */
		{ "\xff\xff\xff\xff\x0f\x02\x01\x00\x05", 9, -EBADMSG },
	};
	struct profile p;
	char *was;

	test_profile(&p);
	test_stack(&p, test_series(&p, "a", 1, 1), 1, "f@a", NULL);
	test_stack(&p, 0, 1, "f@b", NULL);
	was = profile_lines(&p);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buffer b = BUFFER_INIT(MAX_BYTES);
		struct channel c;
		char *is;

		channel_init(&c);
		pass(&c, &p);
		columns_write_dictionary(&p, &c.marks, &b);
		b.len--; /* that there are none */
		buffer_append(&b, rows[i].bytes, rows[i].len);
		assert_int_equal(columns_read_dictionary(&c.to, b.data, b.len), rows[i].expected);
		is = profile_lines(&c.to.profile);
		assert_int_equal(strcmp(is, was) == 0, rows[i].expected != 0);
		free(is);
		/* It goes on from there. */
		assert_int_equal(columns_read_dictionary(&c.to, b.data, b.len), rows[i].expected);
		channel_release(&c);
		buffer_release(&b);
	}
	free(was);
	profile_release(&p);
}

/* All that failed is taken back: what is read afterwards fits. */
static void test_taken_back(void **state)
{
	struct buffer b = BUFFER_INIT(MAX_BYTES);
	struct channel c;
	struct profile p;
	uint64_t random = 3;
	char *was, *is;

	test_random_profile(&p, 3, 10);
	channel_init(&c);
	pass(&c, &p);
	for (uint32_t i = 0; i < 10; i++)
		test_random_stack(&p, &random, i % p.series.count);
	test_series(&p, "another", 77, 78);
	columns_write_dictionary(&p, &c.marks, &b);
	for (size_t len = 0; len < b.len; len++)
		assert_int_equal(columns_read_dictionary(&c.to, b.data, len), -EBADMSG);
	pass(&c, &p);
	was = profile_lines(&p);
	is = profile_lines(&c.to.profile);
	assert_string_equal(is, was);
	assert_int_equal(c.to.profile.lines.count, p.lines.count);
	assert_int_equal(c.to.profile.labels.count, p.labels.count);
	free(was);
	free(is);
	buffer_release(&b);
	channel_release(&c);
	profile_release(&p);
}

/* Slots come back sorted by sample and time; what aren't the samples' own is refused. */
static void test_moments(void **state)
{
	struct columns_slots slots = { 0 };
	struct buffer b = BUFFER_INIT(MAX_BYTES);
	struct columns_moment m[] = { { 1, 999 }, { 0, 5 }, { 1, 0 }, { 0, 300 }, { 1, 65535 } };
	static const uint16_t sorted[] = { 0, 999, 65535, 5, 300 };
	struct channel c;
	struct profile p;

	test_profile(&p);
	channel_init(&c);
	test_id(profile_series(&p, NULL, 0));
	test_series(&p, "a", 1, 1);
	test_stack(&p, 1, 2, "main@a", NULL);
	test_stack(&p, 0, 3, "main@a", "f@a", NULL);
	pass(&c, &p);
	assert_int_equal(columns_write_moments(&p, m, 5, &b), 0);
	assert_int_equal(columns_read_moments(&c.to, b.data, b.len, &slots), 0);
	assert_int_equal(slots.slots.count, 5);
	assert_memory_equal(slots.slots.items, sorted, sizeof(sorted));
	assert_int_equal(columns_read_moments(&c.to, b.data, b.len - 2, &slots), -EBADMSG);
	assert_int_equal(columns_read_moments(&c.to, b.data, b.len - 1, &slots), -EBADMSG);
	assert_int_equal(columns_write_moments(&p, m, 4, &b), -EINVAL);
	m[0].sample = 0;
	assert_int_equal(columns_write_moments(&p, m, 5, &b), -EINVAL);
	m[0].sample = 2;
	assert_int_equal(columns_write_moments(&p, m, 5, &b), -EINVAL);
	m[0] = (struct columns_moment){ 1, 65536 };
	assert_int_equal(columns_write_moments(&p, m, 5, &b), -EINVAL);
	array_release(&slots.slots);
	buffer_release(&b);
	channel_release(&c);
	profile_release(&p);
}

/* Every byte of it cut off, and every byte of it something else: an error, or a profile that is whole. */
static void test_damage(void **state)
{
	struct buffer dictionary = BUFFER_INIT(MAX_BYTES), samples = BUFFER_INIT(MAX_BYTES);
	struct columns_marks none = { 0 };
	struct profile p;
	uint64_t seed = 1;
	uint32_t refused = 0, taken = 0;

	test_random_profile(&p, 3, 30);
	columns_write_dictionary(&p, &none, &dictionary);
	assert_int_equal(columns_write_samples(&p, &p.counters, &samples), 0);
	for (uint32_t i = 0; i < dictionary.len + samples.len; i++) {
		struct buffer *b = i < dictionary.len ? &dictionary : &samples;
		size_t at = i < dictionary.len ? i : i - dictionary.len;
		char was = b->data[at];

		for (uint32_t how = 0; how < 4; how++) {
			struct columns_dictionary d;
			size_t cut = how ? 0 : b->len - at;
			int r;

			if (how)
				b->data[at] = (char)(test_random(&seed) & 0xff);
			assert_int_equal(columns_dictionary_init(&d, MAX_BYTES, 1 << 20), 0);
			r = columns_read_dictionary(&d, dictionary.data,
						    dictionary.len - (b == &dictionary ? cut : 0));
			if (r == 0)
				r = columns_read_samples(&d, samples.data,
							 samples.len - (b == &samples ? cut : 0));
			if (r == 0)
				free(profile_lines(&d.profile));
			assert_true(r == 0 || r == -EBADMSG || r == -E2BIG);
			assert_true(how || r < 0);
			*(r == 0 ? &taken : &refused) += 1;
			columns_dictionary_release(&d);
			b->data[at] = was;
		}
	}
	assert_true(refused > taken);
	buffer_release(&dictionary);
	buffer_release(&samples);
	profile_release(&p);
}

/* Promises of billions cost nothing. */
static void test_promises(void **state)
{
	for (uint32_t kind = 0; kind < 7; kind++) {
		struct columns_dictionary d;
		struct buffer b = BUFFER_INIT(MAX_BYTES);

		for (uint32_t i = 0; i < 7; i++) {
			varint_put(&b, i == 1 || i == 5);
			varint_put(&b, i == kind ? UINT32_MAX : 0);
		}
		assert_int_equal(columns_dictionary_init(&d, MAX_BYTES, 1 << 20), 0);
		assert_true(columns_read_dictionary(&d, b.data, b.len) < 0);
		columns_dictionary_release(&d);
		buffer_release(&b);
	}
}

static int write_and_read(void *ctx)
{
	const struct columns_marks none = { 0 };
	const struct profile *p = ctx;
	struct columns_dictionary d = { 0 };
	struct buffer dictionary = BUFFER_INIT(MAX_BYTES), samples = BUFFER_INIT(MAX_BYTES);
	int r;

	columns_write_dictionary(p, &none, &dictionary);
	r = buffer_error(&dictionary);
	if (r == 0)
		r = columns_write_samples(p, &p->counters, &samples);
	if (r == 0)
		r = columns_dictionary_init(&d, MAX_BYTES, 1 << 20);
	if (r == 0)
		r = columns_read_dictionary(&d, dictionary.data, dictionary.len);
	if (r == 0)
		r = columns_read_samples(&d, samples.data, samples.len);
	columns_dictionary_release(&d);
	buffer_release(&dictionary);
	buffer_release(&samples);
	return r;
}

static void test_torture(void **state)
{
	struct profile p;

	test_random_profile(&p, 3, 20);
	torture(write_and_read, &p);
	profile_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_varint),        cmocka_unit_test(test_varint_bad),
		cmocka_unit_test(test_same),          cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_golden),        cmocka_unit_test(test_moments),
		cmocka_unit_test(test_damage),        cmocka_unit_test(test_promises),
		cmocka_unit_test(test_torture),       cmocka_unit_test(test_amended),
		cmocka_unit_test(test_amended_badly), cmocka_unit_test(test_taken_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
