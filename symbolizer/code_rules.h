/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwind rules for code that comes without call frame information, from its instructions.
 *
 * Who returns has to know where: whatever a function did to rsp, at its `ret` the return address is
 * on top of the stack, and in rbp is what the caller had there. So the rule for an instruction follows from
 * the instructions between it and the function's end, wherever it begins:
 *
 *	push	rbp		CFA = rsp+8
 *	sub	rsp, 64		CFA = rsp+16  rbp = [CFA-16]
 *	…			CFA = rsp+80  rbp = [CFA-16]
 *	add	rsp, 64		CFA = rsp+80  rbp = [CFA-16]
 *	pop	rbp		CFA = rsp+16  rbp = [CFA-16]
 *	ret			CFA = rsp+8
 *
 * All ways out have to agree, and where functions are known to begin that, too. What can't be told, or is
 * contradicted, has no rule, and with it all that can be reached from where it was looked at first.
 *
 * It rests on what all unwinding rests on (a callee leaves rsp, rbp and the callers' frames as they
 * were) and on what compilers and assemblers do: functions end in ret, a jump, a trap or a call that doesn't
 * return; behind such a call may be another function.
 */
#ifndef SYMBOLIZER_CODE_RULES_H
#define SYMBOLIZER_CODE_RULES_H

#include "bpf/unwind.h"
#include "symbolizer/code_frame.h"
#include "symbolizer/code_sweep.h"

/* Of a piece: more is given up. Musl's C library is at 4 for an instruction. */
#define CODE_MAX_STEPS_EACH 64u
#define CODE_MAX_PLACES 8192u /* of a region: where ways meet */

struct code_rules {
	struct code_insns insns;
	struct unwind_rule *rules; /* for each instruction; UNWIND_NONE: none. NULL: none has one */
	uint32_t told; /* instructions with a rule */
	uint64_t steps; /* what it took, decoding too: up to 100 ns each */
	bool too_large; /* not all of it was looked at */
};

/* 0 or -ENOMEM. In every case code_rules_release() may be called. */
int code_rules_find(const struct code_piece *piece, struct code_rules *ret);
/* What another rule for the same instruction says, as far as it can be told. */
enum code_opinion code_view_compare(const struct code_view *view, const struct unwind_rule *other);

void code_rules_release(struct code_rules *x);

#endif
