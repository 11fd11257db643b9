// SPDX-License-Identifier: Apache-2.0
#include "web/cache.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/base/cleanup.h"
#include "tests/unit/torture.h"

#define S 1000000000ULL

static struct tally tally;

static struct answer *answer_of(size_t bytes)
{
	static const struct answer_head head = { .status = 200, .content_type = ANSWER_TEXT };
	_cleanup_(buffer_release) struct buffer body = BUFFER_INIT(1 << 20);
	struct answer *a;

	memset(buffer_extend(&body, bytes), 'x', bytes);
	assert_int_equal(answer_new(&a, &head, &body, &tally), 0);
	return a;
}

static struct cache_key key_of(const char *text)
{
	return (struct cache_key){ text, strlen(text) };
}

static void keep(struct cache *c, const char *text, size_t bytes, bool settled)
{
	const struct cache_moment asked = { .sequence = 5, .now_ns = 10 * S, .window_ns = 10 * S };
	const struct cache_key key = key_of(text);
	struct answer *a = answer_of(bytes);

	cache_keep(c, &key, a, settled, &asked);
	answer_unref(a);
}

static bool finds(struct cache *c, const char *text, uint64_t sequence, uint64_t now_ns)
{
	const struct cache_moment now = { sequence, now_ns, 10 * S };
	const struct cache_key key = key_of(text);

	return cache_find(c, &key, &now) != NULL;
}

static void test_how_long(void **state)
{
	static const struct {
		bool settled;
		uint64_t sequence, now_ns;
		bool good;
	} rows[] = {
		{ false, 5, 10 * S, true },    { false, 5, 20 * S - 1, true },
		{ false, 5, 20 * S, false },   { false, 6, 11 * S, false },
		{ true, 5, 100000 * S, true }, { true, 1000, 11 * S, true },
	};
	struct cache c;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cache_init(&c, 1 << 20, &tally);
		keep(&c, "a", 100, rows[i].settled);
		if (finds(&c, "a", rows[i].sequence, rows[i].now_ns) != rows[i].good)
			fail_msg("row %zu: should %sbe good", i, rows[i].good ? "" : "not ");
		assert_false(finds(&c, "b", 5, 10 * S));
		cache_release(&c);
	}
	assert_int_equal(tally.cache_bytes, 0);
	assert_int_equal(tally.answer_bytes, 0);
}

/* What was not asked for longest goes; what is too large never comes; the limit holds. */
static void test_bytes(void **state)
{
	struct cache c;

	cache_init(&c, 10000, &tally);
	keep(&c, "a", 1000, true);
	keep(&c, "b", 1000, true);
	keep(&c, "c", 1000, true);
	assert_true(finds(&c, "a", 1, S));
	keep(&c, "d", 2000, true);
	assert_true(finds(&c, "a", 1, S));
	assert_false(finds(&c, "b", 1, S));
	assert_true(finds(&c, "d", 1, S));
	assert_true(tally.cache_bytes <= 10000);
	keep(&c, "e", 2500, true);
	assert_false(finds(&c, "e", 1, S));
	assert_true(finds(&c, "a", 1, S));
	keep(&c, "a", 10, true);
	assert_true(finds(&c, "a", 1, S));
	cache_release(&c);
	assert_int_equal(tally.cache_bytes, 0);
	assert_int_equal(tally.answer_bytes, 0);
}

static void test_entries(void **state)
{
	struct cache c;
	char name[16];

	cache_init(&c, 1 << 30, &tally);
	for (int i = 0; i < 2 * CACHE_MAX_ENTRIES; i++) {
		snprintf(name, sizeof(name), "%d", i);
		keep(&c, name, 1, true);
	}
	assert_int_equal(c.count, CACHE_MAX_ENTRIES);
	assert_true(finds(&c, name, 1, S));
	assert_false(finds(&c, "0", 1, S));
	cache_release(&c);
	assert_int_equal(tally.answer_bytes, 0);
}

/* Without memory it isn't kept, or there is no answer. */
static int scenario(void *ctx)
{
	static const struct answer_head head = { .status = 200, .content_type = ANSWER_TEXT };
	const struct cache_moment asked = { 1, S, 10 * S };
	const struct cache_key key = key_of("a");
	struct buffer body = BUFFER_INIT(1 << 10);
	struct answer *a = NULL;
	struct cache c;
	int r;

	cache_init(&c, 1 << 20, &tally);
	buffer_text(&body, "x");
	r = answer_new(&a, &head, &body, &tally);
	buffer_release(&body);
	if (r == 0)
		cache_keep(&c, &key, a, true, &asked);
	answer_unref(a);
	cache_release(&c);
	assert_int_equal(tally.answer_bytes, 0);
	assert_int_equal(tally.cache_bytes, 0);
	return r;
}

static void test_no_memory(void **state)
{
	assert_true(torture(scenario, NULL) >= 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_how_long),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
