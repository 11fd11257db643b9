// SPDX-License-Identifier: Apache-2.0
/*
 * In the words of the DWARF specification: CFA, RA, registers. For `slowburn debug unwind`.
 */
#include "symbolizer/unwind_dump.h"

static const char *const registers[16] = { "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
					   "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };

/* Where the caller's rbp is, unless it still is in the register. */
static void words_fp(const struct unwind_rule *rule, struct buffer *out)
{
	switch (unwind_rule_fp(rule)) {
	case UNWIND_FP_AT_CFA:
		buffer_printf(out, ", rbp=*(CFA%+d)", rule->fp_offset);
		break;
	case UNWIND_FP_AT_FP:
		buffer_printf(out, ", rbp=*(rbp%+d)", rule->fp_offset);
		break;
	case UNWIND_FP_LOST:
		buffer_text(out, ", rbp unknown");
		break;
	}
}

static void words_cfa(const struct unwind_rule *rule, struct buffer *out)
{
	const char *base = rule->kind == UNWIND_FP || rule->kind == UNWIND_DEREF_FP ? "rbp" : "rsp";
	uint32_t parameter = unwind_rule_parameter(rule);

	if (rule->kind == UNWIND_REGISTER)
		base = registers[parameter & 15];
	if (rule->kind == UNWIND_DEREF_SP || rule->kind == UNWIND_DEREF_FP)
		buffer_printf(out, "CFA=*(%s%+d)", base, rule->cfa_offset);
	else
		buffer_printf(out, "CFA=%s%+d", base, rule->cfa_offset);
	if (rule->kind == UNWIND_PLT)
		buffer_printf(out, " (+8 where rip & 15 >= %u)", parameter);
	else if ((rule->kind == UNWIND_DEREF_SP || rule->kind == UNWIND_DEREF_FP) && parameter)
		buffer_printf(out, "+%u", parameter * 8);
	buffer_text(out, ", RA=*(CFA-8)");
	if (rule->kind != UNWIND_SP && rule->kind != UNWIND_FP)
		return;
	if (parameter & UNWIND_INTERRUPTED)
		buffer_text(out, ", which made no call");
	if (parameter & UNWIND_OTHER_STACK)
		buffer_text(out, ", on another stack maybe");
}

void unwind_dump_words(const struct unwind_rule *rule, struct buffer *out)
{
	switch (rule->kind) {
	case UNWIND_NONE:
		buffer_text(out, "no unwind information");
		return;
	case UNWIND_UNSUPPORTED:
		buffer_text(out, "can't be expressed");
		return;
	case UNWIND_STOP:
		buffer_text(out, "the outermost frame");
		return;
	case UNWIND_SIGNAL:
		buffer_printf(out, "signal frame, registers at rsp%+d", rule->cfa_offset);
		return;
	case UNWIND_FRAME_POINTER:
		buffer_text(out, "by frame pointer: CFA=rbp+16, RA=*(CFA-8), rbp=*(CFA-16)");
		return;
	case UNWIND_GOROUTINE:
		buffer_printf(out,
			      "the goroutine's stack, by the thread's g at fs:%d and its m's at %d",
			      rule->fp_offset, rule->cfa_offset);
		return;
	case UNWIND_GO_CALLS_C:
		buffer_printf(out, "the goroutine's stack, by its depth at rsp%+d",
			      rule->cfa_offset);
		return;
	}
	words_cfa(rule, out);
	words_fp(rule, out);
}
