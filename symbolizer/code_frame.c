// SPDX-License-Identifier: Apache-2.0
/*
 * Where the words are that the exits speak of, looked for in a state: CFA and rbp by rsp or rbp
 * plus an offset, by a word on the stack, by another register; in the order of what is cheapest and
 * surest to follow.
 *
 * Refused: what takes more than one rule can hold, such as two words to be read one after the
 * other.
 */
#include "symbolizer/code_frame.h"

static bool told_by(const struct code_state *s, struct code_value v, uint32_t reg, int64_t *ret)
{
	*ret = (int64_t)v.offset - s->registers[reg].offset;
	return v.base >= CODE_START && s->registers[reg].base == v.base;
}

/* A word at [rsp or rbp + …] that holds v less some words. */
static bool cfa_by_word(const struct code_frame *f, const struct code_state *s,
			struct code_value at, int64_t more, struct unwind_rule *ret,
			uint32_t *ret_parameter)
{
	int64_t offset;

	if (more < 0 || more % 8 || more / 8 > UNWIND_MAX_PARAMETER)
		return false;
	if (told_by(s, at, CODE_SP, &offset) && offset >= 0)
		ret->kind = UNWIND_DEREF_SP;
	else if (told_by(s, at, CODE_FP, &offset))
		ret->kind = UNWIND_DEREF_FP;
	else
		return false;
	ret->cfa_offset = (int32_t)offset;
	*ret_parameter = (uint32_t)more / 8;
	return offset == ret->cfa_offset;
}

static bool cfa_by_memory(const struct code_frame *f, const struct code_state *s,
			  struct unwind_rule *ret, uint32_t *ret_parameter)
{
	const struct code_base *base = f->cfa.base >= CODE_FIRST_BASE ? &f->bases.items[f->cfa.base]
								      : NULL;

	for (uint32_t i = 0; i < s->slot_count; i++) {
		const struct code_slot *slot = &s->slots[i];

		if (slot->holds.base == f->cfa.base &&
		    cfa_by_word(f, s, slot->at, (int64_t)f->cfa.offset - slot->holds.offset, ret,
				ret_parameter))
			return true;
	}
	return base && base->insn == CODE_UNKNOWN &&
	       cfa_by_word(f, s, base->loaded, f->cfa.offset, ret, ret_parameter);
}

static bool cfa_by_register(const struct code_frame *f, const struct code_state *s,
			    struct unwind_rule *ret, uint32_t *ret_parameter)
{
	static const uint8_t dwarf[CODE_REGISTERS] = { 0, 2, 1,  3,  7,  6,  4,  5,
						       8, 9, 10, 11, 12, 13, 14, 15 };
	int64_t offset;

	for (uint32_t i = 0; i < CODE_REGISTERS; i++) {
		if (i == CODE_SP || i == CODE_FP || !told_by(s, f->cfa, i, &offset) ||
		    offset != (int32_t)offset)
			continue;
		ret->kind = UNWIND_REGISTER;
		ret->cfa_offset = (int32_t)offset;
		*ret_parameter = dwarf[i];
		return true;
	}
	return false;
}

static bool cfa_rule(const struct code_frame *f, const struct code_state *s,
		     struct unwind_rule *ret, uint32_t *ret_parameter)
{
	int64_t offset;

	*ret_parameter = 0;
	if (told_by(s, f->cfa, CODE_SP, &offset)) {
		ret->kind = UNWIND_SP;
		ret->cfa_offset = (int32_t)offset;
		return offset >= 8 &&
		       offset == ret->cfa_offset; /* else it was taken off the stack */
	}
	if (told_by(s, f->cfa, CODE_FP, &offset)) {
		ret->kind = UNWIND_FP;
		ret->cfa_offset = (int32_t)offset;
		return offset == ret->cfa_offset;
	}
	return cfa_by_memory(f, s, ret, ret_parameter) || cfa_by_register(f, s, ret, ret_parameter);
}

/* A word that holds the caller's rbp, told by the CFA or by rbp. */
static bool fp_by_word(const struct code_frame *f, const struct code_state *s, struct code_value at,
		       bool by_rbp, struct unwind_rule *ret, enum unwind_fp *ret_fp)
{
	int64_t offset, depth;

	if (told_by(s, at, CODE_SP, &depth) && depth < 0)
		return false; /* below the stack's top */
	*ret_fp = UNWIND_FP_AT_CFA;
	offset = (int64_t)at.offset - f->cfa.offset;
	if (at.base != f->cfa.base) {
		*ret_fp = UNWIND_FP_AT_FP;
		if (!by_rbp || !told_by(s, at, CODE_FP, &offset))
			return false;
	}
	ret->fp_offset = (int16_t)offset;
	return offset == ret->fp_offset;
}

static enum unwind_fp fp_rule(const struct code_frame *f, const struct code_state *s,
			      struct unwind_rule *ret)
{
	bool by_rbp = ret->kind == UNWIND_FP || ret->kind == UNWIND_DEREF_FP;
	const struct code_base *base = f->fp.base >= CODE_FIRST_BASE ? &f->bases.items[f->fp.base]
								     : NULL;
	enum unwind_fp fp;

	if (f->fp.base < CODE_START)
		return UNWIND_FP_LOST;
	for (uint32_t i = 0; i < s->slot_count; i++) {
		if (code_value_equal(s->slots[i].holds, f->fp) &&
		    fp_by_word(f, s, s->slots[i].at, by_rbp, ret, &fp))
			return fp;
	}
	if (base && base->insn == CODE_UNKNOWN && f->fp.offset == 0 &&
	    fp_by_word(f, s, base->loaded, by_rbp, ret, &fp))
		return fp;
	ret->fp_offset = 0;
	return code_value_equal(s->registers[CODE_FP], f->fp) ? UNWIND_FP_SAME : UNWIND_FP_LOST;
}

bool code_frame_rule(const struct code_frame *f, const struct code_state *s,
		     struct unwind_rule *ret)
{
	struct unwind_rule rule = { 0 };
	uint32_t parameter;

	if (!cfa_rule(f, s, &rule, &parameter))
		return false;
	rule.how = UNWIND_HOW(fp_rule(f, s, &rule), parameter);
	*ret = rule;
	return true;
}

bool code_frame_values(struct code_frame *f, const struct code_state *s,
		       const struct unwind_rule *rule, struct code_value *ret_cfa,
		       struct code_value *ret_fp)
{
	struct code_value base = s->registers[CODE_SP], cfa, fp = { 0 };

	if (rule->kind == UNWIND_FP || rule->kind == UNWIND_DEREF_FP)
		base = s->registers[CODE_FP];
	cfa = code_value_add(base, rule->cfa_offset);
	if (rule->kind == UNWIND_DEREF_SP || rule->kind == UNWIND_DEREF_FP)
		cfa = code_value_add(code_state_load(s, &f->bases, cfa),
				     unwind_rule_parameter(rule) * 8);
	else if (rule->kind != UNWIND_SP && rule->kind != UNWIND_FP)
		return false;
	if (unwind_rule_fp(rule) == UNWIND_FP_SAME)
		fp = s->registers[CODE_FP];
	else if (unwind_rule_fp(rule) == UNWIND_FP_AT_CFA)
		fp = code_state_load(s, &f->bases, code_value_add(cfa, rule->fp_offset));
	else if (unwind_rule_fp(rule) == UNWIND_FP_AT_FP)
		fp = code_state_load(s, &f->bases,
				     code_value_add(s->registers[CODE_FP], rule->fp_offset));
	*ret_cfa = cfa;
	*ret_fp = fp;
	return cfa.base >= CODE_START;
}

enum code_opinion code_frame_compare(struct code_frame *f, const struct code_state *s,
				     const struct unwind_rule *other)
{
	struct code_value cfa, fp;

	if (!code_frame_values(f, s, other, &cfa, &fp) || cfa.base != f->cfa.base)
		return CODE_CANT_TELL;
	if (cfa.offset != f->cfa.offset)
		return CODE_CFA_DIFFERS;
	if (fp.base != f->fp.base)
		return fp.base < CODE_START || f->fp.base < CODE_START
			       ? CODE_AGREES /* one doesn't say */
			       : CODE_FP_DIFFERS;
	return fp.offset == f->fp.offset ? CODE_AGREES : CODE_FP_DIFFERS;
}
