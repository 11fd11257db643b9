// SPDX-License-Identifier: Apache-2.0
#include "profiler/base/index.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/torture.h"

#define NONE UINT32_MAX

static bool same_number(const void *owner, uint32_t item, const void *key)
{
	const uint64_t *numbers = owner;

	return numbers[item] == *(const uint64_t *)key;
}

static uint32_t find(const struct index *x, const uint64_t *numbers, uint64_t hash, uint64_t key)
{
	return index_find(x, hash, same_number, numbers, &key);
}

static void an_empty_one_finds_nothing(void **state)
{
	struct index x = { 0 };

	assert_int_equal(find(&x, NULL, 0, 0), NONE);
	assert_int_equal(find(&x, NULL, UINT64_MAX, 0), NONE);
	index_release(&x);
}

static void finds_what_was_added(void **state)
{
	enum { ITEMS = 20000 };
	static uint64_t numbers[ITEMS];
	struct index x = { 0 };

	for (uint32_t i = 0; i < ITEMS; i++) {
		numbers[i] = i * 7919ULL;
		assert_int_equal(find(&x, numbers, hash_bytes(&numbers[i], 8), numbers[i]), NONE);
		assert_int_equal(index_add(&x, hash_bytes(&numbers[i], 8), i), 0);
	}
	assert_int_equal(x.used, ITEMS);
	assert_true(x.capacity / 4 * 3 >= ITEMS);
	assert_int_equal(x.capacity & (x.capacity - 1), 0);
	for (uint32_t i = 0; i < ITEMS; i++) {
		uint64_t other = numbers[i] + 1;

		assert_int_equal(find(&x, numbers, hash_bytes(&numbers[i], 8), numbers[i]), i);
		assert_int_equal(find(&x, numbers, hash_bytes(&other, 8), other), NONE);
	}
	index_release(&x);
	assert_int_equal(x.capacity, 0);
	assert_int_equal(find(&x, numbers, hash_bytes(&numbers[0], 8), numbers[0]), NONE);
}

/* Whatever the hash, also where the search wraps around: 0, all ones, all of them the same. */
static void survives_bad_hashes(void **state)
{
	static const uint64_t hashes[] = { 0,          1,          63,         64,
					   UINT32_MAX, UINT64_MAX, 1ULL << 32, 0x3fffffffe };
	enum { EACH = 100 };
	uint64_t numbers[EACH];

	for (size_t h = 0; h < sizeof(hashes) / sizeof(hashes[0]); h++) {
		struct index x = { 0 };

		for (uint32_t i = 0; i < EACH; i++) {
			numbers[i] = i;
			assert_int_equal(index_add(&x, hashes[h], i), 0);
		}
		for (uint32_t i = 0; i < EACH; i++)
			assert_int_equal(find(&x, numbers, hashes[h], i), i);
		assert_int_equal(find(&x, numbers, hashes[h], EACH), NONE);
		index_release(&x);
	}
}

/* Two items of one hash: the callback tells them apart, and is asked for no others. */
static void the_owner_decides(void **state)
{
	const uint64_t numbers[] = { 10, 20, 30 };
	struct index x = { 0 };

	assert_int_equal(index_add(&x, 5, 0), 0);
	assert_int_equal(index_add(&x, 5, 1), 0);
	assert_int_equal(index_add(&x, 6, 2), 0);
	assert_int_equal(find(&x, numbers, 5, 10), 0);
	assert_int_equal(find(&x, numbers, 5, 20), 1);
	assert_int_equal(find(&x, numbers, 5, 30), NONE);
	assert_int_equal(find(&x, numbers, 6, 30), 2);
	index_release(&x);
}

static void the_largest_item_fits(void **state)
{
	struct index x = { 0 };
	uint64_t number = 0;

	assert_int_equal(index_add(&x, 1, 1U << 30), 0);
	/* The callback would read out of bounds if it were asked: it isn't, the hashes differ. */
	assert_int_equal(find(&x, &number, 2, 0), NONE);
	index_release(&x);
}

static void hashes_tell_bytes_apart(void **state)
{
	char text[300];

	memset(text, 'x', sizeof(text));
	for (size_t len = 0; len < sizeof(text); len++) {
		uint64_t hash = hash_bytes(text, len);

		assert_true(hash == hash_bytes(text, len));
		assert_true(hash != hash_bytes(text, len + 1) || len + 1 == sizeof(text));
		if (!len)
			continue;
		text[len - 1] = 'y';
		assert_true(hash != hash_bytes(text, len));
		text[len - 1] = 'x';
	}
}

static int add_many(void *ctx)
{
	static uint64_t numbers[500];
	struct index x = { 0 };
	uint32_t added = 0;
	int r = 0;

	while (added < 500 && r == 0) {
		numbers[added] = added;
		r = index_add(&x, hash_bytes(&numbers[added], 8), added);
		added += r == 0;
	}
	/* What was there before the failure still is. */
	for (uint32_t i = 0; i < added; i++)
		assert_int_equal(find(&x, numbers, hash_bytes(&numbers[i], 8), i), i);
	index_release(&x);
	return r;
}

static void survives_without_memory(void **state)
{
	assert_int_equal(torture(add_many, NULL), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_one_finds_nothing),
		cmocka_unit_test(finds_what_was_added),
		cmocka_unit_test(survives_bad_hashes),
		cmocka_unit_test(the_owner_decides),
		cmocka_unit_test(the_largest_item_fits),
		cmocka_unit_test(hashes_tell_bytes_apart),
		cmocka_unit_test(survives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
