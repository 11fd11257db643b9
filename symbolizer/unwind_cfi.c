// SPDX-License-Identifier: Apache-2.0
/*
 * An interpreter of CFA programs that follows three registers (CFA, rbp, the return address) and
 * forgets all others.
 *
 * Refused: libdw, which is 20 times slower, because for each row it runs the program from its start
 * and allocates the result. It is the oracle in tests instead.
 */
#include "symbolizer/unwind_cfi.h"

#include <dwarf.h>
#include <errno.h>

/* Not in elfutils' dwarf.h. Eight bytes of delta, by MIPS compilers of old; libdw knows it, too. */
#ifndef DW_CFA_MIPS_advance_loc8
#define DW_CFA_MIPS_advance_loc8 0x1d
#endif

/* Where registers are in struct sigcontext. */
#define CONTEXT_RBP 80
#define CONTEXT_RSP 120
#define CONTEXT_RIP 128

#define ENCODING_FORMAT 0x0f
#define ENCODING_BASE 0x70

int cfi_entry_next(const struct cfi_section *s, uint64_t *offset, struct cfi_entry *ret)
{
	struct bytes b = { .at = s->data + *offset, .end = s->data + s->bytes };
	size_t id_bytes = 4;
	uint64_t len = bytes_fixed(&b, 4), id, id_at;

	if (len == 0 && !b.bad) {
		*offset += 4;
		return 0;
	}
	if (len == UINT32_MAX) {
		len = bytes_fixed(&b, 8);
		/* In .eh_frame the id has 4 bytes even then (LSB, 10.6.1.1). */
		id_bytes = s->debug ? 8 : 4;
	}
	if (len < id_bytes)
		return -EBADMSG;
	ret->body = bytes_cut(&b, len);
	if (b.bad)
		return -EBADMSG;
	*offset = (uint64_t)(b.at - s->data);
	id_at = (uint64_t)(ret->body.at - s->data);
	id = bytes_fixed(&ret->body, id_bytes);
	if (s->debug) {
		ret->is_cie = id == (id_bytes == 8 ? UINT64_MAX : UINT32_MAX);
		ret->cie_offset = id;
	} else {
		ret->is_cie = id == 0;
		ret->cie_offset = id_at - id; /* beyond the section if it wraps */
	}
	return 1;
}

/* The size of a pointer in this format, 0 for LEB128; false if there is no such format. */
static bool encoding_bytes(uint8_t encoding, size_t *ret)
{
	switch (encoding & ENCODING_FORMAT) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		*ret = 8;
		return true;
	case DW_EH_PE_udata4:
	case DW_EH_PE_sdata4:
		*ret = 4;
		return true;
	case DW_EH_PE_udata2:
	case DW_EH_PE_sdata2:
		*ret = 2;
		return true;
	case DW_EH_PE_uleb128:
	case DW_EH_PE_sleb128:
		*ret = 0;
		return true;
	}
	return false;
}

/* A pointer's value before its base is added. */
static bool take_value(struct bytes *b, uint8_t encoding, uint64_t *ret)
{
	size_t len;

	if (!encoding_bytes(encoding, &len))
		return false;
	if (len == 0) {
		*ret = (encoding & ENCODING_FORMAT) == DW_EH_PE_sleb128 ? (uint64_t)bytes_sleb(b)
									: bytes_uleb(b);
		return !b->bad;
	}
	*ret = bytes_fixed(b, len);
	/* bit 3: signed */
	if (encoding & 8 && len < 8 && *ret >> (len * 8 - 1))
		*ret |= ~0ULL << (len * 8);
	return !b->bad;
}

/*
 * An address in code. Relative to itself or not at all: with textrel, datarel and funcrel code would
 * be relative to what no x86-64 linker defines, and an indirect pointer has its value at run time.
 */
static bool take_address(struct bytes *b, uint8_t encoding, const struct cfi_section *s,
			 uint64_t *ret)
{
	uint64_t base = 0;

	if ((encoding & ~ENCODING_FORMAT) == DW_EH_PE_pcrel)
		base = s->vaddr + (uint64_t)(b->at - s->data);
	else if ((encoding & ~ENCODING_FORMAT) != 0)
		return false;
	if (!take_value(b, encoding, ret))
		return false;
	*ret += base;
	return true;
}

/* A pointer to a personality routine is of no interest but for its length. */
static bool skip_pointer(struct bytes *b, uint8_t encoding, const struct cfi_section *s)
{
	uint64_t ignored;

	if (encoding == DW_EH_PE_omit)
		return true;
	if ((encoding & ENCODING_BASE) == DW_EH_PE_aligned) {
		uint64_t at = s->vaddr + (uint64_t)(b->at - s->data);

		bytes_skip(b, (8 - at % 8) % 8 + 8);
		return !b->bad;
	}
	return take_value(b, encoding, &ignored);
}

/* The augmentation string's letters behind 'z', and their data. Unknown ones end what we can know. */
static bool augmentation_read(const struct cfi_section *s, const char *letters, struct bytes data,
			      struct cfi_cie *ret)
{
	for (; *letters; letters++) {
		switch (*letters) {
		case 'R':
			ret->encoding = bytes_u8(&data);
			break;
		case 'L':
			bytes_u8(&data);
			break;
		case 'P':
			if (!skip_pointer(&data, bytes_u8(&data), s))
				return false;
			break;
		case 'S': /* signal frame: such are known by what their program says */
		case 'B': /* return addresses are signed: on arm64 */
			break;
		default:
			return true;
		}
	}
	return !data.bad;
}

static bool run(const struct cfi_cie *cie, struct bytes code, uint64_t start, uint64_t end,
		uint64_t floor, struct cfi_state *state, struct unwind_table *t, int *ret);

void cfi_cie_read(const struct cfi_section *s, uint64_t offset, struct cfi_cie *ret)
{
	struct cfi_entry e;
	const char *letters;
	const void *nul;
	uint64_t at = offset, return_register;
	uint8_t version, address_bytes, segment_bytes;
	int r;

	*ret = (struct cfi_cie){ .offset = offset, .section = s, .encoding = DW_EH_PE_absptr };
	if (offset >= s->bytes || cfi_entry_next(s, &at, &e) != 1 || !e.is_cie)
		return;
	version = bytes_u8(&e.body);
	letters = (const char *)e.body.at;
	nul = memchr(letters, 0,
		     bytes_left(&e.body) < CFI_MAX_AUGMENTATION ? bytes_left(&e.body)
								: CFI_MAX_AUGMENTATION);
	if ((version != 1 && version != 3 && version != 4) || !nul)
		return;
	e.body.at = (const uint8_t *)nul + 1;
	if (strcmp(letters, "eh") == 0) /* GCC 2: a pointer to exception tables */
		bytes_skip(&e.body, 8);
	else if (*letters != 'z' && letters[strspn(letters, "SB")])
		return; /* with 'z' all data have a length; without it only these have none */
	if (version == 4) {
		address_bytes = bytes_u8(&e.body);
		segment_bytes = bytes_u8(&e.body);
		if (address_bytes != 8 || segment_bytes != 0)
			return;
	}
	ret->code_align = bytes_uleb(&e.body);
	ret->data_align = bytes_sleb(&e.body);
	return_register = version == 1 ? bytes_u8(&e.body) : bytes_uleb(&e.body);
	if (return_register != CFI_RIP)
		return;
	ret->augmented = *letters == 'z';
	if (ret->augmented &&
	    !augmentation_read(s, letters + 1, bytes_cut(&e.body, bytes_uleb(&e.body)), ret))
		return;
	if (e.body.bad || bytes_left(&e.body) > CFI_MAX_CIE_PROGRAM)
		return;
	ret->program_bytes = (uint32_t)bytes_left(&e.body);
	ret->valid = run(ret, e.body, 0, 0, 0, &ret->initial, NULL, &r);
	ret->initial_valid = true;
}

/* Start and size. */
static bool take_range(struct bytes *b, const struct cfi_cie *cie, struct cfi_fde *ret)
{
	uint32_t start, size;

	if (cie->encoding != (DW_EH_PE_pcrel | DW_EH_PE_sdata4) ||
	    bytes_left(b) < sizeof(start) + sizeof(size))
		return take_address(b, cie->encoding, cie->section, &ret->start) &&
		       take_value(b, cie->encoding & ENCODING_FORMAT, &ret->size);
	/* What all linkers write today, in fewer steps. */
	memcpy(&start, b->at, sizeof(start));
	memcpy(&size, b->at + sizeof(start), sizeof(size));
	ret->start = cie->section->vaddr + (uint64_t)(b->at - cie->section->data) +
		     (uint64_t)(int64_t)(int32_t)start;
	ret->size = (uint64_t)(int64_t)(int32_t)size;
	b->at += sizeof(start) + sizeof(size);
	return true;
}

bool cfi_fde_read(const struct cfi_cie *cie, struct bytes body, struct cfi_fde *ret)
{
	if (!cie->valid || !take_range(&body, cie, ret))
		return false;
	if (cie->augmented)
		bytes_skip(&body, bytes_uleb(&body));
	ret->program = body;
	return !body.bad && ret->size <= UINT64_MAX - ret->start;
}

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
		if (rule->kind != UNWIND_SP)
			return UNWIND_FP_LOST;
		offset -= rule->cfa_offset;
		break;
	case CFI_AT_RBP:
		fp = UNWIND_FP_AT_FP;
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

	if (!take_address(&m->code, m->cie->encoding, m->cie->section, &to) || to < m->at)
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
	m->state->cfa = CFI_CFA_REGISTER;
	m->state->cfa_register = number;
	m->state->cfa_offset = offset;
	m->state->cfa_parameter = 0;
}

/*
 * def_cfa_register and def_cfa_offset change one half of a register and an offset. Behind an expression
 * libgcc takes up what was said before it, but only by the first of the two, and libgcrypt relies on
 * that. libdw refuses both.
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

/* That a register's value is the CFA and an offset. Of rsp it says what is always so, if that is 0. */
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

/* False if the program is damaged. */
static bool run(const struct cfi_cie *cie, struct bytes code, uint64_t start, uint64_t end,
		uint64_t floor, struct cfi_state *state, struct unwind_table *t, int *ret)
{
	struct machine m;

	/* not the remembered states: most programs use none */
	m.cie = cie;
	m.code = code;
	m.state = state;
	m.table = t;
	m.at = start;
	m.end = end;
	m.floor = floor;
	m.depth = 0;
	m.bad = false;
	m.error = 0;
	while (m.code.at != m.code.end && !m.bad && !m.code.bad && m.error == 0)
		step(&m);
	m.bad |= m.code.bad;
	if (m.error == 0 && m.at < end)
		emit(&m, end,
		     m.bad ? (struct unwind_rule){ .kind = UNWIND_UNSUPPORTED } : cfi_rule(state));
	*ret = m.error;
	return !m.bad;
}

int cfi_run(const struct cfi_cie *cie, const struct cfi_fde *fde, uint64_t floor, uint64_t limit,
	    struct unwind_table *t, bool *ret_damaged)
{
	struct cfi_state state = cie->initial;
	uint64_t end = fde->start + fde->size;
	int r;

	if (!run(cie, fde->program, fde->start, end < limit ? end : limit, floor, &state, t, &r))
		*ret_damaged = true;
	return r;
}
