// SPDX-License-Identifier: Apache-2.0
/*
 * What holds for any profile: sums that add up, at every node, whatever is pruned, below whatever root frames.
 */
#include "profiler/encode/flametree.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "profiler/encode/flamegraph.h"
#include "tests/unit/encode_profile.h"
#include "tests/unit/json_check.h"
#include "tests/unit/torture.h"

static void expect(const char *what, uint64_t is, uint64_t should)
{
	if (is != should)
		fail_msg("%s: %lu, not %lu", what, is, should);
}

/* Of each node: its self and its children's totals are its total. */
static void check_sums(const struct flametree *t, const struct profile *p)
{
	uint64_t *children = calloc(t->nodes.count, sizeof(*children));
	uint64_t self = 0;

	assert_non_null(children);
	for (uint32_t i = 1; i < t->nodes.count; i++) {
		assert_true(t->nodes.items[i].parent < i);
		children[t->nodes.items[i].parent] += flame_total(&t->nodes.items[i]);
	}
	for (uint32_t i = 0; i < t->nodes.count; i++) {
		const struct flame_node *n = &t->nodes.items[i];

		expect("total", flame_total(n), n->self[0] + n->self[1] + children[i]);
		self += n->self[0];
	}
	expect("all", flame_total(&t->nodes.items[0]), profile_total_value(p));
	expect("all of the first side", self, profile_total_value(p));
	free(children);
}

static void check_shown(const struct flametree *t, uint32_t max, uint64_t least)
{
	uint32_t shown = 0, merged = 0, hidden = 0;

	for (uint32_t i = 0; i < t->nodes.count; i++) {
		const struct flame_node *n = &t->nodes.items[i];
		uint64_t above = UINT64_MAX;

		hidden += !n->shown && flame_total(n);
		if (!n->shown)
			continue;
		shown++;
		merged += n->merged;
		assert_true(t->nodes.items[n->parent].shown);
		assert_true(!i || flame_total(n) >= least);
		for (uint32_t c = n->first_child; c; c = t->nodes.items[c].next_sibling) {
			expect("a child's parent", t->nodes.items[c].parent, i);
			assert_true(flame_total(&t->nodes.items[c]) <= above);
			above = flame_total(&t->nodes.items[c]);
		}
	}
	expect("shown", t->shown, shown);
	assert_true(shown <= max);
	expect("merged into others", merged, hidden);
}

static void test_sums(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed < 30; seed++) {
		const uint32_t limits[] = { 1, 2, 7, 100, 1u << 20 };
		struct root_keys keys;
		struct calltree calls;
		struct profile p;
		uint32_t counts[2] = { 0 };

		assert_int_equal(root_keys_parse(&keys, "comm,pid", NULL), 0);
		test_random_profile(&p, seed, (uint32_t)seed * 7);
		assert_int_equal(calltree_init(&calls, &p), 0);
		for (size_t i = 0; i < 10; i++) {
			const struct flame_side side = { p.samples.items, p.samples.count };
			uint32_t max = limits[i / 2];
			uint64_t least = i == 9 ? 5 * TEST_PERIOD_NS : 0;
			struct flametree t;

			assert_int_equal(flametree_init(&t, &calls, i % 2 ? &keys : NULL, &side, 1),
					 0);
			check_sums(&t, &p);
			assert_int_equal(flametree_prune(&t, max, least), 0);
			check_shown(&t, max, least);
			counts[i % 2] = t.nodes.count;
			flametree_release(&t);
		}
		/* Under nine roots there is at least what is there without. */
		assert_true(counts[1] > counts[0]);
		calltree_release(&calls);
		profile_release(&p);
	}
}

static int encode(void *ctx)
{
	struct buffer out = BUFFER_INIT(1 << 20);
	struct flamegraph_options o = { .max_nodes = 10, .min_share = 0.01 };
	struct root_keys keys;
	int r;

	assert_int_equal(root_keys_parse(&keys, "comm", NULL), 0);
	o.root = &keys;
	r = flamegraph_encode(ctx, &o, &out);
	if (r == 0)
		assert_true(json_is_valid(out.data, out.len));
	buffer_release(&out);
	return r;
}

static void test_memory(void **state)
{
	struct profile p;

	(void)state;
	test_random_profile(&p, 3, 20);
	assert_true(torture(encode, &p) > 10);
	profile_release(&p);
	/* Nothing is a tree, too. */
	test_profile(&p);
	assert_int_equal(encode(&p), 0);
	profile_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
