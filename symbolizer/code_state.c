// SPDX-License-Identifier: Apache-2.0
/*
 * A word of the stack is kept while its value is of interest: an address, or a register of the caller's.
 * That one is *not* written is known for a region as a whole (b->written), not for a state.
 *
 * Refused: to ask whether a pointer that isn't made from rsp or rbp points into the frame. Compilers
 * and people write through such to what they made room for, not over saved registers; call frame
 * information rests upon the same.
 */
#include "symbolizer/code_state.h"

#include <errno.h>
#include <string.h>

#define CALLER_SAVED 0x0fc7u /* rax, rcx, rdx, rsi, rdi, r8 to r11 */

static const struct code_value anything = { 0, CODE_ANYTHING };

void code_bases_init(struct code_bases *b)
{
	if (b->is_written) /* most regions are a few instructions, and this is most of it */
		memset(b->written, 0, sizeof(b->written));
	b->is_written = false;
	b->written_all = false;
	b->count = CODE_FIRST_BASE;
}

void code_state_init(struct code_state *s)
{
	memset(s, 0, sizeof(*s));
	for (uint32_t i = 0; i < CODE_REGISTERS; i++)
		s->registers[i] = (struct code_value){ 0, CODE_START + i };
}

/* ---- bases */

static struct code_value base_value(struct code_bases *b, struct code_value loaded, uint32_t insn)
{
	uint32_t i;

	for (i = CODE_FIRST_BASE; i < b->count; i++) {
		const struct code_base *x = &b->items[i];

		if (x->insn == insn && code_value_equal(x->loaded, loaded))
			return (struct code_value){ 0, i };
	}
	if (b->count == CODE_MAX_BASES)
		return anything;
	b->items[b->count] = (struct code_base){ loaded, insn };
	return (struct code_value){ 0, b->count++ };
}

/* The word's place in b->written, or the free one for it; NULL: there are too many. */
static struct code_value *written_find(const struct code_bases *b, struct code_value at)
{
	uint32_t slot = ((uint32_t)at.offset / 8 * 0x9e3779b1u) ^ (at.base * 0x85ebca6bu);

	for (uint32_t i = 0; i < 32; i++) {
		const struct code_value *v = &b->written[(slot + i) % CODE_MAX_WRITTEN];

		if (v->base == CODE_ANYTHING || code_value_equal(*v, at))
			return (struct code_value *)v;
	}
	return NULL;
}

static struct code_value word_of(struct code_value at)
{
	return (struct code_value){ at.offset & ~7, at.base };
}

static void written_note(struct code_bases *b, struct code_value at)
{
	struct code_value *v = written_find(b, word_of(at));

	b->is_written = true;
	if (v)
		*v = word_of(at);
	else
		b->written_all = true;
}

bool code_bases_is_written(const struct code_bases *b, struct code_value at)
{
	const struct code_value *low = written_find(b, word_of(at));
	const struct code_value *high = written_find(b, word_of(code_value_add(at, 7)));

	return b->written_all || !low || !high || low->base || high->base;
}

bool code_bases_is_sound(const struct code_bases *b, struct code_value value)
{
	for (uint32_t depth = 0; depth < 4; depth++) {
		const struct code_base *x;

		if (value.base == CODE_ANYTHING)
			return false;
		if (value.base < CODE_FIRST_BASE)
			return true;
		x = &b->items[value.base];
		if (x->insn != CODE_UNKNOWN)
			return true;
		if (code_bases_is_written(b, x->loaded))
			return false;
		value = x->loaded;
	}
	return false;
}

/* ---- memory */

static struct code_slot *slot_find(const struct code_state *s, struct code_value at)
{
	for (uint32_t i = 0; i < s->slot_count; i++) {
		if (code_value_equal(s->slots[i].at, at))
			return (struct code_slot *)&s->slots[i];
	}
	return NULL;
}

static void slots_keep(struct code_state *s, bool (*keep)(const struct code_slot *, const void *),
		       const void *what)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->slot_count; i++) {
		if (keep(&s->slots[i], what))
			s->slots[kept++] = s->slots[i];
	}
	s->slot_count = kept;
}

struct range {
	struct code_value at;
	uint32_t bytes;
};

static bool is_apart(const struct code_slot *slot, const void *what)
{
	const struct range *r = what;
	int64_t distance = (int64_t)slot->at.offset - r->at.offset;

	return slot->at.base != r->at.base || distance <= -8 || distance >= (int64_t)r->bytes;
}

static void forget_words(struct code_state *s, struct code_bases *b, struct code_value at,
			 uint32_t bytes)
{
	struct range r = { at, bytes };

	if (at.base < CODE_START)
		return;
	slots_keep(s, is_apart, &r);
	for (uint32_t i = 0; i < bytes; i += 8)
		written_note(b, code_value_add(at, i));
	if (bytes)
		written_note(b, code_value_add(at, bytes - 1));
}

/* What may be needed again: a place on the stack, what is in rbp, or a number pushed to be popped. */
static bool is_of_interest(const struct code_state *s, const struct code_bases *b,
			   struct code_value v)
{
	return (v.base && code_value_equal(v, s->registers[CODE_FP])) || v.base == CODE_START_SP ||
	       v.base == CODE_START_FP || v.base == CODE_NUMBER ||
	       (v.base >= CODE_FIRST_BASE && b->items[v.base].insn != CODE_UNKNOWN);
}

static void store(struct code_state *s, struct code_bases *b, struct code_value at,
		  struct code_value value)
{
	if (at.base < CODE_START)
		return;
	/* What was there is put back. */
	if (value.base >= CODE_FIRST_BASE && value.offset == 0 &&
	    b->items[value.base].insn == CODE_UNKNOWN &&
	    code_value_equal(b->items[value.base].loaded, at))
		return;
	forget_words(s, b, at, 8);
	if (!is_of_interest(s, b, value) || s->slot_count == CODE_MAX_SLOTS)
		return;
	s->slots[s->slot_count++] = (struct code_slot){ at, value };
}

struct code_value code_state_load(const struct code_state *s, struct code_bases *b,
				  struct code_value at)
{
	const struct code_slot *slot = slot_find(s, at);

	if (slot)
		return slot->holds;
	if (at.base < CODE_START)
		return anything;
	return base_value(b, at, CODE_UNKNOWN);
}

/* ---- instructions */

static bool is_above(const struct code_slot *slot, const void *what)
{
	const struct code_value *sp = what;

	return slot->at.base != sp->base || slot->at.offset >= sp->offset;
}

static void call(struct code_state *s)
{
	for (uint32_t i = 0; i < CODE_REGISTERS; i++) {
		if (CALLER_SAVED >> i & 1)
			s->registers[i] = anything;
	}
	slots_keep(s, is_above, &s->registers[CODE_SP]);
}

static bool is_of_other_base(const struct code_slot *slot, const void *what)
{
	const uint32_t *base = what;

	return slot->at.base != *base && slot->holds.base != *base;
}

/* rsp is something new: what was told by what this instruction made before is no longer so. */
static void change(struct code_state *s, struct code_bases *b, uint32_t number)
{
	struct code_value fresh = base_value(b, anything, number);

	slots_keep(s, is_of_other_base, &fresh.base);
	for (uint32_t i = 0; i < CODE_REGISTERS; i++) {
		if (s->registers[i].base == fresh.base)
			s->registers[i] = anything;
	}
	s->registers[CODE_SP] = fresh;
}

static void set(struct code_state *s, struct code_bases *b, uint8_t to, struct code_value value,
		uint32_t number)
{
	if (to == CODE_SP && value.base < CODE_START)
		change(s, b, number);
	else
		s->registers[to] = value;
}

static void push(struct code_state *s, struct code_bases *b, struct code_value value)
{
	struct code_value *sp = &s->registers[CODE_SP];

	*sp = code_value_add(*sp, -8);
	store(s, b, *sp, value);
}

static void pop(struct code_state *s, struct code_bases *b, uint8_t to, uint32_t number)
{
	struct code_value *sp = &s->registers[CODE_SP], value = anything;

	if (to != CODE_NO_REGISTER)
		value = code_state_load(s, b, *sp);
	*sp = code_value_add(*sp, 8);
	if (to != CODE_NO_REGISTER)
		set(s, b, to, value, number);
}

static struct code_value low_byte(struct code_value v, int32_t byte)
{
	if (v.base != CODE_NUMBER)
		return anything;
	v.offset = (v.offset & ~0xff) | (byte & 0xff);
	return v;
}

static void step(struct code_state *s, struct code_bases *b, const struct code_insn *i,
		 uint32_t number)
{
	struct code_value *r = s->registers;

	switch (i->op) {
	case CODE_SET:
		set(s, b, i->to, code_value_add(r[i->from], i->value), number);
		break;
	case CODE_CONSTANT:
		r[i->to] = (struct code_value){ i->value, CODE_NUMBER };
		break;
	case CODE_BYTE:
		r[i->to] = low_byte(r[i->to], i->value);
		break;
	case CODE_LOAD:
		set(s, b, i->to, code_state_load(s, b, code_value_add(r[i->from], i->value)),
		    number);
		break;
	case CODE_STORE:
		store(s, b, code_value_add(r[i->to], i->value), r[i->from]);
		break;
	case CODE_WRITE:
		forget_words(s, b, code_value_add(r[i->to], i->value), i->bytes);
		break;
	case CODE_PUSH:
		push(s, b, r[i->from]);
		break;
	case CODE_PUSH_CONSTANT:
		push(s, b, (struct code_value){ i->value, CODE_NUMBER });
		break;
	case CODE_PUSH_OTHER:
		push(s, b, anything);
		break;
	case CODE_POP:
		pop(s, b, i->to, number);
		break;
	case CODE_LEAVE:
		set(s, b, CODE_SP, r[CODE_FP], number);
		pop(s, b, CODE_FP, number);
		break;
	case CODE_CHANGE:
		change(s, b, number);
		break;
	}
}

void code_state_step(struct code_state *s, struct code_bases *b, const struct code_insn *i,
		     uint32_t number, bool is_fork)
{
	step(s, b, i, number);
	for (uint32_t mask = i->clobbers; mask; mask &= mask - 1)
		s->registers[__builtin_ctz(mask)] = anything;
	if (i->flow == CODE_CALL)
		call(s);
	if (is_fork)
		s->forked = true;
	/* An offset that doesn't fit. */
	if (s->registers[CODE_SP].base < CODE_START)
		change(s, b, number);
}

/* ---- joins */

static bool is_in(const struct code_slot *slot, const void *what)
{
	const struct code_slot *other = slot_find(what, slot->at);

	return other && code_value_equal(other->holds, slot->holds);
}

int code_state_join(struct code_state *s, const struct code_state *other)
{
	uint32_t slots = s->slot_count;
	bool changed = false;

	if (!code_value_equal(s->registers[CODE_SP], other->registers[CODE_SP]))
		return -EINVAL;
	for (uint32_t i = 0; i < CODE_REGISTERS; i++) {
		struct code_value *v = &s->registers[i];

		if (v->base != CODE_ANYTHING && !code_value_equal(*v, other->registers[i])) {
			*v = anything;
			changed = true;
		}
	}
	slots_keep(s, is_in, other);
	changed |= s->slot_count != slots || (other->forked && !s->forked) ||
		   (other->child && !s->child) || (s->doubtful && !other->doubtful);
	s->doubtful &= other->doubtful;
	s->forked |= other->forked;
	s->child |= other->child;
	return changed;
}
