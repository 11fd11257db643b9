/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Symbols that don't say how long they are, as hand-written assembly has them. In the text, in this
 * order:
 *
 *	sizeless_asm      a symbol, type and all, but no .size; 40 % of the CPU time
 *	sizeless_after    an ordinary symbol with its size, directly behind; 30 %
 *	sizeless_last     no .size, and the last symbol before …
 *	(nameless)        … code with unwind information (an FDE of its own) but no symbol; 30 %
 *
 * A symbolizer that lets a sizeless symbol run on until the next symbol gives the nameless code to
 * sizeless_last, which does nothing at all. It must come out as this binary plus an offset.
 *
 * usage: sizeless [CPU-SECONDS]
 */
#include "truth.h"

void sizeless_asm(uint64_t rounds);
void sizeless_after(uint64_t rounds);
void sizeless_last(uint64_t rounds);
extern void (*const sizeless_nameless)(uint64_t rounds);

#if defined(__x86_64__)
#define LOOP "1:\tdec %rdi\n\tnop\n\tnop\n\tjnz 1b\n\tret\n"
#define POINTER ".quad"
#elif defined(__aarch64__)
#define LOOP "1:\tsubs x0, x0, #1\n\tnop\n\tnop\n\tb.ne 1b\n\tret\n"
#define POINTER ".xword"
#else
#error "sizeless.c: write the loop for this architecture"
#endif

__asm__(".text\n"
	".balign 64\n"
	".globl sizeless_asm\n"
	".type sizeless_asm, %function\n"
	"sizeless_asm:\n"
	".cfi_startproc\n" LOOP ".cfi_endproc\n"
	".globl sizeless_after\n"
	".type sizeless_after, %function\n"
	"sizeless_after:\n"
	".cfi_startproc\n" LOOP ".cfi_endproc\n"
	".size sizeless_after, . - sizeless_after\n"
	".globl sizeless_last\n"
	".type sizeless_last, %function\n"
	"sizeless_last:\n"
	".cfi_startproc\n" LOOP ".cfi_endproc\n"
	".balign 64\n"
	".Lnameless:\n"
	".cfi_startproc\n" LOOP ".cfi_endproc\n"
	".balign 64\n"
	".section .data.rel.ro, \"aw\"\n"
	".balign 8\n"
	".globl sizeless_nameless\n"
	"sizeless_nameless: " POINTER " .Lnameless\n"
	".text\n");

static void nameless(uint64_t rounds)
{
	sizeless_nameless(rounds);
}

int main(int argc, char **argv)
{
	struct account accounts[] = {
		{ .name = "sizeless_asm", .work = sizeless_asm, .share = 40 },
		{ .name = "sizeless_after", .work = sizeless_after, .share = 30 },
		{ .name = "(nameless)", .work = nameless, .share = 30 },
	};
	uint64_t random = truth_seed();

	truth_wait_for_go();
	sizeless_last(1);
	accounts_run(accounts, 3, truth_cpu_seconds(argc, argv, 2), &random);
	truth_print_accounts(accounts, 3);
	truth_print_process("sizeless");
	return 0;
}
