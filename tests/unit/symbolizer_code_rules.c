// SPDX-License-Identifier: Apache-2.0
/*
 * Functions in assembler code, without call frame information, and the rules that their instructions give,
 * as text. (Whether they are right for real code: symbolizer_code_oracle.c.)
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "symbolizer/code_rules.h"
#include "tests/unit/symbolizer_rows.h"
#include "tests/unit/torture.h"

/* Code named x, from x_start to x_end. What is expected is behind comments: "# offset rule". */
#define CODE(x, text)                                                                            \
	asm(".pushsection .text.codes, \"ax\"\n.p2align 4\n.globl " #x "_start, " #x "_end\n" #x \
	    "_start:\n" text "\n" #x "_end:\n.skip 32, 0xcc\n.popsection");                      \
	extern const uint8_t x##_start[], x##_end[];

extern const uint8_t __ehdr_start[];
void elsewhere(void);

/* What the pieces of code jump to and call that is not in them. */
void elsewhere(void)
{
	abort();
}

CODE(leaf, "mov %rdi, %rax; ret")
CODE(pushes,
     "push %rbp; push %rbx; sub $24, %rsp; mov %rsp, %rdi; add $24, %rsp; pop %rbx; pop %rbp; ret")
CODE(frame, "push %rbp; mov %rsp, %rbp; push %rbx; sub %rax, %rsp; mov -8(%rbp), %rbx; leave; ret")
CODE(two_ways,
     "push %rbx; test %edi, %edi; jz 1f; pop %rbx; ret; 1: push %r12; pop %r12; pop %rbx; ret")
CODE(disagree, "push %rbx; test %edi, %edi; jz 1f; pop %rbx; ret; 1: ret")
CODE(loop_grows, "1: push %rbx; dec %edi; jnz 1b; ret")
CODE(aligned, "mov %rsp, %rax; and $-32, %rsp; sub $96, %rsp; mov %rax, 64(%rsp); xor %eax, %eax;"
	      "mov 64(%rsp), %rsp; ret")
CODE(aligned_in_register, "mov %rsp, %r10; and $-64, %rsp; sub $64, %rsp; nop; mov %r10, %rsp; ret")
CODE(table, "sub $40, %rsp; jmp *%rax; mov $1, %eax; jmp 1f; mov $2, %eax; 1: add $40, %rsp; ret")
CODE(saved_before, "jmp *%rax; xor %ebp, %ebp; mov 16(%rsp), %rbp; add $24, %rsp; ret")
CODE(undecodable, "push %rbx; test %edi, %edi; jz 1f; pop %rbx; ret; 1: .byte 0x06; pop %rbx; ret")
CODE(trap, "push %rbx; test %edi, %edi; jz 1f; pop %rbx; ret; 1: ud2")
CODE(dies,
     "push %rbx; test %edi, %edi; jz 1f; pop %rbx; ret; 1: call 3f; 2: push %rbp; pop %rbp; ret;"
     "3: push %rax; 4: jmp 4b")
CODE(dies_elsewhere,
     "push %rbx; test %edi, %edi; jz 1f; pop %rbx; ret; 1: call elsewhere; push %rbp; pop %rbp; ret")
CODE(calls_elsewhere,
     "push %rbx; test %edi, %edi; jz 1f; call elsewhere; nopw (%rax); 1: pop %rbx; ret")
CODE(where_am_i, "push %rbx; call 1f; 1: pop %rbx; lea (%rbx), %rax; pop %rbx; ret")
CODE(overwrites, "mov %rdi, (%rsp); ret")
CODE(takes_off, "pop %rdx; mov $58, %eax; syscall; push %rdx; ret")
CODE(endless, "push %rbx; 1: jmp 1b")
CODE(loses_rbp, "push %rbx; mov %rdi, %rbp; pop %rbx; ret")
CODE(moves_rbp, "mov %rbp, %r11; xor %ebp, %ebp; mov %r11, %rbp; ret")
CODE(pops_arguments, "push %rbx; pop %rbx; ret $8")
CODE(tail, "push %rbx; pop %rbx; jmp elsewhere")
CODE(tail_too_early, "push %rbx; test %edi, %edi; jz elsewhere; pop %rbx; ret")
CODE(stub, "endbr64; jmp *0x1000(%rip)")
CODE(lazy, "jmp *0x1000(%rip); push $3; jmp 1f; 1: push 0x1000(%rip); jmp *0x1000(%rip)")
CODE(restorer, "ret; nop; mov $15, %rax; syscall")
CODE(clone,
     "xor %eax, %eax; mov $56, %al; syscall; test %eax, %eax; jnz 1f; xor %ebp, %ebp; pop %rdi;"
     "call *%r9; hlt; 1: ret")
CODE(cancellable, "mov %rdi, %rax; syscall; ret")
CODE(program, "xor %ebp, %ebp; mov %rsp, %rdi; and $-16, %rsp; call elsewhere")
CODE(zeros, "ret; .skip 13; push %rbx; pop %rbx; ret")
CODE(coroutine, "push %rbp; push %rbx; mov %rsp, (%rdi); mov %rsi, %rsp; pop %rbx; pop %rbp; ret")
CODE(haskell,
     "call elsewhere; mov %rax, %rbx; add $8, %rbp; jmp *(%rbp); nop; lea 1f(%rip), %rax;"
     "mov %rax, -8(%rbp); jmp *%rbx; .skip 8; 1: jmp *(%rbp); sub $8, %rsp; add $8, %rsp; ret")
CODE(padding, "nop; nopw (%rax); int3")

/*
 * Functions that jump to their cold parts from within, as gcc makes them: one's is beside it, the other's elsewhere. That
 * one jumps back, into the middle.
 */
asm(".pushsection .text.codes, \"ax\"\n.p2align 4\n"
    ".globl beside, beside_cold, apart, apart_back, apart_cold\n"
    ".type beside, @function\n.type beside.cold, @function\n.type apart, @function\n"
    "beside: push %rbx; test %edi, %edi; jz beside.cold; pop %rbx; ret\n"
    "beside.cold: beside_cold: mov %ebx, %edi; call elsewhere; ud2\n.skip 32, 0xcc\n"
    "apart: push %rbx; test %edi, %edi; jz apart.cold; apart_back: pop %rbx; ret\n"
    ".skip 32, 0xcc\n.popsection\n"
    ".pushsection .text.unlikely, \"ax\"\n.p2align 4\n.type apart.cold, @function\n"
    "apart.cold: apart_cold: mov %ebx, %edi; jmp apart_back\n.skip 32, 0xcc\n.popsection\n");
extern const uint8_t beside[], beside_cold[], apart[], apart_back[], apart_cold[];

struct piece {
	const char *name;
	const uint8_t *start, *end;
	const char *rules;
	enum {
		BARE,
		SYMBOL,
		PROGRAM,
		CUT,
		PART
	} shape; /* SYMBOL: the file says that a function begins with it; PART: and that none does elsewhere */
};

#define PIECE(x, shape, rules)                       \
	{                                            \
#x, x##_start, x##_end, rules, shape \
	}

static const struct piece pieces[] = {
	PIECE(leaf, BARE, "0 cfa=rsp+8\n"),
	PIECE(leaf, CUT, "0 cfa=rsp+8\n"),
	PIECE(pushes, BARE,
	      "0 cfa=rsp+8\n1 cfa=rsp+16 rbp=[cfa-16]\n2 cfa=rsp+24 rbp=[cfa-16]\n"
	      "6 cfa=rsp+48 rbp=[cfa-16]\nd cfa=rsp+24 rbp=[cfa-16]\ne cfa=rsp+16 rbp=[cfa-16]\n"
	      "f cfa=rsp+8\n"),
	PIECE(frame, BARE,
	      "0 cfa=rsp+8\n1 cfa=rsp+16 rbp=[cfa-16]\n5 cfa=rsp+24 rbp=[cfa-16]\n"
	      "8 cfa=rbp+16 rbp=[cfa-16]\nd cfa=rsp+8\n"),
	PIECE(two_ways, BARE,
	      "0 cfa=rsp+8\n1 cfa=rsp+16\n6 cfa=rsp+8\n7 cfa=rsp+16\n9 cfa=rsp+24\nb cfa=rsp+16\n"
	      "c cfa=rsp+8\n"),
	PIECE(disagree, BARE, "0 none\n"),
	PIECE(disagree, SYMBOL, "0 none\n"),
	PIECE(loop_grows, BARE, "0 none\n5 cfa=rsp+8\n"),
	PIECE(aligned, BARE,
	      "0 cfa=rsp+8\n7 cfa=rax+8\n10 cfa=[rsp+64]+8\n"
	      "17 cfa=rsp+8\n"),
	PIECE(aligned_in_register, BARE, "0 cfa=rsp+8\n7 cfa=r10+8\nf cfa=rsp+8\n"),
	PIECE(table, SYMBOL, "0 cfa=rsp+8\n4 cfa=rsp+48\n16 cfa=rsp+8\n"),
	PIECE(undecodable, BARE, "0 none\n8 cfa=rsp+16\n9 cfa=rsp+8\n"),
	PIECE(trap, BARE, "0 cfa=rsp+8\n1 cfa=rsp+16\n6 cfa=rsp+8\n7 cfa=rsp+16\n"),
	PIECE(overwrites, BARE, "0 none\n"),
	PIECE(endless, BARE, "0 none\n"),
	PIECE(endless, SYMBOL, "0 cfa=rsp+8\n1 cfa=rsp+16\n"),
	PIECE(saved_before, BARE, "0 none\n2 cfa=rsp+32 rbp=[cfa-16]\nd cfa=rsp+8\n"),
	PIECE(dies, BARE,
	      "0 cfa=rsp+8\n1 cfa=rsp+16\n6 cfa=rsp+8\n"
	      "7 cfa=rsp+16\nc cfa=rsp+8\nd cfa=rsp+16 rbp=[cfa-16]\n"
	      "e cfa=rsp+8\n10 cfa=rsp+16\n"),
	PIECE(dies_elsewhere, BARE,
	      "0 cfa=rsp+8\n1 cfa=rsp+16\n6 cfa=rsp+8\n"
	      "7 cfa=rsp+16\nc cfa=rsp+8\nd cfa=rsp+16 rbp=[cfa-16]\n"
	      "e cfa=rsp+8\n"),
	PIECE(dies_elsewhere, SYMBOL,
	      "0 cfa=rsp+8\n1 cfa=rsp+16\n6 cfa=rsp+8\n"
	      "7 cfa=rsp+16\nc cfa=rsp+8\nd cfa=rsp+16 rbp=[cfa-16]\n"
	      "e cfa=rsp+8\n"),
	PIECE(calls_elsewhere, BARE,
	      "0 cfa=rsp+8\n1 cfa=rsp+16\na none\n"
	      "e cfa=rsp+16\nf cfa=rsp+8\n"),
	PIECE(where_am_i, BARE,
	      "0 cfa=rsp+8\n1 cfa=rsp+16\n6 cfa=rsp+24\n"
	      "7 cfa=rsp+16\nb cfa=rsp+8\n"),
	PIECE(takes_off, BARE, "0 cfa=rsp+8\n1 none\n9 cfa=rsp+8\n"),
	PIECE(loses_rbp, BARE,
	      "0 cfa=rsp+8 rbp=?\n1 cfa=rsp+16 rbp=?\n4 cfa=rsp+16\n"
	      "5 cfa=rsp+8\n"),
	PIECE(loses_rbp, SYMBOL,
	      "0 cfa=rsp+8\n1 cfa=rsp+16\n4 cfa=rsp+16 rbp=?\n"
	      "5 cfa=rsp+8 rbp=?\n"),
	PIECE(moves_rbp, BARE, "0 cfa=rsp+8\n5 cfa=rsp+8 rbp=?\n8 cfa=rsp+8\n"),
	PIECE(pops_arguments, BARE, "0 none\n"),
	PIECE(tail, BARE, "0 cfa=rsp+8\n1 cfa=rsp+16\n2 cfa=rsp+8\n"),
	PIECE(tail, CUT, "0 none\n"),
	PIECE(tail_too_early, BARE, "0 none\n"),
	PIECE(tail, PART, "0 none\n"),
	PIECE(tail_too_early, PART, "0 cfa=rsp+8\n1 cfa=rsp+16\na cfa=rsp+8\n"),
	PIECE(coroutine, BARE, "0 none\n"),
	PIECE(coroutine, SYMBOL, "0 none\n"),
	PIECE(stub, BARE, "0 cfa=rsp+8\n"),
	PIECE(lazy, BARE, "0 cfa=rsp+8\n6 none\n"),
	PIECE(restorer, BARE, "0 cfa=rsp+8\n1 signal=rsp+40\n"),
	PIECE(clone, SYMBOL,
	      "0 cfa=rsp+8\n6 none\nc stop\n"
	      "11 cfa=rsp+8\n"),
	PIECE(cancellable, BARE, "0 cfa=rsp+8\n"),
	PIECE(program, PROGRAM, "0 stop\n"),
	PIECE(program, SYMBOL, "0 cfa=rsp+8\n2 cfa=rsp+8 rbp=?\n9 cfa=rdi+8 rbp=?\n"),
	PIECE(zeros, BARE,
	      "0 cfa=rsp+8\n1 none\ne cfa=rsp+8\n"
	      "f cfa=rsp+16\n10 cfa=rsp+8\n"),
	PIECE(haskell, BARE, "0 none\n"),
	PIECE(haskell, SYMBOL, "0 none\n"),
	PIECE(padding, BARE, "0 none\n"),
};

static bool begins_nowhere(void *owner, uint64_t vaddr)
{
	(void)owner;
	(void)vaddr;
	return false;
}

static void find(const struct piece *p, struct elf_file *f, struct code_rules *ret)
{
	uint64_t vaddr = (uint64_t)(p->start - __ehdr_start);
	struct code_piece piece = { .file = f,
				    .bytes = p->start,
				    .len = (uint32_t)(p->end - p->start),
				    .vaddr = vaddr,
				    .functions = &vaddr,
				    .function_count = p->shape == SYMBOL,
				    .program_start = p->shape == PROGRAM ? vaddr : 0,
				    .begins = p->shape == PART ? begins_nowhere : NULL,
				    .cut_start = p->shape == CUT,
				    .cut_end = p->shape == CUT };

	assert_int_equal(code_rules_find(&piece, ret), 0);
}

static void rules_text(const struct code_rules *r, struct buffer *text)
{
	struct unwind_rule last = { .kind = UNWIND_KIND_COUNT };

	for (uint32_t i = 0; i < r->insns.list.count; i++) {
		struct unwind_rule rule = r->rules ? r->rules[i] : (struct unwind_rule){ 0 };

		if (memcmp(&last, &rule, sizeof(rule)) == 0)
			continue;
		last = rule;
		buffer_printf(text, "%x ", r->insns.list.items[i].at);
		rows_rule(&rule, text);
		buffer_text(text, "\n");
	}
}

static void open_self(struct elf_file *f)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(elf_file_open(f, fd), 0);
}

static void test_pieces(void **state)
{
	struct elf_file f;

	open_self(&f);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct buffer text = BUFFER_INIT(4096);
		struct code_rules rules;

		find(&pieces[i], &f, &rules);
		rules_text(&rules, &text);
		if (strcmp(buffer_cstr(&text), pieces[i].rules) != 0)
			fail_msg("%s (%d): got\n%sexpected\n%s", pieces[i].name, pieces[i].shape,
				 buffer_cstr(&text), pieces[i].rules);
		buffer_release(&text);
		code_rules_release(&rules);
	}
	close(f.fd);
	elf_file_release(&f);
}

static void check_rule(const struct unwind_table *t, const uint8_t *at, const char *expected)
{
	struct buffer text = BUFFER_INIT(4096);

	rows_rule(rows_find(t, (uint64_t)(at - __ehdr_start)), &text);
	assert_string_equal(buffer_cstr(&text), expected);
	buffer_release(&text);
}

/* A cold part has a symbol like a function's, and begins in the middle of one. */
static void test_cold_parts(void **state)
{
	struct unwind_outcome outcome;
	struct unwind_table table;
	struct elf_file f;

	open_self(&f);
	assert_int_equal(unwind_compile(&f, 0, UINT64_MAX, UNWIND_MAX_ROWS, &table, &outcome), 0);
	check_rule(&table, beside, "cfa=rsp+8");
	check_rule(&table, beside + 1, "cfa=rsp+16");
	check_rule(&table, beside_cold, "cfa=rsp+16");
	check_rule(&table, apart, "cfa=rsp+8");
	check_rule(&table, apart_back, "cfa=rsp+16");
	check_rule(&table, apart_cold, "none");
	unwind_table_release(&table);
	close(f.fd);
	elf_file_release(&f);
}

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Any bytes: it ends, and what it says of them are rules. */
static void test_bytes(void **state)
{
	uint64_t seed = 88172645463325252ull;
	struct elf_file f;

	open_self(&f);
	for (int round = 0; round < 50; round++) {
		size_t len = 1 + random_next(&seed) % 20000;
		_cleanup_(free_ptr) uint8_t *bytes = malloc(len);
		struct code_piece piece = { .file = &f,
					    .bytes = bytes,
					    .len = (uint32_t)len,
					    .vaddr = UINT64_MAX - len,
					    .fixed = true };
		struct code_rules rules;

		assert_non_null(bytes);
		/* Real code, of which every so often a byte is another: it goes farther than noise does. */
		for (size_t i = 0; i < len; i++)
			bytes[i] = round % 2 ? (uint8_t)random_next(&seed)
					     : __ehdr_start[0x2000 + i % 8192];
		for (size_t i = 0; i < len; i += 1 + random_next(&seed) % 200)
			bytes[i] = (uint8_t)random_next(&seed);
		assert_int_equal(code_rules_find(&piece, &rules), 0);
		for (uint32_t i = 0; rules.rules && i < rules.insns.list.count; i++)
			assert_true(rules.rules[i].kind < UNWIND_KIND_COUNT);
		code_rules_release(&rules);
	}
	close(f.fd);
	elf_file_release(&f);
}

static int torture_find(void *ctx)
{
	struct code_piece piece = { .file = ctx,
				    .bytes = clone_start,
				    .len = (uint32_t)(clone_end - clone_start),
				    .vaddr = (uint64_t)(clone_start - __ehdr_start) };
	struct code_rules rules;
	int r = code_rules_find(&piece, &rules);

	code_rules_release(&rules);
	return r;
}

static void test_torture(void **state)
{
	struct elf_file f;

	open_self(&f);
	assert_true(torture(torture_find, &f) > 5);
	close(f.fd);
	elf_file_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_cold_parts),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
