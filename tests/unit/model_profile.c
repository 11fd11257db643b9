// SPDX-License-Identifier: Apache-2.0
#include "profiler/model/profile.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/torture.h"

static uint32_t string(struct profile *p, const char *s)
{
	int r = profile_string(p, s, strlen(s));

	assert_true(r >= 0);
	return (uint32_t)r;
}

static uint32_t function(struct profile *p, const char *name)
{
	const struct profile_function f = { .name = string(p, name),
					    .system_name = string(p, name) };
	int r = profile_function(p, &f);

	assert_true(r >= 0);
	return (uint32_t)r;
}

static uint32_t location(struct profile *p, const char *name, uint64_t address)
{
	const struct profile_line line = { function(p, name), 1 };
	int r = profile_location(p, PROFILE_NONE, address, true, &line, 1);

	assert_true(r >= 0);
	return (uint32_t)r;
}

static void test_empty(void **state)
{
	struct profile p;

	assert_int_equal(profile_init(&p, 1 << 20, 100), 0);
	assert_int_equal(p.strings.count, 1);
	assert_string_equal(profile_text(&p, 0), "");
	assert_int_equal(profile_string(&p, "", 0), 0);
	assert_int_equal(p.nodes.count, 1);
	assert_int_equal(profile_total_count(&p), 0);
	assert_int_equal(profile_total_value(&p), 0);
	profile_release(&p);
	profile_release(&p);
}

static void test_equal_is_same(void **state)
{
	struct profile_mapping m = { .start = 0x1000,
				     .limit = 0x2000,
				     .kind = PROFILE_MAPPING_USER };
	struct profile_line lines[2] = { 0 };
	struct profile p;
	int first, other;

	assert_int_equal(profile_init(&p, 1 << 20, 1000), 0);
	assert_int_equal(string(&p, "a"), string(&p, "a"));
	assert_int_not_equal(string(&p, "a"), string(&p, "b"));
	/* Length is part of it: the second ends where the first goes on. */
	assert_int_not_equal(profile_string(&p, "abc", 3), profile_string(&p, "abc", 2));

	m.name = string(&p, "/bin/a");
	first = profile_mapping(&p, &m);
	assert_int_equal(profile_mapping(&p, &m), first);
	m.offset = 0x1000;
	assert_int_not_equal(profile_mapping(&p, &m), first);

	assert_int_equal(function(&p, "f"), function(&p, "f"));
	assert_int_not_equal(function(&p, "f"), function(&p, "g"));

	lines[0].function = function(&p, "f");
	lines[1].function = function(&p, "g");
	first = profile_location(&p, 0, 0x1234, true, lines, 2);
	assert_int_equal(profile_location(&p, 0, 0x1234, true, lines, 2), first);
	other = profile_location(&p, 0, 0x1234, true, lines, 1);
	assert_int_not_equal(other, first);
	other = profile_location(&p, 0, 0x1235, true, lines, 2);
	assert_int_not_equal(other, first);
	other = profile_location(&p, PROFILE_NONE, 0x1234, true, lines, 2);
	assert_int_not_equal(other, first);
	lines[1].line = 7;
	assert_int_not_equal(profile_location(&p, 0, 0x1234, true, lines, 2), first);
	assert_int_equal(p.lines.items[p.locations.items[first].first_line + 1].line, 0);

	assert_int_equal(profile_node(&p, 0, (uint32_t)first, 0),
			 profile_node(&p, 0, (uint32_t)first, 0));
	assert_int_not_equal(profile_node(&p, 0, (uint32_t)first, 0),
			     profile_node(&p, 0, (uint32_t)first, PROFILE_NODE_GUESSED));
	assert_int_not_equal(profile_node(&p, 0, (uint32_t)first, 0),
			     profile_node(&p, 1, (uint32_t)first, 0));
	profile_release(&p);
}

static void expect_lines(const struct profile *p, uint32_t location,
			 const struct profile_line *lines, uint32_t count)
{
	const struct profile_location *l = &p->locations.items[location];

	assert_int_equal(l->line_count, count);
	assert_memory_equal(&p->lines.items[l->first_line], lines, count * sizeof(*lines));
}

/* What was known first, what is known now, and what was known between. */
static void test_amended(void **state)
{
	struct profile_line a[2] = { 0 }, b[2] = { 0 }, c[1] = { 0 };
	struct profile p;
	uint32_t first, other;

	assert_int_equal(profile_init(&p, 1 << 20, 1000), 0);
	a[0].function = b[1].function = c[0].function = function(&p, "outer");
	b[0].function = function(&p, "inlined");
	b[0].line = c[0].line = 7;
	first = (uint32_t)profile_location(&p, PROFILE_NONE, 0x10, false, a, 1);
	other = (uint32_t)profile_location(&p, PROFILE_NONE, 0x20, false, a, 1);

	assert_int_equal(profile_location_amend(&p, first, false, a, 1), 0);
	assert_int_equal(p.amended.count, 0); /* nothing new */
	assert_int_equal(profile_location_amend(&p, first, true, b, 2), 0);
	assert_int_equal(p.amended.count, 1);
	assert_int_equal(p.amended.items[0].location, first);
	expect_lines(&p, first, b, 2);
	assert_int_equal(p.locations.items[first].named, 1);
	expect_lines(&p, other, a, 1);
	assert_int_equal(p.locations.items[other].named, 0);
	assert_int_equal(profile_location(&p, PROFILE_NONE, 0x10, true, a, 1), first);
	assert_int_equal(profile_location(&p, PROFILE_NONE, 0x10, true, b, 2), first);
	assert_int_equal(profile_location(&p, PROFILE_NONE, 0x20, true, a, 1), other);
	assert_int_equal(p.locations.count, 2);

	assert_int_equal(profile_location_amend(&p, first, true, c, 1), 0);
	assert_int_equal(p.amended.count, 2);
	expect_lines(&p, first, c, 1);
	assert_int_equal(profile_location(&p, PROFILE_NONE, 0x10, true, a, 1), first);
	assert_int_equal(profile_location(&p, PROFILE_NONE, 0x10, true, c, 1), first);
	assert_int_equal(p.locations.count, 2);
	/* Forgotten: another one, which is right by itself. */
	assert_int_equal(profile_location(&p, PROFILE_NONE, 0x10, true, b, 2), 2);
	expect_lines(&p, 2, b, 2);
	expect_lines(&p, first, c, 1);

	/* Two that have come to be the same, and one that is as it was made again. */
	assert_int_equal(profile_location_amend(&p, 2, true, c, 1), 0);
	assert_int_equal(profile_location(&p, PROFILE_NONE, 0x10, true, c, 1), first);
	assert_int_equal(profile_location(&p, PROFILE_NONE, 0x10, true, b, 2), 2);
	assert_int_equal(profile_location_amend(&p, first, true, a, 1), 0);
	assert_int_equal(profile_location(&p, PROFILE_NONE, 0x10, true, a, 1), first);
	assert_int_equal(profile_location(&p, PROFILE_NONE, 0x10, true, c, 1), 2);
	assert_int_equal(p.locations.count, 3);
	profile_release(&p);
}

/*
 * Beside a plain table of what each is: whatever was amended, ids stay, and what is asked for is
 * what is there.
 */
static void test_amended_often(void **state)
{
	struct profile_line lines[3] = { 0 };
	uint32_t line_of[50];
	struct profile p;
	uint64_t seed = 7;

	assert_int_equal(profile_init(&p, 1 << 20, 20000), 0);
	lines[0].function = function(&p, "f");
	for (uint32_t i = 0; i < 50; i++) {
		line_of[i] = lines[0].line = i % 3;
		assert_int_equal(profile_location(&p, PROFILE_NONE, i, true, lines, 1), i);
	}
	for (uint32_t i = 0; i < 5000; i++) {
		uint32_t id;

		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		id = (uint32_t)(seed >> 33) % 50;
		line_of[id] = lines[0].line = (uint32_t)(seed >> 40) % 100;
		assert_int_equal(profile_location_amend(&p, id, true, lines, 1), 0);
		assert_int_equal(profile_location(&p, PROFILE_NONE, id, true, lines, 1), id);
	}
	assert_int_equal(p.locations.count, 50);
	for (uint32_t i = 0; i < 50; i++) {
		lines[0].line = line_of[i];
		expect_lines(&p, i, lines, 1);
		lines[0].line = i % 3;
		assert_int_equal(profile_location(&p, PROFILE_NONE, i, true, lines, 1), i);
	}
	profile_release(&p);
}

static int amend_once(void *unused)
{
	struct profile_line lines[2] = { 0 };
	struct profile p;
	int r = profile_init(&p, 1 << 20, 1000), id = 0;

	(void)unused;
	if (r < 0)
		return r;
	r = profile_string(&p, "f", 1);
	if (r >= 0)
		r = profile_function(&p, &(struct profile_function){ .name = (uint32_t)r });
	if (r >= 0)
		r = id = profile_location(&p, PROFILE_NONE, 1, true, lines, 1);
	lines[0].line = 5;
	if (r >= 0)
		r = profile_location_amend(&p, (uint32_t)id, true, lines, 2);
	if (r < 0 && p.locations.count)
		assert_int_equal(p.locations.items[0].line_count, 1);
	profile_release(&p);
	return r;
}

static void test_amended_torture(void **state)
{
	struct profile_line lines[1001] = { 0 };
	struct profile p;

	torture(amend_once, NULL);
	assert_int_equal(profile_init(&p, 1 << 20, 10), 0);
	function(&p, "f");
	assert_int_equal(profile_location(&p, PROFILE_NONE, 1, true, lines, 4), 0);
	assert_int_equal(profile_location_amend(&p, 0, true, lines, 1001), -E2BIG);
	assert_int_equal(profile_location_amend(&p, 0, true, lines, 7), -E2BIG);
	expect_lines(&p, 0, lines, 4);
	assert_int_equal(profile_location_amend(&p, 0, true, lines, 6), 0);
	expect_lines(&p, 0, lines, 6);
	profile_release(&p);
}

static void test_series_labels(void **state)
{
	struct profile p;
	struct profile_label l[65] = { 0 };
	int a, b;

	assert_int_equal(profile_init(&p, 1 << 20, 1000), 0);
	l[0] = (struct profile_label){ string(&p, "comm"), string(&p, "sh"), 0 };
	l[1] = (struct profile_label){ string(&p, "pid"), PROFILE_NONE, -7 };
	a = profile_series(&p, l, 2);
	assert_int_equal(profile_series(&p, l, 2), a);
	/* A text's number says nothing, and does not make another series. */
	l[0].number = 99;
	assert_int_equal(profile_series(&p, l, 2), a);
	l[1].number = -8;
	b = profile_series(&p, l, 2);
	assert_int_not_equal(b, a);
	assert_int_not_equal(profile_series(&p, l, 1), a);
	assert_int_equal(profile_series(&p, NULL, 0), profile_series(&p, NULL, 0));

	assert_int_equal(profile_label_find(&p, (uint32_t)a, "pid")->number, -7);
	assert_int_equal(profile_label_find(&p, (uint32_t)b, "pid")->number, -8);
	assert_int_equal(profile_label_find(&p, (uint32_t)b, "comm")->text, string(&p, "sh"));
	assert_null(profile_label_find(&p, (uint32_t)b, "tid"));

	for (uint32_t i = 0; i < 65; i++) {
		char key[] = "key.";

		key[3] = (char)('0' + i);
		l[i] = (struct profile_label){ string(&p, key), PROFILE_NONE, 0 };
	}
	assert_int_equal(profile_series(&p, l, 65), -E2BIG);
	assert_true(profile_series(&p, l, 64) >= 0);
	profile_release(&p);
}

static void test_any_bytes(void **state)
{
	static const char *const names[] = {
		"a\nb", "\033[2J", "\xff\xfe", "\xc3", ";", " ", "\x01"
	};
	struct profile p;
	char longer[10000];

	assert_int_equal(profile_init(&p, 1 << 20, 100), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_string_equal(profile_text(&p, string(&p, names[i])), names[i]);
	memset(longer, 'x', sizeof(longer));
	assert_int_equal(profile_string(&p, longer, sizeof(longer)),
			 profile_string(&p, longer, sizeof(longer)));
	assert_int_equal(p.strings.items[p.strings.count - 1].len, sizeof(longer));
	profile_release(&p);
}

static void test_limits(void **state)
{
	struct profile p;
	struct profile_line lines[1001] = { 0 };
	char name[] = "s000";
	int r = 0;

	assert_int_equal(profile_init(&p, 1 << 20, 10), 0);
	for (int i = 0; i < 20 && r >= 0; i++) {
		name[2] = (char)('0' + i / 10);
		name[3] = (char)('0' + i % 10);
		r = profile_string(&p, name, 4);
	}
	assert_int_equal(r, -E2BIG);
	assert_int_equal(p.strings.count, 10);
	/* What is there is still found, and other arrays have room. */
	assert_int_equal(profile_string(&p, "s000", 4), 1);
	function(&p, "s000");
	r = 0;
	for (uint64_t i = 0; i < 20 && r >= 0; i++)
		r = profile_location(&p, PROFILE_NONE, i, true, lines, 1);
	assert_int_equal(r, -E2BIG);
	assert_int_equal(p.locations.count, 10);
	assert_int_equal(p.lines.count, 10);
	r = 0;
	for (uint32_t i = 0; i < 20 && r >= 0; i++)
		r = profile_node(&p, i, 0, 0);
	assert_int_equal(r, -E2BIG);
	assert_int_equal(p.nodes.count, 10);
	profile_release(&p);

	assert_int_equal(profile_init(&p, 1 << 20, 10000), 0);
	function(&p, "f");
	assert_int_equal(profile_location(&p, PROFILE_NONE, 0, true, lines, 1001), -E2BIG);
	assert_int_equal(profile_location(&p, PROFILE_NONE, 0, true, lines, 1000), 0);
	profile_release(&p);
}

static void test_text_limit(void **state)
{
	struct profile p;
	char name[1000];
	int r = 0;

	assert_int_equal(profile_init(&p, 200 << 10, 1 << 20), 0);
	memset(name, 'x', sizeof(name));
	for (uint32_t i = 0; i < 1000 && r >= 0; i++) {
		memcpy(name, &(uint32_t){ i | 0x80808080 }, 4);
		r = profile_string(&p, name, sizeof(name));
	}
	assert_int_equal(r, -E2BIG);
	assert_in_range(p.strings.count, 100, 205);
	profile_release(&p);
	assert_int_equal(profile_init(&p, 0, 10), -E2BIG);
}

static void test_sums_do_not_wrap(void **state)
{
	struct profile p;
	int s;

	assert_int_equal(profile_init(&p, 1 << 20, 10), 0);
	s = profile_series(&p, NULL, 0);
	assert_int_equal(profile_add(&p, (uint32_t)s, 0, 1, UINT64_MAX - 1), 0);
	assert_int_equal(profile_add(&p, (uint32_t)s, 0, 1, 5), 0);
	assert_int_equal(p.samples.count, 1);
	assert_int_equal(p.samples.items[0].count, 2);
	assert_true(profile_total_value(&p) == UINT64_MAX);
	profile_release(&p);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1dULL;
}

#define LETTERS 5
#define MAX_DEPTH 12

static uint32_t node_of(struct profile *p, const char *stack)
{
	int node = 0;

	for (; *stack; stack++) {
		const char name[2] = { *stack, '\0' };

		node = profile_node(p, (uint32_t)node, location(p, name, (unsigned char)*stack), 0);
		assert_true(node >= 0);
	}
	return (uint32_t)node;
}

/* Stacks are words; a table of words beside the profile counts the slow way. */
static void random_words(uint64_t seed)
{
	static struct {
		char word[MAX_DEPTH + 1];
		uint64_t count, value;
	} seen[4000];
	uint32_t seen_count = 0;
	uint64_t count = 0, value = 0;
	struct profile p;
	int series;

	memset(seen, 0, sizeof(seen));
	assert_int_equal(profile_init(&p, 1 << 20, 1 << 16), 0);
	series = profile_series(&p, NULL, 0);
	for (uint32_t i = 0; i < 4000; i++) {
		char word[MAX_DEPTH + 1] = { 0 };
		uint32_t depth = next_random(&seed) % (i % 10 ? 4 : MAX_DEPTH), found = 0;
		uint64_t n = next_random(&seed) % 10, v = next_random(&seed) % 100000;

		for (uint32_t j = 0; j < depth; j++)
			word[j] = (char)('a' + next_random(&seed) % LETTERS);
		while (found < seen_count && strcmp(seen[found].word, word))
			found++;
		if (found == seen_count)
			memcpy(seen[seen_count++].word, word, sizeof(word));
		seen[found].count += n;
		seen[found].value += v;
		count += n;
		value += v;
		assert_true(profile_add(&p, (uint32_t)series, node_of(&p, word), n, v) >= 0);
	}
	assert_int_equal(p.samples.count, seen_count);
	assert_int_equal(profile_total_count(&p), count);
	assert_int_equal(profile_total_value(&p), value);
	for (uint32_t i = 0; i < seen_count; i++) {
		int id = profile_add(&p, (uint32_t)series, node_of(&p, seen[i].word), 0, 0);

		assert_int_equal(p.samples.items[id].count, seen[i].count);
		assert_int_equal(p.samples.items[id].value, seen[i].value);
	}
	for (uint32_t i = 1; i < p.nodes.count; i++)
		assert_true(p.nodes.items[i].parent < i);
	profile_release(&p);
}

static void test_random_words(void **state)
{
	for (uint64_t seed = 1; seed <= 5; seed++)
		random_words(seed);
}

/* One of each; after a failure what was made before is still found under its number. */
static int fill(void *ctx)
{
	struct profile p;
	struct profile_mapping m = { .limit = 1 };
	struct profile_label label = { .text = PROFILE_NONE };
	int r = profile_init(&p, 1 << 20, 1000), string_id;

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < 30 && r >= 0; i++) {
		struct profile_function f = { .start_line = i };
		struct profile_line line = { .line = i };

		r = string_id = profile_string(&p, (const char *)&(uint32_t){ i | 0x20202020 }, 4);
		if (r < 0)
			break;
		f.name = f.system_name = m.name = label.key = (uint32_t)string_id;
		r = profile_mapping(&p, &m);
		if (r >= 0)
			r = profile_function(&p, &f);
		if (r < 0)
			break;
		line.function = (uint32_t)r;
		r = profile_location(&p, p.mappings.count - 1, i, true, &line, 1);
		if (r >= 0)
			r = profile_node(&p, p.nodes.count - 1, (uint32_t)r, 0);
		if (r >= 0)
			r = profile_series(&p, &label, 1);
		if (r >= 0)
			r = profile_add(&p, (uint32_t)r, p.nodes.count - 1, 1, 1);
	}
	assert_int_equal(profile_total_count(&p), p.samples.count);
	for (uint32_t i = 0; i < p.strings.count; i++)
		assert_int_equal(profile_string(&p, profile_text(&p, i), p.strings.items[i].len),
				 i);
	for (uint32_t i = 0; i < p.mappings.count; i++)
		assert_int_equal(profile_mapping(&p, &p.mappings.items[i]), i);
	profile_release(&p);
	return r < 0 ? r : 0;
}

static void test_torture(void **state)
{
	assert_true(torture(fill, NULL) > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_equal_is_same),
		cmocka_unit_test(test_series_labels),
		cmocka_unit_test(test_any_bytes),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_text_limit),
		cmocka_unit_test(test_sums_do_not_wrap),
		cmocka_unit_test(test_random_words),
		cmocka_unit_test(test_amended),
		cmocka_unit_test(test_amended_often),
		cmocka_unit_test(test_amended_torture),
		cmocka_unit_test(test_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
