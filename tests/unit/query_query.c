// SPDX-License-Identifier: Apache-2.0
/*
 * What is left of stacks, as a table: patterns and collapsed stacks in, collapsed stacks out. That pprof leaves the
 * same is tests/e2e/query.bats's.
 */
#include "profiler/query/query.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "profiler/query/merge.h"
#include "tests/unit/encode_profile.h"
#include "tests/unit/torture.h"

/* One line a sample: "comm: outermost inner+inlined … COUNT". */
static void write_out(const struct profile *p, struct buffer *out)
{
	for (uint32_t i = 0; i < p->samples.count; i++) {
		const struct profile_sample *s = &p->samples.items[i];
		const struct profile_label *comm = profile_label_find(p, s->series, "comm");
		uint32_t path[64], depth = 0;

		buffer_printf(out, "%s:", profile_text(p, comm->text));
		for (uint32_t n = s->node; n; n = p->nodes.items[n].parent)
			path[depth++] = p->nodes.items[n].location;
		while (depth--) {
			const struct profile_location *l = &p->locations.items[path[depth]];

			for (uint32_t j = l->line_count; j-- > 0;)
				buffer_printf(
					out, "%c%s", j + 1 == l->line_count ? ' ' : '+',
					profile_text(
						p, p->functions
							   .items[p->lines.items[l->first_line + j]
									  .function]
							   .name));
		}
		buffer_printf(out, " %d\n", (int)s->count);
	}
}

/* "a.c" is the file of a, module "lib" holds all but main; c is inlined into b at one place. */
static void make(struct profile *p)
{
	uint32_t x, y, node, bc;
	struct profile_function f = { 0 };
	struct profile_line lines[2], line = { 0 };

	test_profile(p);
	x = test_series(p, "x", 1, 1);
	y = test_series(p, "y", 2, 2);
	test_stack(p, x, 1, "main@bin", "a@lib", "b@lib", NULL);
	test_stack(p, x, 2, "main@bin", "a@lib", "a@lib", "a@lib", NULL);
	test_stack(p, y, 3, "main@bin", "b@lib", NULL);
	test_stack(p, y, 4, NULL);
	lines[0] = test_line(p, "c", 3);
	lines[1] = test_line(p, "b", 2);
	bc = test_id(profile_location(p, test_mapping(p, "lib"), 0x5000, true, lines, 2));
	node = test_id(profile_node(p, 0, test_location(p, "main@bin"), 0));
	node = test_id(profile_node(p, node, bc, 0));
	test_id(profile_add(p, y, node, 5, 5 * TEST_PERIOD_NS));
	f.name = f.system_name = test_string(p, "filed");
	f.file = test_string(p, "/src/a.c");
	line.function = test_id(profile_function(p, &f));
	node = test_id(profile_node(
		p, 0, test_id(profile_location(p, PROFILE_NONE, 1, true, &line, 1)), 0));
	test_id(profile_add(p, y, node, 6, 6 * TEST_PERIOD_NS));
}

static const struct {
	enum query_parameter parameters[3];
	const char *values[3];
	const char *left;
} selections[] = {
	{ { 0 },
	  { NULL },
	  "x: main a b 1\nx: main a a a 2\ny: main b 3\ny: 4\ny: main b+c 5\ny: filed 6\n" },
	{ { QUERY_QUERY }, { "comm=\"x\"" }, "x: main a b 1\nx: main a a a 2\n" },
	{ { QUERY_QUERY, QUERY_FOCUS }, { "comm=\"y\"", "b" }, "y: main b 3\ny: main b+c 5\n" },
	{ { QUERY_FOCUS }, { "^a$" }, "x: main a b 1\nx: main a a a 2\n" },
	{ { QUERY_FOCUS },
	  { "lib" },
	  "x: main a b 1\nx: main a a a 2\ny: main b 3\ny: main b+c 5\n" },
	{ { QUERY_FOCUS }, { "a\\.c" }, "y: filed 6\n" },
	{ { QUERY_FOCUS }, { "nothing" }, "" },
	{ { QUERY_IGNORE }, { "^a$" }, "y: main b 3\ny: main b+c 5\ny: filed 6\n" },
	{ { QUERY_FOCUS, QUERY_IGNORE }, { "^b$", "^c$" }, "x: main a b 1\ny: main b 3\n" },
	{ { QUERY_HIDE },
	  { "^a$" },
	  "x: main b 1\nx: main 2\ny: main b 3\ny: main b+c 5\ny: filed 6\n" },
	{ { QUERY_HIDE },
	  { "^c$" },
	  "x: main a b 1\nx: main a a a 2\ny: main b 3\ny: main b 5\ny: filed 6\n" },
	{ { QUERY_HIDE }, { "lib|filed" }, "x: main 3\ny: main 8\n" },
	{ { QUERY_SHOW }, { "^(b|c)$" }, "x: b 1\ny: b 3\ny: b+c 5\n" },
	{ { QUERY_SHOW }, { "^c$" }, "y: c 5\n" },
	{ { QUERY_SHOW_FROM }, { "^a$" }, "x: a b 1\nx: a a a 2\n" },
	{ { QUERY_SHOW_FROM }, { "^c$" }, "y: c 5\n" },
	{ { QUERY_SHOW_FROM }, { "lib" }, "x: a b 1\nx: a a a 2\ny: b 3\ny: b+c 5\n" },
	{ { QUERY_HIDE, QUERY_SHOW_FROM }, { "^a$", "^b$" }, "x: b 1\ny: b 3\ny: b+c 5\n" },
	{ { QUERY_RECURSION },
	  { "" },
	  "x: main a b 1\nx: main a 2\ny: main b 3\ny: 4\ny: main b+c 5\ny: filed 6\n" },
	{ { QUERY_RECURSION, QUERY_SHOW }, { "", "^(main|a)$" }, "x: main a 3\ny: main 8\n" },
};

static void test_selections(void **state)
{
	struct profile p;

	make(&p);
	for (size_t i = 0; i < sizeof(selections) / sizeof(selections[0]); i++) {
		struct buffer out = BUFFER_INIT(1 << 16);
		struct err err = { "" };
		struct profile selected;
		struct query *q;

		assert_int_equal(query_new(&q), 0);
		for (int k = 0; k < 3 && selections[i].values[k]; k++)
			assert_int_equal(query_set(q, selections[i].parameters[k],
						   selections[i].values[k], &err),
					 0);
		if (query_run(q, &p, &selected, &err) != 0)
			fail_msg("selection %zu: %s", i, err.text);
		write_out(&selected, &out);
		buffer_append(&out, "", 1);
		if (strcmp(out.data, selections[i].left) != 0)
			fail_msg("selection %zu: is\n%sshould be\n%s", i, out.data,
				 selections[i].left);
		profile_release(&selected);
		query_free(q);
		buffer_release(&out);
	}
	profile_release(&p);
}

/* Nothing that no sample uses is taken over. */
static void test_only_what_is_used(void **state)
{
	struct profile p, selected;
	struct query *q;

	make(&p);
	assert_int_equal(query_new(&q), 0);
	assert_int_equal(query_set(q, QUERY_FOCUS, "filed", NULL), 0);
	assert_int_equal(query_run(q, &p, &selected, NULL), 0);
	assert_int_equal(selected.functions.count, 1);
	assert_int_equal(selected.mappings.count, 0);
	assert_int_equal(selected.nodes.count, 2);
	assert_int_equal(selected.series.count, 1);
	assert_true(selected.facts.filtered && selected.selected);
	query_free(q);
	profile_release(&selected);
	profile_release(&p);
}

static void test_refused(void **state)
{
	struct err err;
	struct query *q;

	assert_int_equal(query_new(&q), 0);
	assert_int_equal(query_set(q, QUERY_FOCUS, "a(", &err), -EINVAL);
	assert_non_null(strstr(
		err.text,
		"focus: regular expression \"a(\": missing closing parenthesis, at character 3"));
	assert_int_equal(query_set(q, QUERY_HIDE, "a", &err), 0);
	assert_int_equal(query_set(q, QUERY_HIDE, "b", &err), -EINVAL);
	assert_string_equal(err.text, "hide is given twice");
	query_free(q);
}

/* Two windows of one capture are that capture again. */
static void test_merge(void **state)
{
	struct profile p, to;
	uint64_t total;

	test_random_profile(&p, 5, 500);
	p.counters.value[COUNTER_SAMPLES_MISSED] = 3;
	total = profile_total_value(&p);
	assert_int_equal(profile_init(&to, 64 << 20, 1 << 22), 0);
	assert_int_equal(merge_profile(&to, &p), 0);
	assert_int_equal(to.samples.count, p.samples.count);
	assert_int_equal(profile_total_value(&to), total);
	assert_int_equal(merge_profile(&to, &p), 0);
	assert_int_equal(to.samples.count, p.samples.count);
	assert_int_equal(to.nodes.count, p.nodes.count);
	assert_int_equal(profile_total_value(&to), 2 * total);
	assert_int_equal(to.facts.duration_ns, 2 * p.facts.duration_ns);
	assert_int_equal(to.facts.time_ns, p.facts.time_ns);
	assert_int_equal(counters_lost(&to.counters), 6);
	p.facts.value_unit = "count";
	assert_int_equal(merge_profile(&to, &p), -EINVAL);
	profile_release(&p);
	profile_release(&to);
}

static int query_some(void *ctx)
{
	struct profile selected;
	struct query *q;
	int r = query_new(&q);

	if (r < 0)
		return r;
	r = query_set(q, QUERY_QUERY, "comm=~\".*\"", NULL);
	if (r == 0)
		r = query_set(q, QUERY_HIDE, "^a$", NULL);
	if (r == 0)
		r = query_run(q, ctx, &selected, NULL);
	if (r == 0)
		profile_release(&selected);
	query_free(q);
	return r;
}

static void test_torture(void **state)
{
	struct profile p;

	make(&p);
	assert_true(torture(query_some, &p) > 20);
	profile_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_selections), cmocka_unit_test(test_only_what_is_used),
		cmocka_unit_test(test_refused),    cmocka_unit_test(test_merge),
		cmocka_unit_test(test_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
