/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of registers and stack between two instructions, in terms of what they were where
 * looking at them began.
 *
 * A value is a base and an offset. Bases are what can't be told any further: the registers at the
 * start, words of memory that were not written since, and what an instruction made of rsp that is
 * no sum ("and rsp, -64").
 */
#ifndef SYMBOLIZER_CODE_STATE_H
#define SYMBOLIZER_CODE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer/code_sweep.h"

#define CODE_MAX_BASES 512u /* of a region; what is beyond is not known */
#define CODE_MAX_SLOTS 20u /* words of the stack whose value is of interest */
#define CODE_MAX_WRITTEN 1024u

enum {
	CODE_ANYTHING, /* not known */
	CODE_NUMBER, /* the offset itself */
	CODE_START, /* + register: what it held at the start */
	CODE_START_SP = CODE_START + CODE_SP,
	CODE_START_FP = CODE_START + CODE_FP,
	CODE_FIRST_BASE = CODE_START + CODE_REGISTERS,
};

struct code_value {
	int32_t offset;
	uint32_t base;
};

struct code_slot {
	struct code_value at, holds;
};

struct code_state {
	struct code_value registers[CODE_REGISTERS];
	uint32_t slot_count;
	bool forked; /* behind a system call that returns twice, on two stacks */
	bool child; /* on the other one */
	bool doubtful; /* behind a call of which nobody knows whether it returns */
	struct code_slot slots[CODE_MAX_SLOTS];
};

/* A base beyond the registers: the word there, or if `insn` isn't CODE_UNKNOWN what that made. */
struct code_base {
	struct code_value loaded;
	uint32_t insn;
};

/* What states refer to. */
struct code_bases {
	uint32_t count;
	bool is_written; /* any of them is */
	bool written_all; /* too many to be told apart */
	struct code_base items[CODE_MAX_BASES];
	struct code_value written[CODE_MAX_WRITTEN]; /* words, as a hash table; base 0: none */
};

/* For a region; zeroed before the first. */
void code_bases_init(struct code_bases *b);
void code_state_init(struct code_state *s);

/* The word there. It is remembered that it was asked for. */
struct code_value code_state_load(const struct code_state *s, struct code_bases *b,
				  struct code_value at);

/* Does this value rest upon a word that some instruction writes? */
bool code_bases_is_written(const struct code_bases *b, struct code_value at);
bool code_bases_is_sound(const struct code_bases *b, struct code_value value);

/* The instruction's effect. is_fork: it is a system call that returns twice. */
void code_state_step(struct code_state *s, struct code_bases *b, const struct code_insn *i,
		     uint32_t number, bool is_fork);

/*
 * What is true of both. Returns -EINVAL if rsp differs: then nothing is, else whether `s` changed.
 */
int code_state_join(struct code_state *s, const struct code_state *other);

static inline bool code_value_equal(struct code_value a, struct code_value b)
{
	return a.base == b.base && a.offset == b.offset;
}

static inline struct code_value code_value_add(struct code_value v, int64_t offset)
{
	int32_t sum;

	if (v.base == CODE_ANYTHING || __builtin_add_overflow(v.offset, offset, &sum))
		return (struct code_value){ 0 };
	return (struct code_value){ sum, v.base };
}

#endif
