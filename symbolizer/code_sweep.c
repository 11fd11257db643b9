// SPDX-License-Identifier: Apache-2.0
/*
 * Decodes with Zydis, and keeps of each instruction 24 bytes. What isn't told apart here is taken for
 * the worst: the registers it writes hold anything then, and the stack's words that it writes, too.
 *
 * Instructions lie behind one another: what is data among code is decoded as well, and leads to
 * nothing that the rest agrees with. Only the begin of a function ends an instruction early.
 */
#include "symbolizer/code_sweep.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_BYTES 32u /* of a function that is elsewhere */

struct sweep {
	const struct code_piece *piece;
	struct code_insns *insns;
	ZydisDecoder decoder;
	uint32_t next_function;
};

/* An instruction as Zydis has it. */
struct decoded {
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	uint64_t vaddr;
};

static bool is_wide(ZydisRegister r)
{
	return r >= ZYDIS_REGISTER_RAX && r <= ZYDIS_REGISTER_R15;
}

static uint8_t number_of(ZydisRegister r)
{
	ZydisRegister wide = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r);

	return is_wide(wide) ? (uint8_t)(wide - ZYDIS_REGISTER_RAX) : CODE_NO_REGISTER;
}

static bool is_register(const ZydisDecodedOperand *o)
{
	return o->type == ZYDIS_OPERAND_TYPE_REGISTER && is_wide(o->reg.value);
}

/* [register + number], of the stack's segment or that of data. */
static bool is_memory(const ZydisDecodedOperand *o)
{
	return o->type == ZYDIS_OPERAND_TYPE_MEMORY && is_wide(o->mem.base) &&
	       o->mem.index == ZYDIS_REGISTER_NONE &&
	       o->mem.disp.value == (int32_t)o->mem.disp.value &&
	       o->mem.segment != ZYDIS_REGISTER_FS && o->mem.segment != ZYDIS_REGISTER_GS;
}

static bool is_number(const ZydisDecodedOperand *o)
{
	return o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && o->imm.value.s == (int32_t)o->imm.value.s;
}

static uint8_t base_of(const ZydisDecodedOperand *o)
{
	return (uint8_t)(o->mem.base - ZYDIS_REGISTER_RAX);
}

/* What any instruction does: by its operands, hidden ones included. */
static void by_operands(const struct decoded *d, struct code_insn *i)
{
	for (uint8_t n = 0; n < d->insn.operand_count; n++) {
		const ZydisDecodedOperand *o = &d->operands[n];

		if (!(o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		if (o->type == ZYDIS_OPERAND_TYPE_REGISTER) {
			uint8_t number = number_of(o->reg.value);

			if (number != CODE_NO_REGISTER)
				i->clobbers |= (uint16_t)(1u << number);
		} else if (is_memory(o)) {
			i->op = CODE_WRITE;
			i->to = base_of(o);
			i->value = (int32_t)o->mem.disp.value;
			i->bytes = o->size / 8;
		}
	}
	if (i->clobbers & 1u << CODE_SP) {
		i->op = CODE_CHANGE;
		i->to = CODE_SP;
		i->clobbers &= (uint16_t) ~(1u << CODE_SP);
	}
}

/* to = …: no longer a clobber of it. */
static void set(struct code_insn *i, enum code_op op, uint8_t to, uint8_t from, int64_t value)
{
	*i = (struct code_insn){ .at = i->at,
				 .len = i->len,
				 .target = CODE_UNKNOWN,
				 .op = (uint8_t)op,
				 .to = to,
				 .from = from,
				 .value = (int32_t)value };
}

static void by_push(const struct decoded *d, struct code_insn *i)
{
	const ZydisDecodedOperand *o = &d->operands[0];

	if (d->insn.operand_width == 16 ||
	    (d->insn.operand_width != 64 && d->insn.stack_width != 64))
		i->flow = CODE_BAD;
	else if (is_register(o))
		set(i, CODE_PUSH, CODE_NO_REGISTER, number_of(o->reg.value), 0);
	else if (is_number(o))
		set(i, CODE_PUSH_CONSTANT, CODE_NO_REGISTER, CODE_NO_REGISTER, o->imm.value.s);
	else
		set(i, CODE_PUSH_OTHER, CODE_NO_REGISTER, CODE_NO_REGISTER, 0);
}

static void by_pop(const struct decoded *d, struct code_insn *i)
{
	const ZydisDecodedOperand *o = &d->operands[0];

	if (d->insn.operand_width == 16 || o->type == ZYDIS_OPERAND_TYPE_MEMORY)
		i->flow = CODE_BAD;
	else
		set(i, CODE_POP, is_register(o) ? number_of(o->reg.value) : CODE_NO_REGISTER,
		    CODE_NO_REGISTER, 0);
}

/* Code's address in a register: of a function, mostly. */
static void refer(const struct sweep *s, struct code_insn *i, uint64_t vaddr)
{
	uint64_t off = vaddr - s->piece->vaddr;

	if (off >= s->piece->len)
		return;
	i->flags |= CODE_REFERS;
	i->target = (uint32_t)off;
}

static void by_move(const struct sweep *s, const struct decoded *d, struct code_insn *i)
{
	const ZydisDecodedOperand *to = &d->operands[0], *from = &d->operands[1];

	if (is_register(to) && is_register(from))
		set(i, CODE_SET, number_of(to->reg.value), number_of(from->reg.value), 0);
	else if (is_register(to) && is_memory(from))
		set(i, CODE_LOAD, number_of(to->reg.value), base_of(from), from->mem.disp.value);
	else if (is_memory(to) && is_register(from))
		set(i, CODE_STORE, base_of(to), number_of(from->reg.value), to->mem.disp.value);
	else if (to->type != ZYDIS_OPERAND_TYPE_REGISTER || !is_number(from) ||
		 number_of(to->reg.value) == CODE_NO_REGISTER ||
		 number_of(to->reg.value) == CODE_SP)
		return;
	else if (to->size == 64 || (to->size == 32 && from->imm.value.s >= 0)) {
		set(i, CODE_CONSTANT, number_of(to->reg.value), CODE_NO_REGISTER,
		    from->imm.value.s);
		if (s->piece->fixed)
			refer(s, i, (uint64_t)from->imm.value.s);
	} else if (to->size == 8 &&
		   !(to->reg.value >= ZYDIS_REGISTER_AH && to->reg.value <= ZYDIS_REGISTER_BH))
		set(i, CODE_BYTE, number_of(to->reg.value), CODE_NO_REGISTER, from->imm.value.s);
}

static void by_lea(const struct sweep *s, const struct decoded *d, struct code_insn *i)
{
	const ZydisDecodedOperand *to = &d->operands[0], *from = &d->operands[1];
	ZyanU64 vaddr;

	if (!is_register(to))
		return;
	if (is_memory(from))
		set(i, CODE_SET, number_of(to->reg.value), base_of(from), from->mem.disp.value);
	else if (from->mem.base == ZYDIS_REGISTER_RIP &&
		 ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&d->insn, from, d->vaddr, &vaddr)))
		refer(s, i, vaddr);
}

static void by_sum(const struct decoded *d, struct code_insn *i)
{
	const ZydisDecodedOperand *to = &d->operands[0], *from = &d->operands[1];
	int64_t value = 1;

	if (!is_register(to))
		return;
	if (d->insn.mnemonic == ZYDIS_MNEMONIC_ADD || d->insn.mnemonic == ZYDIS_MNEMONIC_SUB) {
		if (!is_number(from) || from->imm.value.s == INT32_MIN)
			return;
		value = from->imm.value.s;
	}
	if (d->insn.mnemonic == ZYDIS_MNEMONIC_SUB || d->insn.mnemonic == ZYDIS_MNEMONIC_DEC)
		value = -value;
	set(i, CODE_SET, number_of(to->reg.value), number_of(to->reg.value), value);
}

/* eax and eax */
static bool is_same(const struct decoded *d)
{
	const ZydisDecodedOperand *to = &d->operands[0], *from = &d->operands[1];

	return to->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       from->type == ZYDIS_OPERAND_TYPE_REGISTER && to->reg.value == from->reg.value &&
	       to->size >= 32 && number_of(to->reg.value) != CODE_NO_REGISTER;
}

static void by_difference(const struct decoded *d, struct code_insn *i)
{
	uint8_t number = is_same(d) ? number_of(d->operands[0].reg.value) : CODE_SP;

	if (number != CODE_SP)
		set(i, CODE_CONSTANT, number, CODE_NO_REGISTER, 0);
}

static bool go_to(const struct sweep *s, const struct decoded *d, struct code_insn *i)
{
	uint64_t off;
	ZyanU64 vaddr;

	i->target = CODE_UNKNOWN;
	if (d->operands[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return false;
	i->target = CODE_NOWHERE;
	if (!ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&d->insn, &d->operands[0], d->vaddr, &vaddr)))
		return true;
	off = vaddr - s->piece->vaddr;
	if (off < s->piece->len)
		i->target = (uint32_t)off;
	else if (elf_file_code(s->piece->file, vaddr))
		i->target = CODE_OUTSIDE;
	return true;
}

/* Is what this calls elsewhere in the file a few instructions and a ret? _init() is, in a static program. */
static bool is_short(const struct sweep *s, const struct decoded *call)
{
	uint8_t bytes[SHORT_BYTES];
	uint32_t at = 0;
	ZyanU64 vaddr;

	if (!ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&call->insn, &call->operands[0], call->vaddr,
						   &vaddr)) ||
	    !elf_file_read_code(s->piece->file, vaddr, bytes, sizeof(bytes)))
		return false;
	while (at < sizeof(bytes)) {
		ZydisDecodedInstruction insn;

		if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&s->decoder, NULL, bytes + at,
								sizeof(bytes) - at, &insn)))
			return false;
		if (insn.mnemonic == ZYDIS_MNEMONIC_RET)
			return true;
		if (insn.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE)
			return false;
		at += insn.length;
	}
	return false;
}

static void by_call(const struct sweep *s, const struct decoded *d, struct code_insn *i)
{
	set(i, CODE_OTHER, 0, 0, 0);
	i->flow = CODE_CALL;
	if (go_to(s, d, i))
		i->target = i->target == CODE_OUTSIDE && is_short(s, d) ? CODE_UNKNOWN : i->target;
	else if (d->operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		 d->operands[0].mem.base == ZYDIS_REGISTER_RIP)
		i->target = CODE_OUTSIDE;
}

/*
 * As go_to(). What leads out of the piece to where a function begins is a call from the end of this one; what leads
 * to elsewhere goes on within a function that is in two parts, a hot one and a cold one.
 */
static bool jump_to(const struct sweep *s, const struct decoded *d, struct code_insn *i)
{
	ZyanU64 vaddr;

	if (!go_to(s, d, i))
		return false;
	if (i->target == CODE_OUTSIDE && s->piece->begins &&
	    ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&d->insn, &d->operands[0], d->vaddr, &vaddr)) &&
	    !s->piece->begins(s->piece->owner, vaddr))
		i->target = CODE_MIDDLE;
	return true;
}

static void by_jump(const struct sweep *s, const struct decoded *d, struct code_insn *i)
{
	i->flow = CODE_JUMP;
	if (jump_to(s, d, i))
		return;
	i->flow = d->operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY &&
				  d->operands[0].mem.base == ZYDIS_REGISTER_RIP
			  ? CODE_JUMP_STUB
			  : CODE_JUMP_ANYWHERE;
	if (is_memory(&d->operands[0]) && base_of(&d->operands[0]) == CODE_FP &&
	    d->operands[0].mem.disp.value == 0)
		i->flags |= CODE_BY_FP;
}

static void by_branch(const struct sweep *s, const struct decoded *d, struct code_insn *i)
{
	i->flow = d->insn.mnemonic == ZYDIS_MNEMONIC_XBEGIN ? CODE_BAD : CODE_BRANCH;
	jump_to(s, d, i);
	if (d->insn.mnemonic == ZYDIS_MNEMONIC_JZ)
		i->flags |= CODE_IF_ZERO;
	else if (d->insn.mnemonic == ZYDIS_MNEMONIC_JNZ)
		i->flags |= CODE_UNLESS_ZERO;
}

static void by_mnemonic(const struct sweep *s, const struct decoded *d, struct code_insn *i)
{
	switch (d->insn.mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
	case ZYDIS_MNEMONIC_PUSHFQ:
		by_push(d, i);
		break;
	case ZYDIS_MNEMONIC_POP:
	case ZYDIS_MNEMONIC_POPFQ:
		by_pop(d, i);
		break;
	case ZYDIS_MNEMONIC_MOV:
		by_move(s, d, i);
		break;
	case ZYDIS_MNEMONIC_LEA:
		by_lea(s, d, i);
		break;
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_INC:
	case ZYDIS_MNEMONIC_DEC:
		by_sum(d, i);
		break;
	case ZYDIS_MNEMONIC_XOR:
		by_difference(d, i);
		break;
	case ZYDIS_MNEMONIC_TEST:
		if (is_same(d) && number_of(d->operands[0].reg.value) == CODE_RAX)
			i->op = CODE_TEST_RAX;
		break;
	case ZYDIS_MNEMONIC_LEAVE:
		set(i, CODE_LEAVE, CODE_FP, CODE_NO_REGISTER, 0);
		break;
	case ZYDIS_MNEMONIC_SYSCALL:
		i->op = CODE_SYSCALL;
		i->clobbers |= 1u << CODE_RAX;
		break;
	case ZYDIS_MNEMONIC_NOP:
		i->flags |= CODE_PADDING;
		break;
	case ZYDIS_MNEMONIC_RET:
		set(i, CODE_OTHER, 0, 0, 0);
		i->flow = d->operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE ? CODE_BAD
									      : CODE_RETURN;
		break;
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_HLT:
	case ZYDIS_MNEMONIC_INT3:
		i->flow = CODE_TRAP;
		break;
	case ZYDIS_MNEMONIC_ENTER:
	case ZYDIS_MNEMONIC_PUSHF:
	case ZYDIS_MNEMONIC_POPF:
		i->flow = CODE_BAD;
		break;
	default:
		if (d->insn.meta.category == ZYDIS_CATEGORY_CALL)
			by_call(s, d, i);
		else if (d->insn.meta.category == ZYDIS_CATEGORY_UNCOND_BR)
			by_jump(s, d, i);
		else if (d->insn.meta.category == ZYDIS_CATEGORY_COND_BR)
			by_branch(s, d, i);
		break;
	}
}

/* Where there is nothing are zeros: they would be an instruction, and the last of them a part of one. */
static bool is_nothing(const struct code_piece *p, uint32_t at)
{
	return !p->bytes[at] &&
	       ((at && !p->bytes[at - 1]) || (at + 1 < p->len && !p->bytes[at + 1]));
}

/* What user code doesn't have, or what leads where we don't follow. */
static bool is_bad(const ZydisDecodedInstruction *insn)
{
	return insn->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR ||
	       (insn->attributes & ZYDIS_ATTRIB_IS_PRIVILEGED &&
		insn->mnemonic != ZYDIS_MNEMONIC_HLT) ||
	       insn->meta.category == ZYDIS_CATEGORY_SYSRET;
}

/* The instruction at `at`, of at most `room` bytes. */
static struct code_insn decode(const struct sweep *s, uint32_t at, uint32_t room)
{
	struct code_insn i = { .at = at, .len = 1, .target = CODE_UNKNOWN, .flow = CODE_BAD };
	struct decoded d;

	if (is_nothing(s->piece, at) ||
	    !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&s->decoder, s->piece->bytes + at, room, &d.insn,
						 d.operands)))
		return i;
	d.vaddr = s->piece->vaddr + at;
	i.len = d.insn.length;
	if (is_bad(&d.insn))
		return i;
	i.flow = CODE_NEXT;
	by_operands(&d, &i);
	by_mnemonic(s, &d, &i);
	return i;
}

/* Where the next function begins behind `at`, or the piece's end. */
static uint32_t function_next(struct sweep *s, uint32_t at)
{
	const struct code_piece *p = s->piece;

	while (s->next_function < p->function_count &&
	       p->functions[s->next_function] <= p->vaddr + at)
		s->next_function++;
	if (s->next_function < p->function_count &&
	    p->functions[s->next_function] - p->vaddr < p->len)
		return (uint32_t)(p->functions[s->next_function] - p->vaddr);
	return p->len;
}

static int decode_all(struct sweep *s)
{
	const struct code_piece *p = s->piece;
	uint32_t at = 0;

	while (at < p->len) {
		bool begins = s->next_function < p->function_count &&
			      p->functions[s->next_function] == p->vaddr + at;
		uint32_t end = function_next(s, at);
		struct code_insn *i;

		if (s->insns->list.count == CODE_MAX_INSNS) {
			s->insns->too_large = true;
			return 0;
		}
		i = array_push(&s->insns->list, CODE_MAX_INSNS);
		if (!i)
			return -ENOMEM;
		*i = decode(s, at, end - at);
		i->flags |= begins ? CODE_SYMBOL : 0;
		at += i->len;
	}
	return 0;
}

/* The number of the instruction that begins there. */
static uint32_t insn_find(const struct code_insns *x, uint32_t at)
{
	uint32_t low = 0, high = x->list.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (x->list.items[middle].at < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low < x->list.count && x->list.items[low].at == at ? low : CODE_NOWHERE;
}

/* Targets as numbers, and what that says of the instructions there. */
static void targets_resolve(struct code_insns *x)
{
	for (uint32_t n = 0; n < x->list.count; n++) {
		struct code_insn *i = &x->list.items[n];

		if (i->target >= CODE_NOWHERE)
			continue;
		i->target = insn_find(x, i->target);
		if (i->target == CODE_NOWHERE)
			continue;
		/* That is how position-independent code of old learned where it is. */
		if (i->flow == CODE_CALL && i->target == n + 1 && i[1].op == CODE_POP) {
			set(i, CODE_PUSH_OTHER, CODE_NO_REGISTER, CODE_NO_REGISTER, 0);
			continue;
		}
		x->list.items[i->target].flags |=
			i->flow == CODE_CALL || i->flags & CODE_REFERS ? CODE_CALLED : CODE_TARGET;
	}
}

int code_sweep(const struct code_piece *piece, struct code_insns *ret)
{
	struct sweep s = { .piece = piece, .insns = ret };
	int r;

	*ret = (struct code_insns){ 0 };
	ZydisDecoderInit(&s.decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	while (s.next_function < piece->function_count &&
	       piece->functions[s.next_function] < piece->vaddr)
		s.next_function++;
	r = decode_all(&s);
	if (r == 0)
		targets_resolve(ret);
	return r;
}

void code_insns_release(struct code_insns *x)
{
	array_release(&x->list);
}
