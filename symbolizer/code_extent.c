// SPDX-License-Identifier: Apache-2.0
/*
 * One walk forward. A branch that leads further on says that the function reaches at least there; behind a return or jump with
 * nothing open it ends. Of unconditional jumps only short ones count: the others are mostly to other functions.
 *
 * Refused: padding as the end. x264's assembler lies without any between one function and the next. And following
 * jumps through tables: what only they lead to is left without a name, which is better than with a neighbour's.
 */
#include "symbolizer/code_extent.h"

#include <elf.h>
#include <stdlib.h>

#include "symbolizer/code_sweep.h"

#define SHORT_JUMP_BYTES 2u /* jmp rel8 */

/* Where in the piece it leads if that may be within the function, or 0. */
static uint32_t leads_to(const struct code_insns *x, const struct code_insn *insn)
{
	bool counts = insn->flow == CODE_BRANCH ||
		      (insn->flow == CODE_JUMP && insn->len == SHORT_JUMP_BYTES);

	return counts && insn->target < x->list.count ? x->list.items[insn->target].at : 0;
}

static bool goes_on(const struct code_insn *insn)
{
	return insn->flow == CODE_NEXT || insn->flow == CODE_BRANCH || insn->flow == CODE_CALL;
}

/* Bytes of the piece that are the function's. */
static uint32_t extent(const struct code_insns *x, uint32_t len)
{
	uint32_t reach = 0;

	for (uint32_t i = 0; i < x->list.count; i++) {
		const struct code_insn *insn = &x->list.items[i];
		uint32_t to = leads_to(x, insn);

		if (insn->flow == CODE_BAD)
			return insn->at; /* no code: nobody has come here */
		if (to > reach)
			reach = to;
		if (!goes_on(insn) && reach < insn->at + insn->len)
			return insn->at + insn->len;
	}
	return len;
}

uint64_t code_extent(struct elf_file *f, uint64_t start, uint64_t limit)
{
	uint32_t len = CODE_EXTENT_MAX_BYTES;
	struct code_insns insns = { 0 };
	struct code_piece piece;
	uint64_t end = start;
	uint8_t *bytes;

	if (!f->wide || f->machine != EM_X86_64 || start >= limit)
		return limit;
	if (limit - start < len)
		len = (uint32_t)(limit - start);
	bytes = malloc(len);
	piece = (struct code_piece){ .file = f, .bytes = bytes, .len = len, .vaddr = start };
	if (bytes && elf_file_read_code(f, start, bytes, len) && code_sweep(&piece, &insns) == 0)
		end = start + extent(&insns, len);
	code_insns_release(&insns);
	free(bytes);
	return end;
}
