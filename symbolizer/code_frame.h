/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the caller's frame is, in terms of what registers and stack were at a region's start, and
 * the unwind rule that this is at one of the region's instructions.
 */
#ifndef SYMBOLIZER_CODE_FRAME_H
#define SYMBOLIZER_CODE_FRAME_H

#include <stdbool.h>

#include "bpf/unwind.h"
#include "symbolizer/code_state.h"

struct code_frame {
	struct code_value cfa, fp; /* fp: the caller's rbp; base 0: lost */
	struct code_bases bases; /* what they and the region's states refer to */
};

/* The rule in this state; false if none can say it. */
bool code_frame_rule(const struct code_frame *f, const struct code_state *s,
		     struct unwind_rule *ret);

/*
 * What a rule says of CFA and rbp in a state; false if it can't be told, and fp base 0 for a lost
 * one.
 */
bool code_frame_values(struct code_frame *f, const struct code_state *s,
		       const struct unwind_rule *rule, struct code_value *ret_cfa,
		       struct code_value *ret_fp);

/* What another rule for the same instruction says, as far as it can be told. */
enum code_opinion {
	CODE_AGREES,
	CODE_CFA_DIFFERS,
	CODE_FP_DIFFERS,
	CODE_CANT_TELL, /* it rests on something that is not known here */
};
enum code_opinion code_frame_compare(struct code_frame *f, const struct code_state *s,
				     const struct unwind_rule *other);

#endif
