/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Unwind tables: how to get from an address in a file to the caller's registers. Compiled from the
 * file's CFI by symbolizer/, read by the step in unwind_step.h, in the kernel or on the host.
 *
 * Text is cut into pages of 4 KiB. A row says which rule is in force from its address on:
 *
 *	page index, 8 bytes a page      rows, 4 bytes each        rules, 8 bytes each
 *	┌───────────────────┐           ┌───────┬───────┐         ┌──────┬─────┬────────┬────────┐
 *	│ row │ count │ 0   │ ────────► │ 0     │ rule  │ ──────► │ kind │ how │ fp_off │ cfa_off│
 *	├───────────────────┤           ├───────┼───────┤         └──────┴─────┴────────┴────────┘
 *	│ …                 │           │ 0x0f4 │ rule  │
 *
 * The first row of a page is for its first byte, so that a search never leaves its page; a page has
 * at least one row and at most 4,096. Neighbouring pages in which nothing changes share one row.
 *
 *	row	bits  0–15	the address within its page: 0 to 0xfff
 *		bits 16–31	number of the rule
 *	rule	bits  0–7	enum unwind_kind
 *		bits  8–9	enum unwind_fp
 *		bits 10–15	the kind's parameter
 *		bits 16–31	fp_offset, signed
 *		bits 32–63	cfa_offset, signed
 *
 * The return address is always at CFA - 8, and the caller's sp is the CFA: what differs is a rule
 * of the kind UNWIND_UNSUPPORTED. Addresses are ELF addresses (vaddr), integers host-endian.
 */
#ifndef BPF_UNWIND_H
#define BPF_UNWIND_H

#include <linux/types.h>

#define UNWIND_PAGE_SHIFT 12
#define UNWIND_PAGE_BYTES (1u << UNWIND_PAGE_SHIFT)
#define UNWIND_PAGE_MAX_ROWS UNWIND_PAGE_BYTES /* one for each byte */
#define UNWIND_PAGE_STEPS UNWIND_PAGE_SHIFT /* of a search among so many */

/* Of one file, and so its rules' numbers fit a row. libLLVM needs about 600. */
#define UNWIND_MAX_FILE_RULES 2048u

/* How the frame's CFA is found: the address just above its return address. */
enum unwind_kind {
	UNWIND_NONE, /* not: the file says nothing about this code. Zeroed memory is this. */
	UNWIND_UNSUPPORTED, /* not: what the file says can't be expressed here */
	UNWIND_STOP, /* not: the outermost frame, whose return address is undefined */
	UNWIND_SP, /* sp + cfa_offset; parameter: UNWIND_INTERRUPTED, UNWIND_OTHER_STACK */
	UNWIND_FP, /* fp + cfa_offset; parameter: as with UNWIND_SP */
	UNWIND_PLT, /* sp + cfa_offset, + 8 where ip & 15 >= parameter: a stub pushed a word */
	UNWIND_DEREF_SP, /* *(sp + cfa_offset) + 8 × parameter */
	UNWIND_DEREF_FP, /* *(fp + cfa_offset) + 8 × parameter */
	UNWIND_REGISTER, /* register (DWARF number: parameter) + cfa_offset: where it is known */
	UNWIND_SIGNAL, /* all registers are in memory, struct sigcontext at sp + cfa_offset */
	UNWIND_FRAME_POINTER, /* fp + 16, if the chain of frame pointers is sane: a guess */
	/*
	 * Go until 1.20, where a goroutine went to its thread's own stack: the CFA is what it left in its state.
	 * The goroutine's g is at the thread pointer + fp_offset, and its m's place for the g of its user is
	 * cfa_offset (see unwind_goroutine()).
	 */
	UNWIND_GOROUTINE,
	UNWIND_GO_CALLS_C, /* the same for a call of C, which keeps the place at sp + cfa_offset */
	UNWIND_KIND_COUNT
};

/* What a parameter says of the caller where the CFA is found by sp or fp. */
#define UNWIND_INTERRUPTED 1u /* it made no call: it stands right at the return address */
#define UNWIND_OTHER_STACK 2u /* it may be on another stack, which may lie lower */

/* How the caller's fp is found. */
enum unwind_fp {
	UNWIND_FP_SAME, /* it is still in the register */
	UNWIND_FP_AT_CFA, /* at CFA + fp_offset */
	UNWIND_FP_AT_FP, /* at fp + fp_offset */
	UNWIND_FP_LOST, /* not: a rule that needs it ends the stack */
};

struct unwind_rule {
	__u8 kind; /* enum unwind_kind */
	__u8 how; /* enum unwind_fp, and the parameter: UNWIND_HOW() */
	__s16 fp_offset;
	__s32 cfa_offset;
};
_Static_assert(sizeof(struct unwind_rule) == 8, "rule layout");

#define UNWIND_HOW_FP_BITS 2
#define UNWIND_MAX_PARAMETER 63
#define UNWIND_HOW(fp, parameter) ((__u8)((fp) | (parameter) << UNWIND_HOW_FP_BITS))

static inline __u32 unwind_rule_fp(const struct unwind_rule *rule)
{
	return rule->how & ((1u << UNWIND_HOW_FP_BITS) - 1);
}

static inline __u32 unwind_rule_parameter(const struct unwind_rule *rule)
{
	return rule->how >> UNWIND_HOW_FP_BITS;
}

/*
 * Go's g, m and gobuf, as its runtime's assembler code has them (src/runtime/runtime2.go); for whom that isn't
 * so the compiler makes no such rule. A g: stack.lo, stack.hi, …, m, sched { sp, … }.
 */
#define UNWIND_GO_STACK_HI 8
#define UNWIND_GO_M 48
#define UNWIND_GO_SCHED_SP 56

/* The rules that every file has, at these numbers. */
enum {
	UNWIND_RULE_NONE, /* { UNWIND_NONE } */
	UNWIND_RULE_UNSUPPORTED, /* { UNWIND_UNSUPPORTED } */
	UNWIND_RULE_FIRST /* the first of its own */
};

struct unwind_page {
	__u32 row; /* the number of its first row */
	__u16 count; /* of its rows, >= 1 */
	__u16 reserved;
};
_Static_assert(sizeof(struct unwind_page) == 8, "page layout");

#define UNWIND_ROW(within, rule) ((__u32)(within) | (__u32)(rule) << 16)

static inline __u32 unwind_row_within(__u32 row)
{
	return row & 0xffff;
}

static inline __u32 unwind_row_rule(__u32 row)
{
	return row >> 16;
}

/*
 * The row in force at `within` of a page whose rows are rows[first & mask] and what follows; a mask
 * keeps the kernel's verifier content, on the host it is UINT32_MAX. count >= 1.
 */
static inline __u32 unwind_row_find(const __u32 *rows, __u32 mask, __u32 first, __u32 count,
				    __u32 within)
{
	for (int i = 0; i < UNWIND_PAGE_STEPS && count > 1; i++) {
		__u32 half = count >> 1;

		if (unwind_row_within(rows[(first + half) & mask]) <= within)
			first += half;
		count -= half;
	}
	return rows[first & mask];
}

#endif
