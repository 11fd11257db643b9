// SPDX-License-Identifier: Apache-2.0
/*
 * Runs the programs of call frame information. Of all registers it follows three: CFA, rbp and the
 * return address. Where the address advances, what was said so far becomes a rule, and that a row
 * of the table, unless nothing changed.
 */
#include "symbolizer/unwind_cfi.h"

#include <dwarf.h>

/* Not in elfutils' dwarf.h. Eight bytes of delta, by MIPS compilers of old; libdw knows it, too. */
#ifndef DW_CFA_MIPS_advance_loc8
#define DW_CFA_MIPS_advance_loc8 0x1d
#endif

/* Where registers are in struct sigcontext. */
#define CONTEXT_RBP 80
#define CONTEXT_RSP 120
#define CONTEXT_RIP 128

/* Linux's signal frames: all registers are relative to rsp, as they stand in struct sigcontext. */
static bool is_signal(const struct cfi_state *s)
{
	return s->cfa == CFI_CFA_DEREF && s->expression_register == CFI_RSP &&
	       s->cfa_parameter == 0 && s->expression_offset == (int32_t)s->expression_offset &&
	       s->ip == CFI_AT_RSP &&
	       s->ip_offset == s->expression_offset + CONTEXT_RIP - CONTEXT_RSP &&
	       s->fp == CFI_AT_RSP &&
	       s->fp_offset == s->expression_offset + CONTEXT_RBP - CONTEXT_RSP;
}

static bool rule_sum(uint64_t number, struct unwind_rule *rule, uint8_t *ret_parameter)
{
	*ret_parameter = 0;
	if (number == CFI_RSP) {
		rule->kind = UNWIND_SP;
	} else if (number == CFI_RBP) {
		rule->kind = UNWIND_FP;
	} else if (number < 16) {
		rule->kind = UNWIND_REGISTER;
		*ret_parameter = (uint8_t)number;
	} else {
		return false;
	}
	return true;
}

static bool rule_cfa(const struct cfi_state *s, struct unwind_rule *rule, uint8_t *ret_parameter)
{
	int64_t offset = s->cfa == CFI_CFA_REGISTER ? s->cfa_offset : s->expression_offset;

	*ret_parameter = s->cfa_parameter;
	rule->cfa_offset = (int32_t)offset;
	if (rule->cfa_offset != offset)
		return false;
	switch (s->cfa) {
	case CFI_CFA_REGISTER:
		return rule_sum(s->cfa_register, rule, ret_parameter);
	case CFI_CFA_SUM:
		return rule_sum(s->expression_register, rule, ret_parameter);
	case CFI_CFA_PLT:
		rule->kind = UNWIND_PLT;
		return true;
	case CFI_CFA_DEREF:
		rule->kind = s->expression_register == CFI_RSP ? UNWIND_DEREF_SP : UNWIND_DEREF_FP;
		return s->expression_register == CFI_RSP || s->expression_register == CFI_RBP;
	}
	return false;
}

/*
 * rbp is at an offset from itself where GCC realigned a stack. That holds as long as rbp is the frame's, as
 * it surely is where the CFA is found by it. In their epilogues these functions pop rbp, and say so only
 * when the function is left: then nothing is on the stack but the return address.
 */
static enum unwind_fp rule_fp_by_itself(const struct unwind_rule *rule)
{
	if (rule->kind == UNWIND_FP || rule->kind == UNWIND_DEREF_FP)
		return UNWIND_FP_AT_FP;
	return rule->kind == UNWIND_SP && rule->cfa_offset == 8 ? UNWIND_FP_SAME : UNWIND_FP_LOST;
}

/* A place that can't be said is as good as none: only a rule that needs rbp ends the stack. */
static enum unwind_fp rule_fp(const struct cfi_state *s, struct unwind_rule *rule)
{
	enum unwind_fp fp = UNWIND_FP_AT_CFA;
	int64_t offset = s->fp_offset;

	switch (s->fp) {
	case CFI_UNSET:
	case CFI_SAME:
		return UNWIND_FP_SAME;
	case CFI_AT_CFA:
		break;
	case CFI_AT_RSP:
		if (rule->kind != UNWIND_SP ||
		    __builtin_sub_overflow(offset, rule->cfa_offset, &offset))
			return UNWIND_FP_LOST;
		break;
	case CFI_AT_RBP:
		fp = rule_fp_by_itself(rule);
		if (fp != UNWIND_FP_AT_FP)
			return fp;
		break;
	default:
		return UNWIND_FP_LOST;
	}
	rule->fp_offset = (int16_t)offset;
	if (rule->fp_offset == offset)
		return fp;
	rule->fp_offset = 0;
	return UNWIND_FP_LOST;
}

struct unwind_rule cfi_rule(const struct cfi_state *s)
{
	struct unwind_rule rule = { 0 };
	uint8_t parameter;

	if (s->ip == CFI_UNDEFINED)
		return (struct unwind_rule){ .kind = UNWIND_STOP };
	if (is_signal(s) && s->expression_offset >= INT32_MIN + CONTEXT_RSP)
		return (struct unwind_rule){ .kind = UNWIND_SIGNAL,
					     .cfa_offset =
						     (int32_t)s->expression_offset - CONTEXT_RSP };
	if (s->ip != CFI_AT_CFA || s->ip_offset != -8 || s->sp_elsewhere ||
	    !rule_cfa(s, &rule, &parameter))
		return (struct unwind_rule){ .kind = UNWIND_UNSUPPORTED };
	rule.how = UNWIND_HOW(rule_fp(s, &rule), parameter);
	return rule;
}

/* A program as it runs. */
struct machine {
	const struct cfi_cie *cie;
	struct bytes code;
	struct cfi_state *state;
	struct unwind_table *table; /* NULL: a CIE's, in which no address is advanced */
	uint64_t at, end; /* the rows' addresses; table rows are cut to [floor, end) */
	uint64_t floor;
	uint32_t depth;
	bool bad;
	bool eh_return; /* was it there? then: */
	uint64_t eh_return_start, eh_return_limit;
	int error; /* of the table */
	struct cfi_state remembered[CFI_MAX_REMEMBERED];
};

/* The state holds up to `to`. */
static void emit(struct machine *m, uint64_t to, struct unwind_rule rule)
{
	uint64_t from = m->at > m->floor ? m->at : m->floor;

	if (to > m->end)
		to = m->end;
	m->at = to;
	if (from < to && m->table)
		m->error = unwind_table_add(m->table, from, &rule);
}

static void advance(struct machine *m, uint64_t delta)
{
	uint64_t to;

	if (__builtin_mul_overflow(delta, m->cie->code_align, &delta) ||
	    __builtin_add_overflow(m->at, delta, &to))
		m->bad = true;
	else if (to > m->at)
		emit(m, to, cfi_rule(m->state));
}

static void advance_to(struct machine *m)
{
	uint64_t to;

	if (!cfi_take_address(&m->code, m->cie->encoding, m->cie->section, &to) || to < m->at)
		m->bad = true;
	else if (to > m->at)
		emit(m, to, cfi_rule(m->state));
}

/* A register was said to be somewhere. `offset` counts with those in memory. */
static void set_register(struct cfi_state *s, uint64_t number, enum cfi_where where, int64_t offset)
{
	if (number == CFI_RBP) {
		s->fp = (uint8_t)where;
		s->fp_offset = offset;
	} else if (number == CFI_RIP) {
		s->ip = (uint8_t)where;
		s->ip_offset = offset;
	} else if (number == CFI_RSP) {
		s->sp_elsewhere = true;
	} else if (number == CFI_RAX) {
		s->rax_saved = where == CFI_AT_CFA;
	} else if (number == CFI_RDX) {
		s->rdx_saved = where == CFI_AT_CFA;
	}
}

static void restore_register(struct machine *m, uint64_t number)
{
	const struct cfi_state *initial = &m->cie->initial;

	if (!m->cie->initial_valid) /* within a CIE: there is nothing to go back to */
		m->bad = true;
	else if (number == CFI_RSP)
		m->state->sp_elsewhere = initial->sp_elsewhere;
	else if (number == CFI_RBP)
		set_register(m->state, number, initial->fp, initial->fp_offset);
	else if (number == CFI_RIP)
		set_register(m->state, number, initial->ip, initial->ip_offset);
}

static int64_t factored(const struct machine *m, int64_t value)
{
	return (int64_t)((uint64_t)value * (uint64_t)m->cie->data_align);
}

static void set_cfa(struct machine *m, uint64_t number, int64_t offset)
{
	if (number == CFI_RCX && m->state->rax_saved && m->state->rdx_saved && !m->eh_return) {
		m->eh_return = true;
		m->eh_return_start = m->at;
	}
	m->state->cfa = CFI_CFA_REGISTER;
	m->state->cfa_register = number;
	m->state->cfa_offset = offset;
	m->state->cfa_parameter = 0;
}

/*
 * def_cfa_register and def_cfa_offset change one half of a register and an offset. Behind an
 * expression libgcc takes up what was said before it, but only by the first of the two, and
 * libgcrypt relies on that. libdw refuses both.
 */
static void change_register(struct machine *m, uint64_t number)
{
	if (m->state->cfa == CFI_CFA_UNSET)
		m->bad = true;
	else
		set_cfa(m, number, m->state->cfa_offset);
}

static void change_offset(struct machine *m, int64_t offset)
{
	m->state->cfa_offset = offset;
	m->bad |= m->state->cfa == CFI_CFA_UNSET;
}

/* The instructions that say how the CFA is found. False if it is none of them. */
static bool step_cfa(struct machine *m, uint8_t op)
{
	struct bytes *b = &m->code;
	uint64_t number;

	switch (op) {
	case DW_CFA_def_cfa:
		number = bytes_uleb(b);
		set_cfa(m, number, (int64_t)bytes_uleb(b));
		return true;
	case DW_CFA_def_cfa_sf:
		number = bytes_uleb(b);
		set_cfa(m, number, factored(m, bytes_sleb(b)));
		return true;
	case DW_CFA_def_cfa_register:
		change_register(m, bytes_uleb(b));
		return true;
	case DW_CFA_def_cfa_offset:
		change_offset(m, (int64_t)bytes_uleb(b));
		return true;
	case DW_CFA_def_cfa_offset_sf:
		change_offset(m, factored(m, bytes_sleb(b)));
		return true;
	case DW_CFA_def_cfa_expression:
		cfi_expression_cfa(m->state, bytes_cut(b, bytes_uleb(b)));
		return true;
	}
	return false;
}

/*
 * That a register's value is the CFA and an offset. Of rsp it says what is always so, if that is 0.
 */
static void step_val_offset(struct machine *m, uint64_t number, int64_t offset)
{
	if (number == CFI_RSP)
		m->state->sp_elsewhere = offset != 0;
	else
		set_register(m->state, number, CFI_ELSEWHERE, 0);
}

/* The instructions that say where a register is. False if it is none of them. */
static bool step_register(struct machine *m, uint8_t op)
{
	struct bytes *b = &m->code;
	struct cfi_state *s = m->state;
	uint64_t number = bytes_uleb(b);
	int64_t offset = 0;
	enum cfi_where where;

	switch (op) {
	case DW_CFA_offset_extended:
		set_register(s, number, CFI_AT_CFA, factored(m, (int64_t)bytes_uleb(b)));
		return true;
	case DW_CFA_offset_extended_sf:
		set_register(s, number, CFI_AT_CFA, factored(m, bytes_sleb(b)));
		return true;
	case DW_CFA_GNU_negative_offset_extended:
		set_register(s, number, CFI_AT_CFA, factored(m, (int64_t)(0 - bytes_uleb(b))));
		return true;
	case DW_CFA_restore_extended:
		restore_register(m, number);
		return true;
	case DW_CFA_undefined:
		set_register(s, number, CFI_UNDEFINED, 0);
		return true;
	case DW_CFA_same_value:
		set_register(s, number, number == CFI_RBP ? CFI_SAME : CFI_ELSEWHERE, 0);
		return true;
	case DW_CFA_register:
		where = bytes_uleb(b) == CFI_RBP && number == CFI_RBP ? CFI_SAME : CFI_ELSEWHERE;
		set_register(s, number, where, 0);
		return true;
	case DW_CFA_expression:
		where = cfi_expression_place(bytes_cut(b, bytes_uleb(b)), &offset);
		set_register(s, number, where, offset);
		return true;
	case DW_CFA_val_expression:
		bytes_skip(b, bytes_uleb(b));
		set_register(s, number, CFI_ELSEWHERE, 0);
		return true;
	case DW_CFA_val_offset:
		step_val_offset(m, number, factored(m, (int64_t)bytes_uleb(b)));
		return true;
	case DW_CFA_val_offset_sf:
		step_val_offset(m, number, factored(m, bytes_sleb(b)));
		return true;
	}
	return false;
}

/* All others. */
static void step_other(struct machine *m, uint8_t op)
{
	struct bytes *b = &m->code;

	switch (op) {
	case DW_CFA_nop:
		return;
	case DW_CFA_set_loc:
		advance_to(m);
		return;
	case DW_CFA_advance_loc1:
		advance(m, bytes_u8(b));
		return;
	case DW_CFA_advance_loc2:
		advance(m, bytes_fixed(b, 2));
		return;
	case DW_CFA_advance_loc4:
		advance(m, bytes_fixed(b, 4));
		return;
	case DW_CFA_MIPS_advance_loc8:
		advance(m, bytes_fixed(b, 8));
		return;
	case DW_CFA_remember_state:
		if (m->depth == CFI_MAX_REMEMBERED)
			m->bad = true;
		else
			m->remembered[m->depth++] = *m->state;
		return;
	case DW_CFA_restore_state:
		if (m->depth == 0)
			m->bad = true;
		else
			*m->state = m->remembered[--m->depth];
		if (m->eh_return && m->at < m->eh_return_limit)
			m->eh_return_limit = m->at;
		return;
	case DW_CFA_GNU_args_size:
		bytes_uleb(b);
		return;
	}
	if (!step_cfa(m, op) && !step_register(m, op))
		m->bad = true;
}

static void step(struct machine *m)
{
	uint8_t op = bytes_u8(&m->code), low = op & 0x3f;

	/* The two highest bits are the instruction where they are not 0. */
	switch (op & 0xc0) {
	case DW_CFA_advance_loc:
		advance(m, low);
		break;
	case DW_CFA_offset:
		set_register(m->state, low, CFI_AT_CFA, factored(m, (int64_t)bytes_uleb(&m->code)));
		break;
	case DW_CFA_restore:
		restore_register(m, low);
		break;
	default:
		step_other(m, op);
	}
}

/* Not the remembered states: most programs use none. */
static void machine_init(struct machine *m, const struct cfi_cie *cie, struct bytes code,
			 struct cfi_state *state)
{
	m->cie = cie;
	m->code = code;
	m->state = state;
	m->table = NULL;
	m->at = m->end = m->floor = 0;
	m->depth = 0;
	m->bad = m->eh_return = false;
	m->eh_return_start = 0;
	m->eh_return_limit = UINT64_MAX;
	m->error = 0;
}

/* False if the program is damaged. */
static bool run(struct machine *m)
{
	while (m->code.at != m->code.end && !m->bad && !m->code.bad && m->error == 0)
		step(m);
	m->bad |= m->code.bad;
	if (m->error == 0 && m->at < m->end)
		emit(m, m->end,
		     m->bad ? (struct unwind_rule){ .kind = UNWIND_UNSUPPORTED }
			    : cfi_rule(m->state));
	return !m->bad;
}

bool cfi_run_initial(const struct cfi_cie *cie, struct bytes code, struct cfi_state *ret)
{
	struct machine m;

	*ret = (struct cfi_state){ 0 };
	machine_init(&m, cie, code, ret);
	return run(&m);
}

int cfi_run(const struct cfi_cie *cie, const struct cfi_fde *fde, uint64_t floor, uint64_t limit,
	    struct unwind_table *t, bool *ret_damaged)
{
	struct cfi_state state = cie->initial;
	uint64_t end = fde->start + fde->size;
	struct machine m;

	machine_init(&m, cie, fde->program, &state);
	m.table = t;
	m.at = fde->start;
	m.end = end < limit ? end : limit;
	m.floor = floor;
	if (!run(&m))
		*ret_damaged = true;
	return m.error;
}

bool cfi_find_eh_return(const struct cfi_cie *cie, const struct cfi_fde *fde, uint64_t *ret_start,
			uint64_t *ret_limit)
{
	struct cfi_state state = cie->initial;
	struct machine m;

	machine_init(&m, cie, fde->program, &state);
	m.at = fde->start;
	m.end = fde->start + fde->size;
	run(&m);
	if (!m.eh_return)
		return false;
	*ret_start = m.eh_return_start;
	*ret_limit = m.eh_return_limit < m.end ? m.eh_return_limit : m.end;
	return true;
}
