// SPDX-License-Identifier: Apache-2.0
#include "profiler/base/arena.h"

#include <errno.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/torture.h"

static void items_are_zeroed_aligned_and_apart(void **state)
{
	static const size_t sizes[] = { 1, 7, 8, 15, 16, 17, 100, 4096, 65536, 65537, 200000 };
	enum { ROUNDS = 300 };
	unsigned char *items[ROUNDS];
	struct arena a;

	arena_init(&a, 64 << 20);
	for (int i = 0; i < ROUNDS; i++) {
		size_t size = sizes[i % 11];

		items[i] = arena_alloc(&a, size);
		assert_non_null(items[i]);
		assert_int_equal((uintptr_t)items[i] % alignof(max_align_t), 0);
		for (size_t j = 0; j < size; j++)
			assert_int_equal(items[i][j], 0);
		memset(items[i], i & 0xff, size);
	}
	for (int i = 0; i < ROUNDS; i++)
		for (size_t j = 0; j < sizes[i % 11]; j++)
			if (items[i][j] != (i & 0xff))
				fail_msg("item %d, byte %zu: got %d, want %d", i, j, items[i][j],
					 i & 0xff);
	arena_release(&a);
}

static void an_empty_item_is_an_address(void **state)
{
	struct arena a;

	arena_init(&a, 1 << 20);
	assert_non_null(arena_alloc(&a, 0));
	arena_release(&a);
}

static void copies_end_in_nul(void **state)
{
	struct arena a;
	char *s;

	arena_init(&a, 1 << 20);
	s = arena_copy(&a, "libc.so.6", 4);
	assert_non_null(s);
	assert_string_equal(s, "libc");
	s = arena_copy(&a, "", 0);
	assert_non_null(s);
	assert_string_equal(s, "");
	arena_release(&a);
}

/* It refuses what is beyond the limit, and still serves what is below it. */
static void the_limit_holds(void **state)
{
	const size_t limit = 1 << 20;
	size_t got = 0;
	struct arena a;

	arena_init(&a, limit);
	assert_null(arena_alloc(&a, limit));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX / 2));
	assert_int_equal(a.used_bytes, 0);
	while (arena_alloc(&a, 1000))
		got += 1000;
	assert_true(a.used_bytes <= limit);
	/* What chunks can't use is little. */
	assert_in_range(got, limit - limit / 16, limit);
	while (arena_alloc(&a, 16))
		got += 16;
	assert_null(arena_alloc(&a, 16));
	assert_true(a.used_bytes <= limit);
	arena_release(&a);
}

/* Limits below the usual chunk are limits like any other. */
static void a_small_limit_is_usable(void **state)
{
	struct arena a;
	size_t got = 0;

	arena_init(&a, 1000);
	while (arena_alloc(&a, 16))
		got += 16;
	assert_in_range(got, 900, 1000);
	assert_true(a.used_bytes <= 1000);
	arena_release(&a);

	arena_init(&a, 0);
	assert_null(arena_alloc(&a, 1));
	arena_init(&a, 8);
	assert_null(arena_alloc(&a, 1));
}

static void a_release_starts_anew(void **state)
{
	struct arena a;

	arena_init(&a, 100000);
	assert_non_null(arena_alloc(&a, 90000));
	assert_null(arena_alloc(&a, 90000));
	arena_release(&a);
	assert_int_equal(a.used_bytes, 0);
	assert_non_null(arena_alloc(&a, 90000));
	arena_release(&a);
	arena_release(&a);
}

static int fill(void *ctx)
{
	static const size_t sizes[] = { 100, 70000, 100, 60000, 60000, 1 };
	struct arena a;
	int r = 0;

	arena_init(&a, 1 << 20);
	for (int i = 0; i < 6; i++) {
		char *p = arena_alloc(&a, sizes[i]);

		if (p)
			memset(p, 1, sizes[i]);
		else
			r = -ENOMEM;
	}
	arena_release(&a);
	return r;
}

static void survives_without_memory(void **state)
{
	assert_true(torture(fill, NULL) >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_are_zeroed_aligned_and_apart),
		cmocka_unit_test(an_empty_item_is_an_address),
		cmocka_unit_test(copies_end_in_nul),
		cmocka_unit_test(the_limit_holds),
		cmocka_unit_test(a_small_limit_is_usable),
		cmocka_unit_test(a_release_starts_anew),
		cmocka_unit_test(survives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
