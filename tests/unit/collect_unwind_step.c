// SPDX-License-Identifier: Apache-2.0
/*
 * The step from frame to frame, over made-up registers and stacks: the lines that the kernel side
 * runs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bpf/unwind_step.h"

#define END 0x7ffffffff000ULL
#define STACK 0x7ffd00001000ULL
#define WORDS 64
#define CODE 0x401234ULL
#define TOP (STACK + WORDS * 8)

/* A stack, and registers of the leaf: number n points to word n, and 3 is not known. */
struct process {
	uint64_t words[WORDS];
};

static int read_word(void *source, __u64 addr, __u64 *ret)
{
	const struct process *p = source;

	if (addr < STACK || addr > TOP - 8)
		return -1;
	memcpy(ret, (const char *)p->words + (addr - STACK), 8);
	return 0;
}

static int read_register(void *source, __u32 number, __u64 *ret)
{
	assert_true(number < 16);
	*ret = STACK + number * 8;
	return number == 3;
}

static struct process process_make(void)
{
	struct process p;

	for (uint32_t i = 0; i < WORDS; i++)
		p.words[i] = CODE + i; /* each word may be a return address */
	return p;
}

static int step(struct process *p, const struct unwind_rule *rule, struct unwind_frame *f)
{
	struct unwind_source source = {
		.read = read_word,
		.leaf_register = read_register,
		.memory = p,
		.user_end = END,
	};

	return unwind_step(rule, f, &source);
}

#define RULE(k, cfa, fp, parameter, fp_off)                                       \
	{                                                                         \
		.kind = UNWIND_##k, .how = UNWIND_HOW(UNWIND_FP_##fp, parameter), \
		.cfa_offset = (cfa), .fp_offset = (fp_off)                        \
	}
#define AT(word) (STACK + (word)*8ULL)

/*
 * Frame: ip CODE, sp at word 4, fp at word 20. Word n holds CODE + n, but 30 a pointer to word
 * 40, and 31 0.
 */
static const struct rule_case {
	const char *name;
	struct unwind_rule rule;
	uint32_t flags; /* of the frame */
	int end;
	uint64_t sp, fp; /* of the caller */
	uint32_t next_flags;
} rule_cases[] = {
	{ "sp", RULE(SP, 8, SAME, 0, 0), 0, 0, AT(5), AT(20), 0 },
	{ "sp, far", RULE(SP, 80, SAME, 0, 0), UNWIND_EXACT, 0, AT(14), AT(20), 0 },
	{ "sp, fp saved", RULE(SP, 80, AT_CFA, 0, -16), 0, 0, AT(14), CODE + 12, 0 },
	{ "fp", RULE(FP, 16, AT_CFA, 0, -16), 0, 0, AT(22), CODE + 20, 0 },
	{ "fp saved at itself", RULE(SP, 8, AT_FP, 0, -8), 0, 0, AT(5), CODE + 19, 0 },
	{ "fp lost", RULE(SP, 8, LOST, 0, 0), 0, 0, AT(5), 0, UNWIND_FP_UNKNOWN },
	{ "fp still unknown", RULE(SP, 8, SAME, 0, 0), UNWIND_FP_UNKNOWN, 0, AT(5), AT(20),
	  UNWIND_FP_UNKNOWN },
	{ "fp found again", RULE(SP, 80, AT_CFA, 0, -16), UNWIND_FP_UNKNOWN, 0, AT(14), CODE + 12,
	  0 },
	{ "fp unknown, and needed", RULE(FP, 16, SAME, 0, 0), UNWIND_FP_UNKNOWN, UNWIND_END_LOST, 0,
	  0, 0 },
	{ "fp unknown, and needed for a chain", RULE(FRAME_POINTER, 0, SAME, 0, 0),
	  UNWIND_FP_UNKNOWN, UNWIND_END_LOST, 0, 0, 0 },
	{ "fp unknown, and needed to dereference", RULE(DEREF_FP, 0, SAME, 0, 0), UNWIND_FP_UNKNOWN,
	  UNWIND_END_LOST, 0, 0, 0 },
	{ "fp unknown, and needed for itself", RULE(SP, 8, AT_FP, 0, 0), UNWIND_FP_UNKNOWN,
	  UNWIND_END_LOST, 0, 0, 0 },
	{ "PLT, before the push", RULE(PLT, 8, SAME, 5, 0), 0, 0, AT(5), AT(20), 0 },
	{ "PLT, behind the push", RULE(PLT, 8, SAME, 4, 0), 0, 0, AT(6), AT(20), 0 },
	{ "dereferenced by sp", RULE(DEREF_SP, 26 * 8, SAME, 0, 0), 0, 0, AT(40), AT(20), 0 },
	{ "dereferenced by fp, and more", RULE(DEREF_FP, 80, SAME, 2, 0), 0, 0, AT(42), AT(20), 0 },
	{ "dereferenced, nothing there", RULE(DEREF_SP, -40, SAME, 0, 0), 0, UNWIND_END_BAD_READ, 0,
	  0, 0 },
	{ "another register, in the leaf", RULE(REGISTER, 8, SAME, 10, 0), UNWIND_EXACT, 0, AT(11),
	  AT(20), 0 },
	{ "another register, not in the leaf", RULE(REGISTER, 8, SAME, 10, 0), 0, UNWIND_END_LOST,
	  0, 0, 0 },
	{ "another register, not known", RULE(REGISTER, 8, SAME, 3, 0), UNWIND_EXACT,
	  UNWIND_END_LOST, 0, 0, 0 },
	{ "no register", RULE(REGISTER, 8, SAME, 16, 0), UNWIND_EXACT, UNWIND_END_LOST, 0, 0, 0 },
	{ "by frame pointer", RULE(FRAME_POINTER, 0, SAME, 0, 0), 0, 0, AT(22), CODE + 20,
	  UNWIND_GUESSED },
	{ "stop", RULE(STOP, 0, SAME, 0, 0), 0, UNWIND_END_BOTTOM, 0, 0, 0 },
	{ "none", RULE(NONE, 0, SAME, 0, 0), 0, UNWIND_END_NO_ROW, 0, 0, 0 },
	{ "unsupported", RULE(UNSUPPORTED, 0, SAME, 0, 0), 0, UNWIND_END_UNSUPPORTED, 0, 0, 0 },
	{ "no such rule", { .kind = UNWIND_KIND_COUNT }, 0, UNWIND_END_UNSUPPORTED, 0, 0, 0 },
	{ "CFA at sp", RULE(SP, 0, SAME, 0, 0), 0, UNWIND_END_BAD_FRAME, 0, 0, 0 },
	{ "CFA below sp", RULE(SP, -8, SAME, 0, 0), 0, UNWIND_END_BAD_FRAME, 0, 0, 0 },
	{ "CFA not aligned", RULE(SP, 12, SAME, 0, 0), 0, UNWIND_END_BAD_FRAME, 0, 0, 0 },
	{ "CFA beyond the stack", RULE(SP, WORDS * 8, SAME, 0, 0), 0, UNWIND_END_BAD_READ, 0, 0,
	  0 },
	{ "CFA 2 GiB up", RULE(SP, INT32_MAX & ~7, SAME, 0, 0), 0, UNWIND_END_BAD_READ, 0, 0, 0 },
	{ "return address 0", RULE(SP, 28 * 8, SAME, 0, 0), 0, UNWIND_END_BOTTOM, 0, 0, 0 },
	{ "saved fp beyond the stack", RULE(SP, 8, AT_CFA, 0, 8 * WORDS), 0, UNWIND_END_BAD_READ, 0,
	  0, 0 },
};

static void test_rules(void **state)
{
	for (size_t i = 0; i < sizeof(rule_cases) / sizeof(rule_cases[0]); i++) {
		const struct rule_case *c = &rule_cases[i];
		struct process p = process_make();
		struct unwind_frame f = { .ip = CODE, .sp = AT(4), .fp = AT(20), .flags = c->flags };
		struct unwind_frame before = f;
		int end;

		p.words[30] = AT(40);
		p.words[31] = 0;
		end = step(&p, &c->rule, &f);
		if (end != c->end)
			fail_msg("%s: end %d, expected %d", c->name, end, c->end);
		if (end != UNWIND_END_NONE) {
			assert_memory_equal(&f, &before, sizeof(f));
			continue;
		}
		if (f.sp != c->sp || f.fp != c->fp || f.flags != c->next_flags)
			fail_msg("%s: sp word %lld fp %llx flags %u", c->name,
				 (long long)(f.sp - STACK) / 8, (unsigned long long)f.fp, f.flags);
		/* the word below the CFA, and within the call */
		if (f.ip != CODE + (f.sp - STACK) / 8 - 1 - 1)
			fail_msg("%s: ip %llx", c->name, (unsigned long long)f.ip);
	}
}

/* What code in no file says of itself, by its next bytes. */
static void test_exits(void **state)
{
	static const struct {
		const char *name, *code;
		int32_t cfa; /* 0: nothing is said */
	} cases[] = {
		{ "ret", "\xc3", 8 },
		{ "ret, and others", "\xc3\x48\x83\xc4\x08", 8 },
		{ "add $8; ret", "\x48\x83\xc4\x08\xc3", 16 },
		{ "add $0x78; ret", "\x48\x83\xc4\x78\xc3", 128 },
		{ "add $-128; ret", "\x48\x83\xc4\x80\xc3", 0 },
		{ "add $4; ret", "\x48\x83\xc4\x04\xc3", 0 },
		{ "add $8; pop %rbp", "\x48\x83\xc4\x08\x5d", 0 },
		{ "sub $8; ret", "\x48\x83\xec\x08\xc3", 0 },
		{ "pop %rbp; ret", "\x5d\xc3", 0 },
		{ "call *%rcx", "\xff\xd1\x48\x83\xc4", 0 },
		{ "nothing", "", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct unwind_rule rule = { .kind = UNWIND_KIND_COUNT };
		uint64_t code = 0;
		int says;

		for (size_t k = 0; cases[i].code[k]; k++)
			code |= (uint64_t)(unsigned char)cases[i].code[k] << 8 * k;
		says = unwind_by_exit(code, &rule);
		if (says != (cases[i].cfa != 0) ||
		    rule.kind != (says ? UNWIND_SP : UNWIND_KIND_COUNT) ||
		    (says && (rule.cfa_offset != cases[i].cfa || rule.how)))
			fail_msg("%s: %d, kind %u, cfa sp%+d, how %u", cases[i].name, says,
				 rule.kind, rule.cfa_offset, rule.how);
	}
}

static void test_return_addresses(void **state)
{
	static const struct {
		uint64_t address;
		int end;
	} cases[] = {
		{ 0, UNWIND_END_BOTTOM },
		{ 1, UNWIND_END_BAD_FRAME },
		{ FRAME_POINTER_MIN_CODE - 1, UNWIND_END_BAD_FRAME },
		{ FRAME_POINTER_MIN_CODE, UNWIND_END_NONE },
		{ END - 1, UNWIND_END_NONE },
		{ END, UNWIND_END_BAD_FRAME },
		{ 0xffffffff81000000ULL, UNWIND_END_BAD_FRAME },
	};
	const struct unwind_rule rule = RULE(SP, 8, SAME, 0, 0);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct process p = process_make();
		struct unwind_frame f = { .ip = CODE, .sp = STACK };
		int end;

		p.words[0] = cases[i].address;
		end = step(&p, &rule, &f);
		if (end != cases[i].end)
			fail_msg("%llx: end %d, expected %d", (unsigned long long)cases[i].address,
				 end, cases[i].end);
	}
}

/* Only the end of a chain tells the outermost frame. */
static void test_frame_pointers(void **state)
{
	static const struct {
		const char *name;
		uint64_t fp;
		uint32_t flags;
		int end;
	} cases[] = {
		{ "0 in the leaf", 0, UNWIND_EXACT, UNWIND_END_BAD_FRAME },
		{ "0 found by table", 0, 0, UNWIND_END_BAD_FRAME },
		{ "0 found by frame pointer", 0, UNWIND_GUESSED, UNWIND_END_BOTTOM },
		{ "below sp", AT(3), UNWIND_GUESSED, UNWIND_END_BAD_FRAME },
		{ "at sp", AT(4), UNWIND_GUESSED, UNWIND_END_NONE },
		{ "not aligned", AT(5) + 4, UNWIND_GUESSED, UNWIND_END_BAD_FRAME },
		{ "return address 0, in the leaf", AT(30), UNWIND_EXACT, UNWIND_END_BAD_FRAME },
		{ "return address 0, in a chain", AT(30), UNWIND_GUESSED, UNWIND_END_BOTTOM },
	};
	const struct unwind_rule rule = RULE(FRAME_POINTER, 0, SAME, 0, 0);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct process p = process_make();
		struct unwind_frame f = {
			.ip = CODE, .sp = AT(4), .fp = cases[i].fp, .flags = cases[i].flags
		};
		int end;

		p.words[31] = 0;
		end = step(&p, &rule, &f);
		if (end != cases[i].end)
			fail_msg("%s: end %d, expected %d", cases[i].name, end, cases[i].end);
	}
}

/* Where a call went to another stack, and where there was none. */
static void test_callers(void **state)
{
	static const struct {
		const char *name;
		struct unwind_rule rule;
		uint64_t fp;
		int end;
		uint64_t sp, ip; /* of the caller */
		uint32_t flags;
	} cases[] = {
		{ "below", RULE(FP, 16, AT_CFA, 0, -16), AT(1), UNWIND_END_BAD_FRAME, 0, 0, 0 },
		{ "below, on another stack", RULE(FP, 16, AT_CFA, UNWIND_OTHER_STACK, -16), AT(1),
		  0, AT(3), CODE + 2 - 1, 0 },
		{ "above, on another stack", RULE(FP, 16, AT_CFA, UNWIND_OTHER_STACK, -16), AT(20),
		  0, AT(22), CODE + 21 - 1, 0 },
		{ "here", RULE(FP, 16, AT_CFA, UNWIND_OTHER_STACK, -16), AT(2),
		  UNWIND_END_BAD_FRAME, 0, 0, 0 },
		{ "not aligned", RULE(FP, 16, AT_CFA, UNWIND_OTHER_STACK, -16), AT(1) + 4,
		  UNWIND_END_BAD_FRAME, 0, 0, 0 },
		{ "nowhere", RULE(FP, 16, AT_CFA, UNWIND_OTHER_STACK, -16), 0, UNWIND_END_BAD_READ,
		  0, 0, 0 },
		{ "made no call", RULE(SP, 16, AT_CFA, UNWIND_INTERRUPTED, -16), 0, 0, AT(6),
		  CODE + 5, UNWIND_EXACT | UNWIND_NO_REGISTERS },
		/* what is a parameter of other kinds is none of this */
		{ "not so", RULE(DEREF_SP, 26 * 8, SAME, 1, 0), 0, 0, AT(41), CODE + 40 - 1, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct process p = process_make();
		struct unwind_frame f = { .ip = CODE, .sp = AT(4), .fp = cases[i].fp };
		int end;

		p.words[30] = AT(40);
		end = step(&p, &cases[i].rule, &f);
		if (end != cases[i].end)
			fail_msg("%s: end %d, expected %d", cases[i].name, end, cases[i].end);
		if (end == UNWIND_END_NONE &&
		    (f.sp != cases[i].sp || f.ip != cases[i].ip || f.flags != cases[i].flags))
			fail_msg("%s: sp word %lld ip %llx flags %u", cases[i].name,
				 (long long)(f.sp - STACK) / 8, (unsigned long long)f.ip, f.flags);
	}
}

/* The leaf's registers are not those of a frame that was interrupted. */
static void test_no_registers(void **state)
{
	const struct unwind_rule rule = RULE(REGISTER, 8, SAME, 10, 0);
	struct process p = process_make();
	struct unwind_frame f = { .ip = CODE,
				  .sp = AT(4),
				  .flags = UNWIND_EXACT | UNWIND_NO_REGISTERS };

	assert_int_equal(step(&p, &rule, &f), UNWIND_END_LOST);
}

/*
 * The thread's own stack is at word 4 and above, the goroutine's is at word 1. Its g is at word 20 (m at + 6, sched.sp
 * at + 7, stack.hi at + 1), the thread's g at 10, their m at word 30; the thread pointer is behind word 9.
 */
static void test_goroutine(void **state)
{
	static const struct {
		const char *name;
		struct unwind_rule rule;
		uint32_t word; /* is made to be this */
		uint64_t is;
		int end;
	} cases[] = {
		{ "goroutine", RULE(GOROUTINE, 16, SAME, 0, -8), 0, 0, 0 },
		{ "no g", RULE(GOROUTINE, 16, SAME, 0, -8), 9, 0, UNWIND_END_BAD_READ },
		{ "no m", RULE(GOROUTINE, 16, SAME, 0, -8), 16, 0, UNWIND_END_BAD_READ },
		{ "no goroutine", RULE(GOROUTINE, 16, SAME, 0, -8), 32, 0, UNWIND_END_BAD_READ },
		{ "not left", RULE(GOROUTINE, 16, SAME, 0, -8), 27, 0, UNWIND_END_BAD_READ },
		{ "C", RULE(GO_CALLS_C, 8, SAME, 0, 0), 0, 0, 0 },
		{ "C, no goroutine", RULE(GO_CALLS_C, 24, SAME, 0, 0), 0, 0, 0 },
		{ "C, nonsense", RULE(GO_CALLS_C, 8, SAME, 0, 0), 21, 7, UNWIND_END_BAD_FRAME },
		{ "C, out of the stack", RULE(GO_CALLS_C, 8 * WORDS, SAME, 0, 0), 0, 0,
		  UNWIND_END_BAD_READ },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct process p = process_make();
		struct unwind_source source = {
			.read = read_word, .memory = &p, .user_end = END, .thread_pointer = AT(10)
		};
		struct unwind_frame f = { .ip = CODE, .sp = AT(4), .fp = AT(2) };
		int end;

		p.words[9] = AT(10);
		p.words[16] = AT(30);
		p.words[32] = AT(20);
		p.words[27] = AT(1); /* sched.sp */
		p.words[21] = AT(3); /* stack.hi */
		p.words[5] = 16; /* the depth there; behind it the g */
		p.words[6] = AT(20);
		p.words[7] = AT(1); /* sp itself; no g behind it */
		p.words[8] = 0;
		if (cases[i].word)
			p.words[cases[i].word] = cases[i].is;
		end = unwind_step(&cases[i].rule, &f, &source);
		if (end != cases[i].end)
			fail_msg("%s: end %d, expected %d", cases[i].name, end, cases[i].end);
		if (end != UNWIND_END_NONE)
			continue;
		if (f.sp != AT(2) || f.ip != CODE + 1 - 1 || f.fp != AT(2) || f.flags)
			fail_msg("%s: sp word %lld ip %llx", cases[i].name,
				 (long long)(f.sp - STACK) / 8, (unsigned long long)f.ip);
		source.thread_pointer = 0;
		f = (struct unwind_frame){ .ip = CODE, .sp = AT(4) };
		assert_int_equal(unwind_step(&cases[i].rule, &f, &source),
				 cases[i].rule.kind == UNWIND_GOROUTINE ? UNWIND_END_LOST : 0);
	}
}

/* struct sigcontext at sp + 40: the caller is exact, and all of its registers are known. */
static void test_signal(void **state)
{
	const struct unwind_rule rule = RULE(SIGNAL, 40, SAME, 0, 0);
	/* by DWARF number: places in struct sigcontext */
	static const uint32_t slots[16] = { 13, 12, 14, 11, 9, 8, 10, 15, 0, 1, 2, 3, 4, 5, 6, 7 };
	struct process p = process_make();
	struct unwind_frame f = { .ip = CODE, .sp = AT(4), .fp = 1, .flags = UNWIND_FP_UNKNOWN };
	struct unwind_frame bad;

	for (uint32_t i = 0; i < 16; i++)
		p.words[9 + slots[i]] = AT(24 + i);
	p.words[9 + 15] = AT(1); /* sp: on another stack, which may be below */
	p.words[9 + 16] = CODE + 1000;
	bad = f;
	assert_int_equal(step(&p, &rule, &f), UNWIND_END_NONE);
	assert_int_equal(f.ip, CODE + 1000);
	assert_int_equal(f.sp, AT(1));
	assert_int_equal(f.fp, AT(24 + 6));
	assert_int_equal(f.flags, UNWIND_EXACT);
	for (uint32_t i = 0; i < 16; i++) {
		const struct unwind_rule by_register = RULE(REGISTER, 16, SAME, i, 0);
		struct unwind_frame interrupted = f;
		uint64_t expected = i == 7 ? AT(1) : AT(24 + i);

		assert_int_equal(step(&p, &by_register, &interrupted), UNWIND_END_NONE);
		if (interrupted.sp != expected + 16)
			fail_msg("register %u: word %lld", i,
				 (long long)(interrupted.sp - STACK) / 8);
		assert_int_equal(interrupted.context, 0);
	}
	p.words[9 + 16] = 0;
	assert_int_equal(step(&p, &rule, &bad), UNWIND_END_BAD_FRAME);
	p.words[9 + 16] = CODE;
	p.words[9 + 15] = END;
	assert_int_equal(step(&p, &rule, &bad), UNWIND_END_BAD_FRAME);
	p.words[9 + 15] = bad.sp; /* interrupted within itself: would never end */
	assert_int_equal(step(&p, &rule, &bad), UNWIND_END_BAD_FRAME);
	p.words[9 + 15] = bad.sp + 8;
	f = bad;
	assert_int_equal(step(&p, &rule, &f), UNWIND_END_NONE);
	bad.sp = TOP - 64;
	assert_int_equal(step(&p, &rule, &bad), UNWIND_END_BAD_READ);
}

static void test_find(void **state)
{
	uint32_t rows[UNWIND_PAGE_MAX_ROWS + 1];

	/* Pages of all sizes: row n is for the addresses from 4 × n on, behind one other row. */
	for (uint32_t count = 1; count <= UNWIND_PAGE_MAX_ROWS; count += 1 + count / 7) {
		uint32_t step_bytes = UNWIND_PAGE_BYTES / count;

		rows[0] = UNWIND_ROW(0, 0xffff);
		for (uint32_t i = 0; i < count; i++)
			rows[1 + i] = UNWIND_ROW(i * step_bytes, i);
		for (uint32_t within = 0; within < UNWIND_PAGE_BYTES; within++) {
			uint32_t row = unwind_row_find(rows, UINT32_MAX, 1, count, within);
			uint32_t expected = within / step_bytes;

			if (expected >= count)
				expected = count - 1;
			if (unwind_row_rule(row) != expected)
				fail_msg("%u rows, 0x%x: row %u, expected %u", count, within,
					 unwind_row_rule(row), expected);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_exits),
		cmocka_unit_test(test_return_addresses),
		cmocka_unit_test(test_frame_pointers),
		cmocka_unit_test(test_signal),
		cmocka_unit_test(test_callers),
		cmocka_unit_test(test_no_registers),
		cmocka_unit_test(test_goroutine),
		cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
