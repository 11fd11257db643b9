// SPDX-License-Identifier: Apache-2.0
/*
 * Rows are shown as they are in the table, but for the first of a page: it is shown only where the
 * rule changes, as readelf -wF would.
 */
#include "symbolizer/unwind_dump.h"

#include <inttypes.h>

static const char *const kinds[UNWIND_KIND_COUNT] = {
	[UNWIND_NONE] = "none",
	[UNWIND_UNSUPPORTED] = "unsupported",
	[UNWIND_STOP] = "stop",
	[UNWIND_SP] = "cfa=rsp",
	[UNWIND_FP] = "cfa=rbp",
	[UNWIND_PLT] = "plt=rsp",
	[UNWIND_DEREF_SP] = "cfa=[rsp",
	[UNWIND_DEREF_FP] = "cfa=[rbp",
	[UNWIND_REGISTER] = "cfa=",
	[UNWIND_SIGNAL] = "signal=rsp",
	[UNWIND_FRAME_POINTER] = "frame pointer",
	[UNWIND_GOROUTINE] = "goroutine",
	[UNWIND_GO_CALLS_C] = "goroutine=[rsp",
};

static const char *const registers[16] = { "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
					   "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };

static void dump_fp(const struct unwind_rule *rule, struct buffer *out)
{
	switch (unwind_rule_fp(rule)) {
	case UNWIND_FP_AT_CFA:
		buffer_printf(out, " rbp=[cfa%+d]", rule->fp_offset);
		break;
	case UNWIND_FP_AT_FP:
		buffer_printf(out, " rbp=[rbp%+d]", rule->fp_offset);
		break;
	case UNWIND_FP_LOST:
		buffer_text(out, " rbp=?");
		break;
	}
}

void unwind_dump_rule(const struct unwind_rule *rule, struct buffer *out)
{
	uint32_t parameter = unwind_rule_parameter(rule);

	buffer_text(out, rule->kind < UNWIND_KIND_COUNT ? kinds[rule->kind] : "?");
	switch (rule->kind) {
	case UNWIND_REGISTER:
		buffer_text(out, registers[parameter & 15]);
		buffer_printf(out, "%+d", rule->cfa_offset);
		break;
	case UNWIND_SP:
	case UNWIND_FP:
		buffer_printf(out, "%+d%s%s", rule->cfa_offset,
			      parameter & UNWIND_INTERRUPTED ? " interrupted" : "",
			      parameter & UNWIND_OTHER_STACK ? " other stack" : "");
		break;
	case UNWIND_SIGNAL:
		buffer_printf(out, "%+d", rule->cfa_offset);
		break;
	case UNWIND_PLT:
		buffer_printf(out, "%+d, from %u on +8", rule->cfa_offset, parameter);
		break;
	case UNWIND_DEREF_SP:
	case UNWIND_DEREF_FP:
		buffer_printf(out, "%+d]+%u", rule->cfa_offset, parameter * 8);
		break;
	}
	if (rule->kind == UNWIND_GOROUTINE)
		buffer_printf(out, "=g%+d, m%+d", rule->fp_offset, rule->cfa_offset);
	if (rule->kind == UNWIND_GO_CALLS_C)
		buffer_printf(out, "%+d]", rule->cfa_offset);
	dump_fp(rule, out);
}

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

static void dump_counts(const struct unwind_table *t, const struct unwind_outcome *o,
			struct buffer *out)
{
	buffer_printf(out, "# %u functions, %u refused, %u damaged; %u gaps, %u by frame pointer\n",
		      o->fdes, o->fdes_refused, o->fdes_damaged, o->gaps, o->guessed_gaps);
	buffer_printf(out, "# %u rows, %u pages, %u rules, %u bytes\n", t->rows.count,
		      t->pages.count, t->rule_count,
		      t->rows.count * 4 + t->pages.count * 8 + t->rule_count * 8);
	if (t->rules_refused)
		buffer_printf(out, "# too many rules: %u rows are unsupported\n", t->rules_refused);
	if (o->damaged)
		buffer_text(out, "# damaged: not all of it could be read\n");
	if (o->too_large)
		buffer_printf(out, "# too large: not all of it was read; ends at 0x%" PRIx64 "\n",
			      t->limit);
	if (o->compressed)
		buffer_text(out, "# .debug_frame is compressed and was not read\n");
}

void unwind_dump(const struct unwind_table *t, const struct unwind_outcome *outcome,
		 struct buffer *out)
{
	uint32_t last = UNWIND_RULE_NONE;

	dump_counts(t, outcome, out);
	for (uint32_t i = 0; i < t->pages.count; i++) {
		const struct unwind_page *page = &t->pages.items[i];

		for (uint32_t j = 0; j < page->count && !buffer_error(out); j++) {
			uint32_t row = t->rows.items[page->row + j], rule = unwind_row_rule(row);

			if (rule == last)
				continue;
			last = rule;
			buffer_printf(out, "0x%" PRIx64 " ",
				      t->start + (uint64_t)i * UNWIND_PAGE_BYTES +
					      unwind_row_within(row));
			unwind_dump_rule(&t->rules[rule], out);
			buffer_text(out, "\n");
		}
	}
}
