// SPDX-License-Identifier: Apache-2.0
/*
 * Shares of any budget, and tables filled up to the limits that follow from them: what they then really
 * take must be within the share.
 */
#include "profiler/agent/budget.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/collect/session.h"
#include "profiler/model/profile.h"
#include "profiler/role/role.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MIB ((uint64_t)1 << 20)

static uint64_t random_below(uint64_t *seed, uint64_t most)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return most ? (*seed >> 16) % most : 0;
}

static void check_sums(const struct budget *b)
{
	uint64_t all = b->kernel + b->tables + b->agent + b->symbolizer + b->opener + b->fetcher +
		       b->supervisor + b->background;
	uint64_t tables = b->batch + b->window + b->processes + b->profile;
	uint64_t encoding = b->profile + 2 * b->answer;

	if (all > b->total || b->total - all > 64)
		fail_msg("of %" PRIu64 " bytes %" PRIu64 " are given out", b->total, all);
	if (tables > b->agent / 8 * 7)
		fail_msg("of the agent's %" PRIu64 " bytes %" PRIu64 " are given to tables",
			 b->agent, tables);
	assert_true(b->agent >= 28 * MIB && b->symbolizer >= 7 * MIB && b->opener >= 3 * MIB);
	if (encoding > b->agent / 8 * 7 + 64)
		fail_msg("of the agent's %" PRIu64 " bytes %" PRIu64 " are given to the answer",
			 b->agent, encoding);
	assert_true(b->symbolizer <= 64 * MIB && b->opener <= 64 * MIB && b->fetcher <= 64 * MIB);
}

static void sums_hold_for_any_budget(void **state)
{
	uint64_t seed = 1;

	for (int i = 0; i < 200000; i++) {
		uint64_t total = BUDGET_LEAST_BYTES + random_below(&seed, 1ULL << (20 + i % 30));
		uint64_t kernel = random_below(&seed, budget_kernel_most(total) + 1);
		struct budget b;
		struct err err;

		assert_int_equal(budget_divide(&b, total, UINT64_MAX, kernel, &err), 0);
		assert_true(b.total == total && b.kernel == kernel);
		check_sums(&b);
		budget_go_on(&b);
		check_sums(&b);
		assert_int_equal(b.answer, 0);
		assert_true(!b.background ||
			    (b.background >= 7 * MIB && b.background <= b.symbolizer));
	}
}

/* By default it can read about what the other one can. */
static void one_that_goes_on_has_a_background(void **state)
{
	struct budget b;
	struct err err;

	assert_int_equal(budget_divide(&b, BUDGET_DEFAULT_BYTES, UINT64_MAX, 12 * MIB, &err), 0);
	assert_int_equal(b.background, 0);
	budget_go_on(&b);
	assert_in_range(b.background, 24 * MIB, b.symbolizer);
	assert_int_equal(budget_divide(&b, BUDGET_LEAST_BYTES, UINT64_MAX, 4 * MIB, &err), 0);
	budget_go_on(&b);
	assert_int_equal(b.background, 0);
	assert_true(b.window > 0);
}

/* The default on any machine, the least on any but the largest. */
static void any_machine_has_enough(void **state)
{
	static const uint32_t hz[] = { 1, 99, 999, 20000 };

	for (uint32_t cpus = 1; cpus <= SESSION_MAX_CPUS; cpus++)
		for (size_t i = 0; i < COUNT(hz); i++) {
			struct session_config config = { .frequency_hz = hz[i] };
			struct budget b;
			struct err err = { "" };

			config.ring_bytes_max = budget_kernel_most(BUDGET_DEFAULT_BYTES);
			if (budget_divide(&b, 0, UINT64_MAX, session_kernel_bytes(&config, cpus),
					  &err) < 0)
				fail_msg("%u CPUs at %u Hz: %s", cpus, hz[i], err.text);
			check_sums(&b);
			config.ring_bytes_max = budget_kernel_most(BUDGET_LEAST_BYTES);
			if (cpus <= 256 &&
			    budget_divide(&b, BUDGET_LEAST_BYTES, UINT64_MAX,
					  session_kernel_bytes(&config, cpus), &err) < 0)
				fail_msg("%u CPUs at %u Hz: %s", cpus, hz[i], err.text);
		}
}

static void totals(void **state)
{
	static const struct {
		uint64_t asked, cgroup, kernel;
		int r;
		uint64_t total;
		const char *says;
	} rows[] = {
		{ 0, UINT64_MAX, 1 * MIB, 0, 256 * MIB, "" },
		{ 0, 320 * MIB, 1 * MIB, 0, 256 * MIB, "" },
		{ 0, 300 * MIB, 1 * MIB, 0, 240 * MIB, "" },
		{ 0, 80 * MIB, 1 * MIB, 0, 64 * MIB, "" },
		{ 0, 80 * MIB - 5, 1 * MIB, -EINVAL, 0, "four fifths of 79 MiB are 63" },
		{ 0, 50 * MIB, 1 * MIB, -EINVAL, 0, "four fifths of 50 MiB are 40" },
		{ 0, 0, 1 * MIB, -EINVAL, 0, "four fifths of 0 MiB are 0" },
		{ 64 * MIB, 50 * MIB, 1 * MIB, 0, 64 * MIB, "" },
		{ 64 * MIB, UINT64_MAX, 16 * MIB, 0, 64 * MIB, "" },
		{ 64 * MIB, UINT64_MAX, 16 * MIB + 1, -EINVAL, 0, "--memory 65M is the least" },
		{ 64 * MIB - 1, UINT64_MAX, 1 * MIB, -EINVAL, 0, "--memory 64M is the least" },
		{ 1, UINT64_MAX, 0, -EINVAL, 0, "--memory 64M is the least" },
		{ UINT64_MAX, UINT64_MAX, 1 * MIB, 0, UINT64_MAX, "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct budget b = { .total = 77 };
		struct err err = { "" };
		int r = budget_divide(&b, rows[i].asked, rows[i].cgroup, rows[i].kernel, &err);

		if (r != rows[i].r || b.total != (r < 0 ? 77 : rows[i].total) ||
		    !strstr(err.text, rows[i].says))
			fail_msg("row %zu: got %d, %" PRIu64 ", \"%s\"", i, r, b.total, err.text);
	}
}

/* ---- limits, and what they come to ---- */

static struct budget divided(uint64_t total)
{
	struct budget b;

	assert_int_equal(budget_divide(&b, total, UINT64_MAX, MIB, NULL), 0);
	return b;
}

/* How many stacks there is room for, each of which differs from another by its leaf, which nobody else has. */
static uint64_t stacks_that_fit(const struct budget *b)
{
	struct window_limits l = budget_window_limits(b);

	return l.bytes / (l.location_bytes + l.node_bytes + l.sample_bytes);
}

static void limits_grow_with_the_budget(void **state)
{
	struct budget small = divided(64 * MIB), normal = divided(256 * MIB);
	struct budget huge = divided(UINT64_MAX);

	/* What decision 0009 promises; names have a quarter of the profile. */
	assert_in_range(stacks_that_fit(&small), 25000, 30000);
	assert_in_range(stacks_that_fit(&normal), 75000, 100000);
	assert_true(budget_profile_bytes(&small) > 2 * MIB);
	assert_true(budget_profile_bytes(&normal) > 7 * MIB);
	/* A C library has 0.1 MiB of tables, libLLVM 3.3. */
	assert_true(normal.tables == 64 * MIB && small.tables >= 5 * MIB);
	assert_true(budget_processes(&small) > 2000 && budget_processes(&normal) > 7000);
	assert_true(budget_files(&small) > 2000 && budget_files(&normal) > 8000);
	assert_true(budget_batch_bytes(&small) > MIB);
	/* The tables have limits of their own. */
	assert_true(budget_profile_items(&huge) <= 1u << 30);
	assert_true(budget_files(&huge) <= 1u << 24);
	/* A replay's. */
	assert_true(budget_window_limits(NULL).bytes > budget_window_limits(&normal).bytes);
	assert_int_equal(budget_processes(NULL), 65536);
	assert_int_equal(budget_files(NULL), 65536);
}

static uint64_t allocated(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* What each sample of a window brings that is new. */
struct load {
	const char *name;
	uint32_t stack, series_every, location_every;
};

/* Until nothing more fits. */
static void window_fill(struct window *w, const struct load *load)
{
	uint64_t node = 0;
	int r = 0;

	for (uint32_t i = 0; r == 0; i++) {
		struct window_series s = { .pid = 1, .tid = i / load->series_every };
		struct window_frame f[8] = { 0 };

		for (uint32_t n = 0; n < load->stack; n++) {
			f[n].space = WINDOW_SPACE_FILES;
			f[n].address = node++ / load->location_every;
		}
		r = window_add(w, &s, f, load->stack, 0, 1);
	}
	assert_int_equal(r, -E2BIG);
}

static uint32_t text(struct profile *p, const char *kind, uint32_t number)
{
	char s[16];
	int r;

	snprintf(s, sizeof(s), "%s%x", kind, number);
	r = profile_string(p, s, strlen(s));
	assert_true(r >= 0);
	return (uint32_t)r;
}

/* What becomes of it, each location another function with two names, each series three other texts. */
static void profile_fill(struct profile *p, const struct window *w)
{
	for (uint32_t i = 0; i < w->locations.count; i++) {
		struct profile_function f = { .name = text(p, "f", i),
					      .system_name = text(p, "_f", i) };
		struct profile_line line = { .function = (uint32_t)profile_function(p, &f) };

		assert_int_equal(profile_location(p, PROFILE_NONE, i, true, &line, 1), i);
	}
	for (uint32_t i = 0; i < w->series.count; i++) {
		struct profile_label labels[5];

		for (uint32_t n = 0; n < 5; n++)
			labels[n] = (struct profile_label){ .key = n,
							    .text = PROFILE_NONE,
							    .number = i };
		for (uint32_t n = 0; n < 3; n++)
			labels[n].text = text(p, &"tcg"[n], i);
		assert_int_equal(profile_series(p, labels, 5), i);
	}
	for (uint32_t i = 1; i < w->nodes.count; i++)
		assert_int_equal(profile_node(p, w->nodes.items[i].parent,
					      w->nodes.items[i].location, 0),
				 i);
	for (uint32_t i = 0; i < w->samples.count; i++)
		assert_int_equal(profile_add(p, w->samples.items[i].series,
					     w->samples.items[i].node, 1, 1),
				 i);
}

static void check_full(const struct load *load, uint64_t total)
{
	struct budget b = divided(total);
	struct window_limits limits = budget_window_limits(&b);
	uint64_t share = b.window + b.profile, before = allocated(), took;
	struct window w;
	struct profile p;

	assert_int_equal(window_init(&w, &limits), 0);
	window_fill(&w, load);
	/* Names come on top; here they are of no length. */
	assert_int_equal(profile_init(&p, (size_t)1 << 30, budget_profile_items(&b)), 0);
	profile_fill(&p, &w);
	took = allocated() - before - p.arena.used_bytes;
	window_release(&w);
	profile_release(&p);
	if (took > limits.bytes || took < share / 4)
		fail_msg("%s, %" PRIu64 " MiB: a full window and its profile take %" PRIu64
			 " of %" PRIu64,
			 load->name, total / MIB, took, limits.bytes);
}

static void what_is_full_is_within_its_share(void **state)
{
	static const struct load loads[] = {
		{ "each sample a thread", 1, 1, UINT32_MAX },
		{ "each sample a place", 1, UINT32_MAX, 1 },
		{ "deep stacks of the same places", 8, UINT32_MAX, 1000 },
		{ "deep stacks of other places", 8, 100, 2 },
		{ "many threads in few places", 1, 1, 1000 },
	};
	static const uint64_t totals_mib[] = { 64, 100, 256, 300 };

	if (ROLE_SANITIZED)
		skip(); /* another malloc */
	for (size_t i = 0; i < COUNT(loads); i++)
		for (size_t t = 0; t < COUNT(totals_mib); t++)
			check_full(&loads[i], totals_mib[t] * MIB);
}

/* What was freed is gone, even from below what is still there. */
static void freed_memory_goes_back(void **state)
{
	char *large[64], *kept;
	struct mallinfo2 m;

	if (ROLE_SANITIZED)
		skip();
	budget_begin();
	for (size_t i = 0; i < COUNT(large); i++) {
		large[i] = malloc(MIB);
		assert_non_null(large[i]);
		memset(large[i], 1, MIB);
	}
	kept = malloc(1000);
	for (size_t i = 0; i < COUNT(large); i++)
		free(large[i]);
	m = mallinfo2();
	free(kept);
	if (m.fordblks > 4 * MIB || m.hblkhd > 4 * MIB)
		fail_msg("%zu bytes are free and ours, %zu mapped", m.fordblks, m.hblkhd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(freed_memory_goes_back), /* first: of a heap that is still small */
		cmocka_unit_test(sums_hold_for_any_budget),
		cmocka_unit_test(one_that_goes_on_has_a_background),
		cmocka_unit_test(any_machine_has_enough),
		cmocka_unit_test(totals),
		cmocka_unit_test(limits_grow_with_the_budget),
		cmocka_unit_test(what_is_full_is_within_its_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
