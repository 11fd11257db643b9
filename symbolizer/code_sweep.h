/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Machine code as far as the stack is concerned: each instruction of a piece of code as one of a few
 * operations on registers and on words of the stack, and where it leads.
 */
#ifndef SYMBOLIZER_CODE_SWEEP_H
#define SYMBOLIZER_CODE_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/array.h"
#include "symbolizer/elf_file.h"

#define CODE_MAX_INSNS (1u << 19) /* 12 MiB; x264's assembly has 200,000 */

/* Registers by the numbers that instructions have. */
enum { CODE_RAX = 0, CODE_RCX = 1, CODE_SP = 4, CODE_FP = 5, CODE_R11 = 11, CODE_REGISTERS = 16 };
#define CODE_NO_REGISTER 0xff

/* [a + value] is the memory there, 8 bytes unless said otherwise. */
enum code_op {
	CODE_OTHER, /* nothing of this */
	CODE_SET, /* to = from + value */
	CODE_CONSTANT, /* to = value */
	CODE_BYTE, /* the lowest byte of to = value */
	CODE_LOAD, /* to = [from + value] */
	CODE_STORE, /* [to + value] = from */
	CODE_WRITE, /* [to + value], `bytes` of them, are written */
	CODE_PUSH, /* from */
	CODE_PUSH_CONSTANT, /* value */
	CODE_PUSH_OTHER,
	CODE_POP, /* to; CODE_NO_REGISTER: it is not kept */
	CODE_LEAVE,
	CODE_CHANGE, /* to = something else; rsp only: the others are clobbered */
	CODE_SYSCALL,
	CODE_TEST_RAX, /* is it 0? */
};

enum code_flow {
	CODE_NEXT,
	CODE_JUMP,
	CODE_BRANCH, /* or next */
	CODE_CALL, /* then next, if it returns */
	CODE_RETURN,
	CODE_JUMP_ANYWHERE, /* to what a register or a table says */
	CODE_JUMP_STUB, /* to what a word of the file's data says, as linkage stubs do */
	CODE_TRAP, /* nowhere: ud2, hlt, int3 */
	CODE_BAD, /* nothing that code has: undecodable, far, privileged */
};

/* flags */
#define CODE_PADDING 1 /* nop */
#define CODE_TARGET 2 /* of a jump or branch */
#define CODE_CALLED 4 /* of a call, or its address is taken */
#define CODE_SYMBOL 8 /* a function begins here, as the file says */
#define CODE_REFERS 16 /* .target is what it takes the address of */
#define CODE_IF_ZERO 32 /* branches if the last result was 0 */
#define CODE_UNLESS_ZERO 64
#define CODE_ENDS 128 /* a way out of the function is ahead */
#define CODE_RETURNS 256 /* and it is a ret */
#define CODE_BY_FP 512 /* jumps to what the word at rbp says */

/* .target beside numbers of instructions */
#define CODE_UNKNOWN UINT32_MAX /* a register or memory says where */
#define CODE_OUTSIDE (UINT32_MAX - 1) /* other code of the file, or another file's */
#define CODE_MIDDLE \
	(UINT32_MAX - 2) /* of a function of the file, as far as is known: a jump goes on there */
#define CODE_NOWHERE (UINT32_MAX - 3) /* within an instruction, or not in code */

struct code_insn {
	uint32_t at; /* offset in the piece */
	uint32_t target;
	int32_t value;
	uint16_t clobbers; /* registers that are something else afterwards, a bit for each */
	uint16_t bytes;
	uint16_t flags;
	uint8_t len, op, flow, to, from;
};
_Static_assert(sizeof(struct code_insn) == 24, "half a million of them");

struct code_view; /* what is known at an instruction: symbolizer/code_rules.h */
struct unwind_rule;
typedef void (*code_witness_fn)(void *who, uint64_t vaddr, const struct unwind_rule *rule,
				const struct code_view *view);

/* What is to be looked at. */
struct code_piece {
	struct elf_file *file; /* which other code there is */
	const uint8_t *bytes;
	uint32_t len;
	uint64_t vaddr;
	const uint64_t *functions; /* where the file says that one begins, ascending */
	uint32_t function_count;
	uint64_t program_start; /* the first instruction of all, or 0 */
	uint64_t max_steps; /* 0: as many as any code may take */
	bool fixed; /* addresses are what they will be: a number can be one */
	bool cut_start, cut_end; /* there is more of it, which is not to be looked at now */
	/* Does a function begin there, outside of the piece? NULL: wherever a jump leads. */
	bool (*begins)(void *owner, uint64_t vaddr);
	void *owner;
	/* For tests, else NULL: hears of each rule when it is found, before it may be given up again. */
	code_witness_fn witness;
	void *who;
};

struct code_insns {
	ARRAY(struct code_insn) list; /* by address, without holes */
	bool too_large; /* the end of the piece is not in it */
};

/*
 * One instruction after the other from the piece's start, and again from each function's. 0 or
 * -ENOMEM. In every case code_insns_release() may be called.
 */
int code_sweep(const struct code_piece *piece, struct code_insns *ret);
void code_insns_release(struct code_insns *x);

#endif
