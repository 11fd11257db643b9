// SPDX-License-Identifier: Apache-2.0
#include "profiler/aggregate/window.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/torture.h"

/* So many nodes and samples. */
#define EACH(n) (&(struct window_limits){ .bytes = (n), .node_bytes = 1, .sample_bytes = 1 })

static const struct window_series sh = { .pid = 7, .tid = 8, .comm = "sh", .process_comm = "sh" };

static uint64_t total_count(const struct window *w)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < w->samples.count; i++)
		sum += w->samples.items[i].count;
	return sum;
}

static uint64_t total_value(const struct window *w)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < w->samples.count; i++)
		sum += w->samples.items[i].value;
	return sum;
}

static void test_stack_comes_back(void **state)
{
	static const struct window_frame frames[] = {
		{ 0xffffffff81000000, WINDOW_SPACE_KERNEL, 0 },
		{ 0x1000, WINDOW_SPACE_FILES + 3, 0 },
		{ 0x2000, WINDOW_SPACE_FILES + 3, WINDOW_FRAME_GUESSED },
		{ 0, WINDOW_SPACE_TRUNCATED, 0 },
	};
	struct window w;
	uint32_t n;

	assert_int_equal(window_init(&w, EACH(100)), 0);
	assert_int_equal(window_add(&w, &sh, frames, 4, 0, 10), 0);
	assert_int_equal(w.samples.count, 1);
	assert_memory_equal(&w.series.items[w.samples.items[0].series], &sh, sizeof(sh));
	n = w.samples.items[0].node;
	for (uint32_t i = 0; i < 4; i++, n = w.nodes.items[n].parent) {
		const struct window_location *l = &w.locations.items[w.nodes.items[n].location];

		assert_int_not_equal(n, 0);
		assert_true(l->address == frames[i].address);
		assert_int_equal(l->space, frames[i].space);
		assert_int_equal(w.nodes.items[n].flags, frames[i].flags);
	}
	assert_int_equal(n, 0);
	window_release(&w);
	window_release(&w);
}

static void test_what_differs_is_apart(void **state)
{
	const struct window_frame base = { 0x1000, WINDOW_SPACE_FILES, 0 };
	const struct window_frame others[] = {
		{ 0x1001, WINDOW_SPACE_FILES, 0 },
		{ 0x1000, WINDOW_SPACE_FILES + 1, 0 },
		{ 0x1000, WINDOW_SPACE_ANONYMOUS, 0 },
		{ 0x1000, WINDOW_SPACE_FILES, WINDOW_FRAME_GUESSED },
	};
	struct window_series again = sh;
	struct window w;

	assert_int_equal(window_init(&w, EACH(100)), 0);
	assert_int_equal(window_add(&w, &sh, &base, 1, 0, 1), 0);
	assert_int_equal(window_add(&w, &sh, &base, 1, 0, 1), 0);
	assert_int_equal(w.samples.count, 1);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(window_add(&w, &sh, &others[i], 1, 0, 1), 0);
		assert_int_equal(w.samples.count, 2 + i);
	}
	/* The same place, guessed or not, is one location. */
	assert_int_equal(w.locations.count, 4);
	again.start_ns = 1;
	assert_int_equal(window_add(&w, &again, &base, 1, 0, 1), 0);
	assert_int_equal(w.series.count, 2);
	assert_int_equal(w.samples.count, 6);
	assert_int_equal(window_add(&w, &sh, NULL, 0, 0, 1), 0);
	assert_int_equal(w.samples.items[6].node, 0);
	assert_int_equal(total_count(&w), 8);
	window_release(&w);
}

/* Common callers are stored once. */
static void test_prefixes_are_shared(void **state)
{
	struct window_frame frames[100];
	struct window w;

	assert_int_equal(window_init(&w, EACH(10000)), 0);
	for (uint32_t i = 0; i < 100; i++)
		frames[i] = (struct window_frame){ i * 16, WINDOW_SPACE_FILES, 0 };
	for (uint32_t i = 0; i < 50; i++) {
		frames[0].address = 0x10000 + i;
		assert_int_equal(window_add(&w, &sh, frames, 100, 0, 1), 0);
	}
	assert_int_equal(w.nodes.count, 1 + 99 + 50);
	assert_int_equal(w.locations.count, 99 + 50);
	window_release(&w);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1dULL;
}

static void random_adds(uint64_t seed, uint32_t max_items)
{
	uint64_t count = 0, value = 0, refused = 0;
	struct window w;

	assert_int_equal(window_init(&w, EACH(max_items)), 0);
	for (uint32_t i = 0; i < 5000; i++) {
		struct window_frame frames[16];
		struct window_series s = sh;
		uint32_t depth = next_random(&seed) % 16;
		uint64_t v = next_random(&seed) % 1000000;
		int r;

		s.tid = next_random(&seed) % 10;
		for (uint32_t j = 0; j < depth; j++)
			frames[j] = (struct window_frame){ next_random(&seed) % 4,
							   WINDOW_SPACE_FILES, j % 2 };
		r = window_add(&w, &s, frames, depth, 0, v);
		if (r < 0) {
			assert_int_equal(r, -E2BIG);
			refused++;
			continue;
		}
		count++;
		value += v;
	}
	assert_int_equal(total_count(&w), count);
	assert_int_equal(total_value(&w), value);
	assert_true(w.used_bytes <= max_items);
	assert_int_equal(w.used_bytes, w.nodes.count - 1 + w.samples.count);
	assert_int_equal(refused > 0, max_items < 5000);
	for (uint32_t i = 1; i < w.nodes.count; i++)
		assert_true(w.nodes.items[i].parent < i);
	window_release(&w);
}

static void test_totals_are_the_adds(void **state)
{
	for (uint64_t seed = 1; seed <= 3; seed++) {
		random_adds(seed, 1 << 20);
		random_adds(seed, 1000);
		random_adds(seed, 1);
	}
}

static void test_sums_do_not_wrap(void **state)
{
	struct window w;

	assert_int_equal(window_init(&w, EACH(10)), 0);
	assert_int_equal(window_add(&w, &sh, NULL, 0, 0, UINT64_MAX - 1), 0);
	assert_int_equal(window_add(&w, &sh, NULL, 0, 0, 9), 0);
	assert_true(w.samples.items[0].value == UINT64_MAX);
	window_release(&w);
}

/* Each kind by what it takes; what isn't new takes nothing. */
static void test_bytes(void **state)
{
	static const struct window_limits limits = { 1111 + 1110, 1000, 100, 10, 1, 0 };
	struct window_frame f = { .address = 1, .space = WINDOW_SPACE_FILES };
	struct window_series other = sh;
	struct window w;

	assert_int_equal(window_init(&w, &limits), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(window_add(&w, &sh, &f, 1, 0, 1), 0);
	assert_int_equal(w.used_bytes, 1111);
	other.tid = 99;
	f.address = 2;
	assert_int_equal(window_add(&w, &other, &f, 1, 0, 1), -E2BIG);
	assert_int_equal(w.used_bytes, 2221);
	assert_int_equal(total_count(&w), 3);
	assert_int_equal(window_add(&w, &sh, &f, 1, 0, 1), -E2BIG);
	f.address = 1;
	assert_int_equal(window_add(&w, &sh, &f, 1, 0, 1), 0);
	assert_int_equal(total_count(&w), 4);
	window_release(&w);
}

/* The tree goes on, the samples don't; their room is there again. */
static void test_windows_follow_each_other(void **state)
{
	static const struct window_limits limits = { 1111 + 5, 1000, 100, 10, 1, 2 };
	const struct window_frame f = { .address = 1, .space = WINDOW_SPACE_FILES };
	struct window w;

	assert_int_equal(window_init(&w, &limits), 0);
	for (uint64_t start = 0; start < 3; start++) {
		const uint64_t begin_ns = start * WINDOW_SLOT_NS * 100;

		window_clear_samples(&w, begin_ns);
		assert_int_equal(w.used_bytes, start ? 1110 : 0);
		assert_int_equal(window_add(&w, &sh, &f, 1, begin_ns + 3 * WINDOW_SLOT_NS, 7), 0);
		/* One that came late is of this window, too. */
		assert_int_equal(window_add(&w, &sh, &f, 1, begin_ns / 2, 7), 0);
		assert_int_equal(w.used_bytes, 1110 + 1 + 2 * 2);
		assert_int_equal(window_add(&w, &sh, &f, 1, begin_ns, 7), -E2BIG);
		assert_int_equal(total_count(&w), 2);
		assert_int_equal(total_value(&w), 14);
		assert_int_equal(w.moments.count, 2);
		assert_int_equal(w.moments.items[0].slot, 3);
		assert_int_equal(w.moments.items[1].slot, 0);
		assert_int_equal(w.nodes.count, 2);
		assert_int_equal(w.series.count, 1);
	}
	assert_true(window_knows(&w, 1, WINDOW_SPACE_FILES));
	assert_false(window_knows(&w, 2, WINDOW_SPACE_FILES));
	window_release(&w);
}

static void test_a_late_slot_is_the_last(void **state)
{
	static const struct window_limits limits = { 1000000, 1, 1, 1, 1, 1 };
	struct window w;

	assert_int_equal(window_init(&w, &limits), 0);
	assert_int_equal(window_add(&w, &sh, NULL, 0, 65534 * WINDOW_SLOT_NS, 1), 0);
	assert_int_equal(window_add(&w, &sh, NULL, 0, UINT64_MAX, 1), 0);
	assert_int_equal(w.moments.items[0].slot, 65534);
	assert_int_equal(w.moments.items[1].slot, 65535);
	window_release(&w);
}

/* What was refused isn't counted, what was counted stays. */
static int fill(void *ctx)
{
	uint64_t added = 0;
	struct window w;
	int r = window_init(&w, EACH(1000));

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < 200 && r == 0; i++) {
		const struct window_frame frames[] = { { i, WINDOW_SPACE_FILES, 0 },
						       { 1, WINDOW_SPACE_FILES, 0 } };
		struct window_series s = sh;

		s.tid = i / 2;
		r = window_add(&w, &s, frames, 2, 0, 1);
		added += r == 0;
	}
	assert_int_equal(total_count(&w), added);
	if (r < 0) {
		/* The failure has passed: the same window goes on. */
		assert_int_equal(window_add(&w, &sh, NULL, 0, 0, 1), 0);
		assert_int_equal(total_count(&w), added + 1);
	}
	window_release(&w);
	return r;
}

static void test_torture(void **state)
{
	assert_true(torture(fill, NULL) > 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stack_comes_back),
		cmocka_unit_test(test_what_differs_is_apart),
		cmocka_unit_test(test_prefixes_are_shared),
		cmocka_unit_test(test_totals_are_the_adds),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_windows_follow_each_other),
		cmocka_unit_test(test_a_late_slot_is_the_last),
		cmocka_unit_test(test_sums_do_not_wrap),
		cmocka_unit_test(test_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
