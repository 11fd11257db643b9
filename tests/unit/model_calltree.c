// SPDX-License-Identifier: Apache-2.0
#include "profiler/model/calltree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/encode_profile.h"
#include "tests/unit/torture.h"

/* Of all samples of the profile. */
static int sums_of(const struct calltree *t, struct call_sum **ret)
{
	return calltree_sums(t, t->profile->samples.items, t->profile->samples.count, ret);
}

static const struct call_sum *sum_of(const struct calltree *t, const struct call_sum *sums,
				     const char *name, const char *module)
{
	const struct call_sum *found = NULL;

	for (uint32_t i = 0; i < t->frames.count; i++) {
		const struct call_frame *f = &t->frames.items[i];
		const struct call_module *m = &t->modules.items[f->module];

		if (strcmp(profile_text(t->profile, f->name), name) || m->len != strlen(module) ||
		    memcmp(m->text, module, m->len))
			continue;
		assert_null(found);
		found = &sums[i];
	}
	if (!found)
		fail_msg("no frame %s of %s", name, module);
	return found;
}

static void expect(const struct calltree *t, const struct call_sum *sums, const char *name,
		   const char *module, uint64_t self, uint64_t total)
{
	const struct call_sum *s = sum_of(t, sums, name, module);

	if (s->self_count != self || s->total_count != total)
		fail_msg("%s: self %lu, total %lu; expected %lu, %lu", name,
			 (unsigned long)s->self_count, (unsigned long)s->total_count,
			 (unsigned long)self, (unsigned long)total);
	assert_int_equal(s->self_value, self * TEST_PERIOD_NS);
	assert_int_equal(s->total_value, total * TEST_PERIOD_NS);
}

static void test_self_and_total(void **state)
{
	struct call_sum *sums;
	struct calltree t;
	struct profile p;
	uint32_t s;

	test_profile(&p);
	s = test_series(&p, "a", 1, 1);
	test_stack(&p, s, 3, "main@/bin/a", "f@/bin/a", "g@/bin/a", NULL);
	test_stack(&p, s, 4, "main@/bin/a", "f@/bin/a", NULL);
	test_stack(&p, s, 5, "main@/bin/a", "g@/bin/a", NULL);
	/* Recursion, direct and not. */
	test_stack(&p, s, 10, "main@/bin/a", "f@/bin/a", "f@/bin/a", "g@/bin/a", "f@/bin/a", NULL);
	/* Equal names of two programs are two functions; two copies of a library are one. */
	test_stack(&p, s, 20, "main@/bin/b", NULL);
	test_stack(&p, s, 40, "malloc@/usr/lib/libc.so.6", NULL);
	test_stack(&p, s, 50, "malloc@/snap/lib/libc.so.6", NULL);
	test_stack(&p, s, 1, NULL);
	assert_int_equal(calltree_init(&t, &p), 0);
	assert_int_equal(sums_of(&t, &sums), 0);
	expect(&t, sums, "main", "a", 0, 22);
	expect(&t, sums, "f", "a", 14, 17);
	expect(&t, sums, "g", "a", 8, 18);
	expect(&t, sums, "main", "b", 20, 20);
	expect(&t, sums, "malloc", "libc.so.6", 90, 90);
	free(sums);
	calltree_release(&t);
	calltree_release(&t);
	profile_release(&p);
}

/* Innermost first in the location: the outermost is the one that others' callees hang below. */
static void test_inlined(void **state)
{
	struct profile_line lines[3];
	struct call_sum *sums;
	struct calltree t;
	struct profile p;
	uint32_t s, l, node;

	test_profile(&p);
	s = test_series(&p, "a", 1, 1);
	lines[0] = test_line(&p, "innermost", 1);
	lines[1] = test_line(&p, "outer", 2);
	lines[2] = test_line(&p, "outer", 3);
	l = test_id(profile_location(&p, test_mapping(&p, "a"), 0x1234, true, lines, 3));
	node = test_id(profile_node(&p, 0, l, 0));
	test_id(profile_add(&p, s, node, 2, 2 * TEST_PERIOD_NS));
	assert_int_equal(calltree_init(&t, &p), 0);
	assert_int_equal(sums_of(&t, &sums), 0);
	assert_int_equal(t.nodes.count, 4);
	node = t.node_of[node];
	assert_string_equal(profile_text(&p, t.frames.items[t.nodes.items[node].frame].name),
			    "innermost");
	expect(&t, sums, "innermost", "a", 2, 2);
	expect(&t, sums, "outer", "a", 0, 2);
	free(sums);
	calltree_release(&t);
	profile_release(&p);
}

/* The slow way: each stack walked by itself, each function counted at its first sight. */
static void slow_sums(const struct calltree *t, struct call_sum *sums)
{
	const struct profile *p = t->profile;
	uint32_t *seen = calloc(t->frames.count + 1, sizeof(*seen));

	for (uint32_t i = 0; i < p->samples.count; i++) {
		const struct profile_sample *s = &p->samples.items[i];
		uint32_t leaf = t->node_of[s->node];

		for (uint32_t n = leaf; n; n = t->nodes.items[n].parent) {
			uint32_t f = t->nodes.items[n].frame;

			if (n == leaf) {
				sums[f].self_count += s->count;
				sums[f].self_value += s->value;
			}
			if (seen[f] == i + 1)
				continue;
			seen[f] = i + 1;
			sums[f].total_count += s->count;
			sums[f].total_value += s->value;
		}
	}
	free(seen);
}

static void test_random_sums(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct call_sum *sums, *slow;
		uint64_t self = 0;
		struct calltree t;
		struct profile p;

		test_random_profile(&p, seed, 300);
		assert_int_equal(calltree_init(&t, &p), 0);
		assert_int_equal(sums_of(&t, &sums), 0);
		slow = calloc(t.frames.count, sizeof(*slow));
		slow_sums(&t, slow);
		for (uint32_t i = 0; i < t.frames.count; i++)
			assert_memory_equal(&sums[i], &slow[i], sizeof(*sums));
		for (uint32_t i = 0; i < t.frames.count; i++)
			self += sums[i].self_value;
		for (uint32_t i = 0; i < p.samples.count; i++)
			if (!p.samples.items[i].node)
				self += p.samples.items[i].value;
		assert_int_equal(self, profile_total_value(&p));
		free(slow);
		free(sums);
		calltree_release(&t);
		profile_release(&p);
	}
}

static int build(void *ctx)
{
	struct call_sum *sums = NULL;
	struct calltree t;
	int r = calltree_init(&t, ctx);

	if (r < 0)
		return r;
	r = sums_of(&t, &sums);
	free(sums);
	calltree_release(&t);
	return r;
}

static void test_torture(void **state)
{
	struct profile p;

	test_random_profile(&p, 3, 50);
	assert_true(torture(build, &p) > 10);
	profile_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_self_and_total),
		cmocka_unit_test(test_inlined),
		cmocka_unit_test(test_random_sums),
		cmocka_unit_test(test_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
