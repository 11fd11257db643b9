// SPDX-License-Identifier: Apache-2.0
#include "profiler/tables/chunk.h"

#include "tests/unit/tables_fake.h"

#define MOST 4u /* chunks */
#define ITEMS 600
#define STEPS 20000

/* Each grain's owner, and since when it is nobody's. */
static struct {
	uint32_t addr[ITEMS], words[ITEMS]; /* addr 0: none */
	uint32_t owner[MOST * CHUNK_GRAINS]; /* item + 1, or 0 */
	uint64_t left_ns[MOST * CHUNK_GRAINS];
} model;

static void model_take(uint32_t item, uint32_t addr, uint32_t words, uint64_t now_ns)
{
	uint32_t first = addr / CHUNK_GRAIN_WORDS, last = (addr + words - 1) / CHUNK_GRAIN_WORDS;

	assert_int_equal(addr % 2, 0);
	assert_int_equal(addr >> UNWIND_CHUNK_SHIFT, (addr + words - 1) >> UNWIND_CHUNK_SHIFT);
	assert_true(addr != 0 && addr >> UNWIND_CHUNK_SHIFT < MOST);
	for (uint32_t i = first; i <= last; i++) {
		if (model.owner[i])
			fail_msg("item %u got a grain of item %u", item, model.owner[i] - 1);
		if (model.left_ns[i] && now_ns - model.left_ns[i] < UNWIND_GRACE_NS)
			fail_msg("grain %u is used again after %llu ns", i,
				 (unsigned long long)(now_ns - model.left_ns[i]));
		model.owner[i] = item + 1;
	}
	model.addr[item] = addr;
	model.words[item] = words;
}

static void model_give(uint32_t item, uint64_t now_ns)
{
	uint32_t first = model.addr[item] / CHUNK_GRAIN_WORDS;
	uint32_t last = (model.addr[item] + model.words[item] - 1) / CHUNK_GRAIN_WORDS;

	for (uint32_t i = first; i <= last; i++) {
		model.owner[i] = 0;
		model.left_ns[i] = now_ns;
	}
	model.addr[item] = 0;
}

/* Any order of taking and giving; and nothing is lost by it. */
static void test_random(void **state)
{
	static const uint32_t sizes[] = { 1, 32, 33, 300, 5000, 70000, UNWIND_CHUNK_WORDS };
	struct chunks c;
	uint64_t now_ns = 77, refused = 0, taken = 0;

	chunks_init(&c, NULL, MOST * (uint64_t)UNWIND_CHUNK_BYTES + 5);
	for (int i = 0; i < STEPS; i++) {
		uint32_t item = fake_random(ITEMS);

		now_ns += fake_random(3) ? 0
					 : fake_random(fake_random(50) ? 100000000 : 4200000000u);
		if (model.addr[item]) {
			uint32_t *words = chunks_at(&c, model.addr[item]);

			assert_non_null(words);
			assert_int_equal(words[model.words[item] - 1], item);
			chunks_give(&c, model.addr[item], model.words[item], now_ns);
			model_give(item, now_ns);
		} else {
			uint32_t words = 1 + fake_random(sizes[fake_random(7)]);
			uint32_t addr = chunks_take(&c, words, now_ns);

			refused += !addr;
			taken += addr != 0;
			if (!addr)
				continue;
			model_take(item, addr, words, now_ns);
			chunks_at(&c, addr)[words - 1] = item;
		}
		if (fake_random(20) == 0)
			chunks_unmap(&c);
	}
	assert_true(refused > 100 && taken > 1000);
	assert_int_equal(c.refused, refused);
	for (uint32_t i = 0; i < ITEMS; i++)
		if (model.addr[i])
			chunks_give(&c, model.addr[i], model.words[i], now_ns);
	for (int i = 1; i <= 3; i++) {
		uint32_t addr = chunks_take(&c, 1, now_ns + i * UNWIND_GRACE_NS);

		assert_true(addr);
		chunks_return(&c, addr, 1);
	}
	assert_int_equal(c.used, CHUNK_GRAIN_WORDS);
	assert_int_equal(c.leaving, 0);
	assert_int_equal(c.count, MOST);
	chunks_release(&c);
	for (uint32_t i = 0; i < FAKE_CHUNKS; i++)
		assert_false(fake.mapped[i]);
	fake_reset();
}

static void test_limits(void **state)
{
	struct chunks c;

	chunks_init(&c, NULL, UNWIND_CHUNK_BYTES - 1);
	assert_int_equal(chunks_take(&c, 1, 1), 0);
	chunks_release(&c);
	/* A whole chunk is not the first one, whose first word is nothing. */
	chunks_init(&c, NULL, 2 * UNWIND_CHUNK_BYTES);
	assert_int_equal(chunks_take(&c, UNWIND_CHUNK_WORDS, 1), UNWIND_CHUNK_WORDS);
	assert_int_equal(chunks_take(&c, UNWIND_CHUNK_WORDS, 1), 0);
	assert_int_equal(chunks_take(&c, UNWIND_CHUNK_WORDS - CHUNK_GRAIN_WORDS, 1),
			 CHUNK_GRAIN_WORDS);
	assert_int_equal(chunks_take(&c, 1, 1), 0);
	chunks_release(&c);
	/* A kernel without memory. */
	fake.refuse_chunks = true;
	chunks_init(&c, NULL, 2 * UNWIND_CHUNK_BYTES);
	assert_int_equal(chunks_take(&c, 1, 1), 0);
	chunks_release(&c);
	fake_reset();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
