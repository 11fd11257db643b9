// SPDX-License-Identifier: Apache-2.0
#include "profiler/base/array.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/torture.h"

struct pair {
	uint64_t a, b;
};

static void grows_and_keeps_its_items(void **state)
{
	ARRAY(struct pair) x = { 0 };

	for (uint64_t i = 0; i < 10000; i++) {
		struct pair *p = array_push(&x, 10000);

		assert_non_null(p);
		if (p) /* for the analyzer, who doesn't know cmocka */
			*p = (struct pair){ i, ~i };
	}
	assert_int_equal(x.count, 10000);
	assert_in_range(x.capacity, 10000, 10000);
	for (uint64_t i = 0; i < 10000; i++) {
		assert_int_equal(x.items[i].a, i);
		assert_int_equal(x.items[i].b, ~i);
	}
	array_release(&x);
	assert_null(x.items);
	assert_int_equal(x.count, 0);
	assert_int_equal(x.capacity, 0);
}

static void the_maximum_holds(void **state)
{
	static const uint32_t maxima[] = { 0, 1, 2, 7, 8, 9, 12, 13 };

	for (size_t m = 0; m < sizeof(maxima) / sizeof(maxima[0]); m++) {
		ARRAY(uint32_t) x = { 0 };
		uint32_t *p;

		for (uint32_t i = 0; i < maxima[m]; i++) {
			p = array_push(&x, maxima[m]);
			assert_non_null(p);
			if (p)
				*p = i;
		}
		assert_null(array_push(&x, maxima[m]));
		assert_int_equal(x.count, maxima[m]);
		assert_int_equal(x.capacity > maxima[m], 0);
		for (uint32_t i = 0; x.items && i < maxima[m]; i++)
			assert_int_equal(x.items[i], i);
		array_release(&x);
	}
}

/* The maximum is the call's: it may be another one the next time. */
static void the_maximum_may_change(void **state)
{
	ARRAY(uint32_t) x = { 0 };

	assert_non_null(array_push(&x, 1));
	assert_int_equal(x.capacity, 1);
	assert_non_null(array_push(&x, 100));
	assert_non_null(array_push(&x, 100));
	assert_int_equal(x.count, 3);
	assert_null(array_push(&x, 2));
	assert_int_equal(x.count, 3);
	array_release(&x);
}

static void a_failure_changes_nothing(void **state)
{
	uint32_t *items = calloc(3, sizeof(*items)), capacity = 3;
	void *before;

	assert_int_equal(array_reserve((void **)&items, &capacity, 5, sizeof(*items), 100), 0);
	assert_in_range(capacity, 5, 100);
	before = items;
	items[4] = 77;
	assert_int_equal(array_reserve((void **)&items, &capacity, 101, sizeof(*items), 100),
			 -E2BIG);
	assert_ptr_equal(items, before);
	assert_int_equal(items[4], 77);
	free(items);
}

/* Sizes whose product is beyond an address space, counts whose successor is beyond 32 bits. */
static void absurd_sizes_are_refused(void **state)
{
	ARRAY(char) full = { .count = UINT32_MAX, .capacity = UINT32_MAX };
	void *items = NULL;
	uint32_t capacity = 0;

	assert_int_equal(array_reserve(&items, &capacity, UINT32_MAX, SIZE_MAX / 2, UINT32_MAX),
			 -ENOMEM);
	assert_null(items);
	assert_int_equal(capacity, 0);
	assert_null(array_push(&full, UINT32_MAX));
	assert_int_equal(full.count, UINT32_MAX);
}

static int push_many(void *ctx)
{
	ARRAY(uint64_t) x = { 0 };
	int r = 0;

	for (uint64_t i = 0; i < 1000 && r == 0; i++) {
		uint64_t *p = array_push(&x, 1000);

		if (p)
			*p = i;
		else
			r = -ENOMEM;
	}
	for (uint32_t i = 0; x.items && i < x.count; i++)
		assert_int_equal(x.items[i], i);
	array_release(&x);
	return r;
}

static void survives_without_memory(void **state)
{
	assert_true(torture(push_many, NULL) > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_keeps_its_items),
		cmocka_unit_test(the_maximum_holds),
		cmocka_unit_test(the_maximum_may_change),
		cmocka_unit_test(a_failure_changes_nothing),
		cmocka_unit_test(absurd_sizes_are_refused),
		cmocka_unit_test(survives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
