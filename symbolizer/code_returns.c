// SPDX-License-Identifier: Apache-2.0
/*
 * Backwards over all instructions, again and again while anything changes: a way out is ahead of
 * what leads to one. Code calls code, mostly downwards, so that a few rounds do.
 *
 * Refused: a list of what is left to look at: the rounds are few, and bounded.
 */
#include "symbolizer/code_returns.h"

#define MAX_ENDS_ROUNDS 16u

/* Is a way out ahead of this one (CODE_ENDS), or even a ret (CODE_RETURNS), as far as is known? */
static bool ends(const struct code_insns *x, uint32_t n, uint16_t flag)
{
	const struct code_insn *i = &x->list.items[n];
	bool next = n + 1 < x->list.count && x->list.items[n + 1].flags & flag;
	bool there = i->target < x->list.count ? x->list.items[i->target].flags & flag
					       : i->target != CODE_NOWHERE && flag == CODE_ENDS;

	switch (i->flow) {
	case CODE_NEXT:
		return next;
	case CODE_BRANCH:
		return next || there;
	case CODE_CALL:
		return next && (there || i->target == CODE_UNKNOWN);
	case CODE_JUMP:
		return there;
	case CODE_RETURN:
		return true;
	case CODE_JUMP_ANYWHERE:
	case CODE_JUMP_STUB:
		return flag == CODE_ENDS;
	}
	return false;
}

/* A call of what never ends doesn't return: abort() and those who call it last. */
static void ends_find(struct code_insns *x, uint16_t flag)
{
	bool changed = true;

	for (uint32_t round = 0; changed && round < MAX_ENDS_ROUNDS; round++) {
		changed = false;
		for (uint32_t n = x->list.count; n-- > 0;) {
			if (x->list.items[n].flags & flag || !ends(x, n, flag))
				continue;
			x->list.items[n].flags |= flag;
			changed = true;
		}
	}
}

void code_returns_find(struct code_insns *x)
{
	ends_find(x, CODE_ENDS);
	ends_find(x, CODE_RETURNS);
}

bool code_call_returns(const struct code_insns *x, uint32_t n)
{
	const struct code_insn *i = &x->list.items[n];

	if (n + 1 >= x->list.count || x->list.items[n + 1].flags & (CODE_SYMBOL | CODE_CALLED) ||
	    x->list.items[n + 1].flags & CODE_PADDING)
		return false;
	return i->target >= x->list.count || x->list.items[i->target].flags & CODE_ENDS;
}

bool code_call_surely_returns(const struct code_insns *x, const struct code_insn *i)
{
	return i->target == CODE_UNKNOWN ||
	       (i->target < x->list.count && x->list.items[i->target].flags & CODE_RETURNS);
}
