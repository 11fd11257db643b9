// SPDX-License-Identifier: Apache-2.0
/*
 * Frames found in copies of made-up stacks. The step itself has its own tests (collect_unwind_step.c): here it is
 * what it gets to read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "profiler/tables/walk.h"

#define STACK 0x7ffd00001000ULL
#define WORDS 32
#define AT(word) (STACK + (word)*8ULL)
#define CODE 0x401000ULL
#define END 0x7ffffffff000ULL

/* Of exactly the copy's size, so that a sanitizer sees what is read beside it. */
static struct record_rest *rest_new(uint32_t words)
{
	struct record_rest *r = calloc(1, sizeof(*r) + words * 8);
	uint64_t *stack = (uint64_t *)(r + 1);

	assert_non_null(r);
	*r = (struct record_rest){
		.ip = CODE,
		.sp = AT(4),
		.fp = AT(20),
		.user_end = END,
		.stack = STACK,
		.flags = UNWIND_EXACT,
		.bytes = words * 8,
	};
	for (int i = 0; i < RECORD_REGISTERS; i++)
		r->general[i] = AT(i);
	for (uint32_t i = 0; i < words; i++)
		stack[i] = CODE + 0x100 + i;
	return r;
}

static uint64_t word(enum record_frame_kind kind, uint64_t addr)
{
	return (uint64_t)kind << FRAME_KIND_SHIFT | addr;
}

#define RULE(k, cfa, fp, parameter, fp_off)                                       \
	{                                                                         \
		.kind = UNWIND_##k, .how = UNWIND_HOW(UNWIND_FP_##fp, parameter), \
		.cfa_offset = (cfa), .fp_offset = (fp_off)                        \
	}

/* One step from the leaf: ip CODE, sp at word 4, fp at word 20, of 32 words. */
static void test_steps(void **state)
{
	static const struct {
		const char *name;
		struct unwind_rule rule;
		enum record_stack_end end;
		uint64_t word;
	} cases[] = {
		{ "sp", RULE(SP, 8, SAME, 0, 0), STACK_END_NONE,
		  (uint64_t)FRAME_TABLE << FRAME_KIND_SHIFT | (CODE + 0x103) },
		{ "the copy's last word", RULE(SP, 28 * 8, SAME, 0, 0), STACK_END_NONE,
		  (uint64_t)FRAME_TABLE << FRAME_KIND_SHIFT | (CODE + 0x11e) },
		{ "the word behind it", RULE(SP, 29 * 8, SAME, 0, 0), STACK_END_BAD_READ, 0 },
		{ "2 GiB behind it", RULE(SP, INT32_MAX & ~7, SAME, 0, 0), STACK_END_BAD_READ, 0 },
		{ "saved below sp", RULE(SP, 8, AT_CFA, 0, -40), STACK_END_NONE,
		  (uint64_t)FRAME_TABLE << FRAME_KIND_SHIFT | (CODE + 0x103) },
		{ "saved below the copy", RULE(SP, 8, AT_CFA, 0, -48), STACK_END_BAD_READ, 0 },
		{ "a register", RULE(REGISTER, 16, SAME, 10, 0), STACK_END_NONE,
		  (uint64_t)FRAME_TABLE << FRAME_KIND_SHIFT | (CODE + 0x10a) },
		{ "the last register", RULE(REGISTER, 16, SAME, 15, 0), STACK_END_NONE,
		  (uint64_t)FRAME_TABLE << FRAME_KIND_SHIFT | (CODE + 0x10f) },
		{ "no register", RULE(REGISTER, 16, SAME, 16, 0), STACK_END_LOST, 0 },
		{ "by frame pointer", RULE(FRAME_POINTER, 0, SAME, 0, 0), STACK_END_NONE,
		  (uint64_t)FRAME_POINTER << FRAME_KIND_SHIFT | (CODE + 0x114) },
		{ "the outermost", RULE(STOP, 0, SAME, 0, 0), STACK_END_BOTTOM, 0 },
		{ "no row", RULE(NONE, 0, SAME, 0, 0), STACK_END_NO_ROW, 0 },
		{ "unsupported", RULE(UNSUPPORTED, 0, SAME, 0, 0), STACK_END_UNSUPPORTED, 0 },
		{ "no CFA", RULE(SP, 12, SAME, 0, 0), STACK_END_BAD_FRAME, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct record_rest *rest = rest_new(WORDS);
		enum record_stack_end end;
		uint64_t got = 0;
		struct walk w;

		walk_begin(&w, rest);
		end = walk_step(&w, &cases[i].rule, &got);
		if (end != cases[i].end || got != cases[i].word)
			fail_msg("%s: end %d and %#llx, expected %d and %#llx", cases[i].name, end,
				 (unsigned long long)got, cases[i].end,
				 (unsigned long long)cases[i].word);
		free(rest);
	}
}

/* Of registers, only the leaf's are known. */
static void test_registers_of_callers(void **state)
{
	const struct unwind_rule sp = RULE(SP, 8, SAME, 0, 0),
				 other = RULE(REGISTER, 0, SAME, 10, 0);
	struct record_rest *rest = rest_new(WORDS);
	struct walk w;
	uint64_t got;

	walk_begin(&w, rest);
	assert_int_equal(walk_step(&w, &sp, &got), STACK_END_NONE);
	assert_int_equal(walk_step(&w, &other, &got), STACK_END_LOST);
	rest->flags = 0; /* not the leaf to begin with */
	walk_begin(&w, rest);
	assert_int_equal(walk_step(&w, &other, &got), STACK_END_LOST);
	free(rest);
}

/* Start code that says nothing of itself: only arguments are above its sp. */
static void test_first_sp(void **state)
{
	const struct unwind_rule none = RULE(NONE, 0, SAME, 0, 0);
	struct record_rest *rest = rest_new(WORDS);
	struct walk w;
	uint64_t got;

	rest->first_sp = AT(4);
	walk_begin(&w, rest);
	assert_int_equal(walk_step(&w, &none, &got), STACK_END_BOTTOM);
	rest->first_sp = AT(5);
	walk_begin(&w, rest);
	assert_int_equal(walk_step(&w, &none, &got), STACK_END_NO_ROW);
	free(rest);
}

/* A frame that a signal interrupted: its registers are in memory, of which the copy may have none. */
static void test_signal(void **state)
{
	const struct unwind_rule signal = RULE(SIGNAL, 8, SAME, 0, 0),
				 other = RULE(REGISTER, 8, SAME, 15, 0);
	struct record_rest *rest = rest_new(WORDS);
	uint64_t *stack = (uint64_t *)(rest + 1), got = 0;
	struct walk w;

	stack[5 + UNWIND_CONTEXT_SP] = AT(24);
	stack[5 + 7] = AT(26); /* r15 */
	walk_begin(&w, rest);
	assert_int_equal(walk_step(&w, &signal, &got), STACK_END_NONE);
	assert_int_equal(got, word(FRAME_TABLE, CODE + 0x100 + 5 + UNWIND_CONTEXT_IP));
	assert_int_equal(walk_step(&w, &other, &got), STACK_END_NONE);
	assert_int_equal(got, word(FRAME_TABLE, CODE + 0x100 + 26 - 1));
	rest->bytes = 8 * (5 + UNWIND_CONTEXT_IP);
	walk_begin(&w, rest);
	assert_int_equal(walk_step(&w, &signal, &got), STACK_END_BAD_READ);
	free(rest);
}

/* Nothing in a rest that can't be: addresses at both ends, no stack. */
static void test_odd_rests(void **state)
{
	static const uint64_t odd[] = { 0,         1,   7,          8,
					END - 8,   END, 1ULL << 63, UINT64_MAX - 7,
					UINT64_MAX };
	const struct unwind_rule rules[] = { RULE(SP, 8, AT_CFA, 0, -16), RULE(FP, 16, AT_FP, 0, 0),
					     RULE(FRAME_POINTER, 0, SAME, 0, 0),
					     RULE(DEREF_SP, 8, SAME, 1, 0),
					     RULE(SIGNAL, 8, SAME, 0, 0) };
	struct record_rest *rest = rest_new(0);

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		for (size_t j = 0; j < sizeof(rules) / sizeof(rules[0]); j++) {
			enum record_stack_end end;
			struct walk w;
			uint64_t got;

			rest->sp = rest->fp = odd[i];
			rest->stack = odd[i] & ~7ULL;
			walk_begin(&w, rest);
			end = walk_step(&w, &rules[j], &got);
			if (end != STACK_END_BAD_READ && end != STACK_END_BAD_FRAME)
				fail_msg("sp %#llx, rule %zu: end %d", (unsigned long long)odd[i],
					 j, end);
		}
	free(rest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),     cmocka_unit_test(test_registers_of_callers),
		cmocka_unit_test(test_first_sp),  cmocka_unit_test(test_signal),
		cmocka_unit_test(test_odd_rests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
