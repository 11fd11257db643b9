// SPDX-License-Identifier: Apache-2.0
#include "profiler/tables/rule.h"

#include "tests/unit/tables_fake.h"
#include "tests/unit/torture.h"

#define NUMBERS 64u
#define KINDS 100
#define STEPS 50000

static struct unwind_rule rule_make(uint32_t i)
{
	return (struct unwind_rule){ .kind = UNWIND_SP, .cfa_offset = (int32_t)(i * 8) };
}

/* More rules than numbers: a number stands for one rule as long as a file has it, and a while longer. */
static void test_random(void **state)
{
	uint32_t held[KINDS] = { 0 }, refused = 0, again = 0; /* by rule: how many files */
	uint16_t number[KINDS] = { 0 };
	uint64_t left_ns[NUMBERS] = { 0 }, now_ns = 1;
	struct unwind_rule was[NUMBERS] = { 0 };
	struct rules r;

	assert_int_equal(rules_init(&r, NULL, NUMBERS), 0);
	for (int i = 0; i < STEPS; i++) {
		uint32_t k = fake_random(KINDS);
		struct unwind_rule rule = rule_make(k);

		now_ns += fake_random(50000000);
		if (fake_random(100) < 49) {
			uint16_t n = rules_take(&r, &rule, now_ns);

			if (n == UNWIND_RULE_UNSUPPORTED) {
				assert_int_equal(held[k], 0);
				refused++;
				continue;
			}
			assert_true(n >= UNWIND_RULE_FIRST && n < NUMBERS);
			assert_memory_equal(&fake.rules[n], &rule, sizeof(rule));
			if (held[k])
				assert_int_equal(n, number[k]);
			if (memcmp(&was[n], &rule, sizeof(rule)) != 0 && left_ns[n]) {
				assert_true(now_ns - left_ns[n] >= UNWIND_GRACE_NS);
				again++;
			}
			was[n] = rule;
			number[k] = n;
			held[k]++;
		} else if (held[k]) {
			rules_give(&r, number[k], now_ns);
			if (--held[k] == 0)
				left_ns[number[k]] = now_ns;
		}
		for (uint32_t j = 0; j < KINDS; j++) {
			struct unwind_rule want = rule_make(j);

			if (held[j])
				assert_memory_equal(&fake.rules[number[j]], &want, sizeof(want));
		}
	}
	assert_true(refused > 100 && again > 100);
	assert_int_equal(r.refused, refused);
	rules_release(&r);
	fake_reset();
}

static void test_fixed(void **state)
{
	const struct unwind_rule none = { .kind = UNWIND_NONE, .cfa_offset = 8 };
	const struct unwind_rule unsupported = { .kind = UNWIND_UNSUPPORTED };
	struct rules r;

	memset(fake.rules, 0xee, sizeof(fake.rules));
	assert_int_equal(rules_init(&r, NULL, NUMBERS), 0);
	assert_int_equal(rules_take(&r, &none, 1), UNWIND_RULE_NONE);
	assert_int_equal(rules_take(&r, &unsupported, 1), UNWIND_RULE_UNSUPPORTED);
	assert_int_equal(fake.rules[UNWIND_RULE_NONE].kind, UNWIND_NONE);
	assert_int_equal(fake.rules[UNWIND_RULE_UNSUPPORTED].kind, UNWIND_UNSUPPORTED);
	rules_give(&r, UNWIND_RULE_NONE, 1);
	assert_int_equal(r.refused, 0);
	rules_release(&r);
	fake_reset();
}

static int scenario(void *ctx)
{
	struct rules r;
	int e = rules_init(&r, NULL, NUMBERS);

	rules_release(&r);
	return e;
}

static void test_torture(void **state)
{
	assert_int_equal(torture(scenario, NULL), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
