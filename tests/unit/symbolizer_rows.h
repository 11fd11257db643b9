/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwind tables as text, for comparing with what a test expects: sizes, what could not be expressed, and a line for each
 * row, "0x1139 cfa=rsp+16 rbp=[cfa-16]"; the first row of a page only where the rule changes, as readelf -wF has it. And
 * the rule that holds at an address.
 */
#ifndef TESTS_UNIT_SYMBOLIZER_ROWS_H
#define TESTS_UNIT_SYMBOLIZER_ROWS_H

#include <inttypes.h>

#include "profiler/base/buffer.h"
#include "symbolizer/unwind_compile.h"
#include "symbolizer/unwind_table.h"

static const char *const rows_kinds[UNWIND_KIND_COUNT] = {
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

static const char *const rows_registers[16] = { "rax", "rdx", "rcx", "rbx", "rsi", "rdi",
						"rbp", "rsp", "r8",  "r9",  "r10", "r11",
						"r12", "r13", "r14", "r15" };

static inline void rows_fp(const struct unwind_rule *rule, struct buffer *out)
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

/* "cfa=rsp+16 rbp=[cfa-16]", "plt rsp+8 11", "stop" … */
static inline void rows_rule(const struct unwind_rule *rule, struct buffer *out)
{
	uint32_t parameter = unwind_rule_parameter(rule);

	buffer_text(out, rule->kind < UNWIND_KIND_COUNT ? rows_kinds[rule->kind] : "?");
	switch (rule->kind) {
	case UNWIND_REGISTER:
		buffer_text(out, rows_registers[parameter & 15]);
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
	case UNWIND_GOROUTINE:
		buffer_printf(out, "=g%+d, m%+d", rule->fp_offset, rule->cfa_offset);
		break;
	case UNWIND_GO_CALLS_C:
		buffer_printf(out, "%+d]", rule->cfa_offset);
		break;
	}
	rows_fp(rule, out);
}

static inline void rows_counts(const struct unwind_table *t, const struct unwind_outcome *o,
			       struct buffer *out)
{
	buffer_printf(out,
		      "# %u functions, %u refused, %u damaged; %u gaps, %u by frame pointer, "
		      "%u from instructions\n",
		      o->fdes, o->fdes_refused, o->fdes_damaged, o->gaps, o->guessed_gaps,
		      o->solved_gaps);
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

/* Errors are the buffer's. */
static inline void rows_dump(const struct unwind_table *t, const struct unwind_outcome *outcome,
			     struct buffer *out)
{
	uint32_t last = UNWIND_RULE_NONE;

	rows_counts(t, outcome, out);
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
			rows_rule(&t->rules[rule], out);
			buffer_text(out, "\n");
		}
	}
}

/* The rule for an address; that of UNWIND_RULE_NONE outside of the table. */
static inline const struct unwind_rule *rows_find(const struct unwind_table *t, uint64_t vaddr)
{
	const struct unwind_page *page;
	uint32_t row;

	if (vaddr < t->start || vaddr >= t->limit)
		return &t->rules[UNWIND_RULE_NONE];
	page = &t->pages.items[(vaddr - t->start) >> UNWIND_PAGE_SHIFT];
	row = unwind_row_find(t->rows.items, UINT32_MAX, page->row, page->count,
			      (uint32_t)vaddr & (UNWIND_PAGE_BYTES - 1));
	return &t->rules[unwind_row_rule(row)];
}

#endif
