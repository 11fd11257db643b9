// CFLAGS: -O2 -g -fno-optimize-sibling-calls
/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks that can't be followed to their end, one reason each: ends_work(), which never returns, was called by code
 * that
 *
 *	no-row        has no call frame information, and two ways out that contradict each other
 *	unsupported   has such as no table of ours can hold: an expression with a multiplication
 *	lost          tells its frame by rbx, which is another's by then
 *	bad-read      says that its frame goes on 32 MiB up the stack, where nothing may be read
 *	bad-frame     says that its frame ends in the middle of a word
 *	no-mapping    left a return address that is no code's
 *	deep          called itself 1,100 times
 *	jit           is in no file, and keeps no frame pointer
 *	exit          is in no file, and keeps no frame pointer, but is returned to its own way out: it ends nothing
 *	far           has 64 KiB on the stack
 *	whole         is main(): nothing is wrong
 *
 * usage: ends REASON [CPU-SECONDS]
 */
#include <sys/mman.h>

#include "truth.h"

#define STACK_BYTES (256 << 10)
#define UP_BYTES (32 << 20)
#define DEPTH 1100
#define FAR_BYTES (64 << 10)

static uint64_t until_ns;

__attribute__((noreturn)) PROFILED void ends_work(void)
{
	while (thread_cpu_ns() < until_ns)
		SPIN_BODY(100000, until_ns);
	_exit(0);
}

static char no_code[64] __attribute__((used)) = "data";

void cut_no_row(void), cut_unsupported(void), cut_lost(void), cut_bad_frame(void),
	cut_no_mapping(void), cut_bad_read(char *stack);

#define BEGIN(name) ".globl " name "\n.type " name ", @function\n" name ":\n"
#define END(name) ".size " name ", . - " name "\n.p2align 6\n"

__asm__(".text\n.p2align 6\n" /* */
	BEGIN("cut_no_row") "push %rbx\n"
			    "xor %eax, %eax\n"
			    "jnz 1f\n"
			    "call ends_work\n"
			    "ud2\n"
			    "1: ret\n" END("cut_no_row")

	/* DW_CFA_def_cfa_expression: DW_OP_breg3 (rbx) 0, DW_OP_lit8, DW_OP_mul */
	BEGIN("cut_unsupported") ".cfi_startproc\n"
				 ".cfi_escape 0x0f, 4, 0x73, 0, 0x38, 0x1e\n"
				 "push %rbx\n"
				 "call ends_work\n"
				 "ud2\n"
				 ".cfi_endproc\n" END("cut_unsupported")

					 BEGIN("cut_lost") ".cfi_startproc\n"
							   "push %rbx\n"
							   "mov %rsp, %rbx\n"
							   ".cfi_def_cfa %rbx, 16\n"
							   "call ends_work\n"
							   "ud2\n"
							   ".cfi_endproc\n" END("cut_lost")

								   BEGIN("cut_bad_read") ".cfi_startproc\n"
											 "mov %rdi, %rsp\n"
											 ".cfi_def_cfa %rsp, 33554432\n" /* UP_BYTES */
											 "call ends_work\n"
											 "ud2\n"
											 ".cfi_endproc\n" END(
												 "cut_bad_read")

												 BEGIN("cut_bad_frame") ".cfi_startproc\n"
															"push %rbx\n"
															".cfi_def_cfa_offset 20\n"
															"call ends_work\n"
															"ud2\n"
															".cfi_endproc\n" END(
																"cut_bad_frame")

																BEGIN("cut_no_mapping") ".cfi_startproc\n"
																			"lea no_code+8(%rip), %rax\n"
																			"push %rax\n"
																			"jmp ends_work\n"
																			".cfi_endproc\n" END(
																				"cut_no_mapping"));

static void bad_read(void)
{
	char *stack =
		mmap(NULL, UP_BYTES + (1 << 20), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (stack == MAP_FAILED || mprotect(stack, STACK_BYTES, PROT_READ | PROT_WRITE) < 0)
		abort();
	cut_bad_read(stack + STACK_BYTES - 64);
}

/* By a pointer: the compiler needn't know that it never comes back. */
static void (*volatile deeper)(int level);

PROFILED void deep(int level)
{
	if (level)
		deeper(level - 1);
	else
		ends_work();
}

static void deep_begin(void)
{
	deeper = deep;
	deep(DEPTH);
}

static void *code_make(const void *code, size_t bytes)
{
	unsigned char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		abort();
	memcpy(at, code, bytes);
	return at;
}

/* The function's address follows its code. rbp says nothing. */
static void jit(void)
{
	static const unsigned char code[] = {
		0x53, /* push %rbx */
		0xbd, 1,    0, 0, 0, /* mov $1, %ebp */
		0xff, 0x15, 2, 0, 0, 0, /* call *2(%rip) */
		0x0f, 0x0b, /* ud2 */
	};
	void (*const work)(void) = ends_work;
	unsigned char *at = code_make(code, sizeof(code));

	memcpy(at + sizeof(code), &work, sizeof(work));
	((void (*)(void))at)();
}

/* As CPython 3.12's and 3.13's trampolines are. */
static void exits(void)
{
	static const unsigned char code[] = {
		0x48, 0x83, 0xec, 8, /* sub $8, %rsp */
		0xff, 0xd7, /* call *%rdi */
		0x48, 0x83, 0xc4, 8, /* add $8, %rsp */
		0xc3, /* ret */
	};

	((void (*)(void (*work)(void)))code_make(code, sizeof(code)))(ends_work);
}

PROFILED void far(void)
{
	char room[FAR_BYTES];

	__asm__ volatile("" : : "r"(room) : "memory");
	ends_work();
}

static const struct {
	const char *reason;
	void (*begin)(void);
} table[] = {
	{ "no-row", cut_no_row },
	{ "unsupported", cut_unsupported },
	{ "lost", cut_lost },
	{ "bad-read", bad_read },
	{ "bad-frame", cut_bad_frame },
	{ "no-mapping", cut_no_mapping },
	{ "deep", deep_begin },
	{ "jit", jit },
	{ "exit", exits },
	{ "far", far },
	{ "whole", ends_work },
};

int main(int argc, char **argv)
{
	until_ns = truth_cpu_seconds(argc > 1 ? argc - 1 : argc, argv + (argc > 1), 1);
	truth_wait_for_go();
	for (size_t i = 0; argc > 1 && i < sizeof(table) / sizeof(table[0]); i++)
		if (!strcmp(argv[1], table[i].reason))
			table[i].begin();
	fprintf(stderr, "usage: ends REASON [CPU-SECONDS]\n");
	return 2;
}
