// SPDX-License-Identifier: Apache-2.0
/*
 * DWARF expressions are programs for a stack machine, but compilers, linkers and assembler code
 * write only these:
 *
 *	CFA	breg7 8, breg16 0, lit15, and, litN, ge, lit3, shl, plus	PLT stubs
 *		bregR a, deref [, plus_uconst b]	realigned stacks (GCC), assembler code
 *		bregR a					like def_cfa
 *	place	bregR a					realigned stacks, signal frames
 *
 * They are recognized by their form.
 *
 * Refused: an interpreter. It would have to run in the kernel.
 */
#include <dwarf.h>

#include "symbolizer/unwind_cfi.h"

/* "bregN offset" or "bregx N offset"; false if it is anything else. */
static bool take_base(struct bytes *e, uint64_t *ret_register, int64_t *ret_offset)
{
	uint8_t op = bytes_u8(e);

	if (op >= DW_OP_breg0 && op <= DW_OP_breg31)
		*ret_register = op - DW_OP_breg0;
	else if (op == DW_OP_bregx)
		*ret_register = bytes_uleb(e);
	else
		return false;
	*ret_offset = bytes_sleb(e);
	return !e->bad;
}

/* What follows "breg7 offset" in a PLT stub's. */
static bool is_plt(struct bytes e, uint8_t *ret_threshold)
{
	static const uint8_t head[] = { DW_OP_breg16, 0, DW_OP_lit15, DW_OP_and };
	static const uint8_t tail[] = { DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus };
	uint8_t literal;

	if (bytes_left(&e) != sizeof(head) + 1 + sizeof(tail) ||
	    memcmp(e.at, head, sizeof(head)) != 0 ||
	    memcmp(e.at + sizeof(head) + 1, tail, sizeof(tail)) != 0)
		return false;
	literal = e.at[sizeof(head)];
	if (literal < DW_OP_lit0 || literal > DW_OP_lit15)
		return false;
	*ret_threshold = literal - DW_OP_lit0;
	return true;
}

void cfi_expression_cfa(struct cfi_state *s, struct bytes e)
{
	uint64_t reg, added = 0;
	int64_t offset;

	s->cfa = CFI_CFA_OTHER;
	if (!take_base(&e, &reg, &offset) || reg > UINT8_MAX)
		return;
	s->expression_register = (uint8_t)reg;
	s->expression_offset = offset;
	if (e.at == e.end) {
		s->cfa = CFI_CFA_SUM;
		return;
	}
	if (reg == CFI_RSP && is_plt(e, &s->cfa_parameter)) {
		s->cfa = CFI_CFA_PLT;
		return;
	}
	if (bytes_u8(&e) != DW_OP_deref)
		return;
	if (e.at != e.end) {
		if (bytes_u8(&e) != DW_OP_plus_uconst)
			return;
		added = bytes_uleb(&e);
	}
	if (e.bad || e.at != e.end || added % 8 || added / 8 > UNWIND_MAX_PARAMETER)
		return;
	s->cfa = CFI_CFA_DEREF;
	s->cfa_parameter = (uint8_t)(added / 8);
}

enum cfi_where cfi_expression_place(struct bytes e, int64_t *ret_offset)
{
	uint64_t reg;
	int64_t offset;

	if (!take_base(&e, &reg, &offset) || e.at != e.end)
		return CFI_ELSEWHERE;
	*ret_offset = offset;
	if (reg == CFI_RSP)
		return CFI_AT_RSP;
	return reg == CFI_RBP ? CFI_AT_RBP : CFI_ELSEWHERE;
}
