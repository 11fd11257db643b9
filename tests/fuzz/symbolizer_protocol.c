// SPDX-License-Identifier: Apache-2.0
/*
 * The input is a reply of a symbolizer that may be lying. What the check lets through is read as
 * the agent reads it.
 *
 * The corpus: replies about the corpora of symbolizer_elf and symbolizer_kallsyms, written out by a
 * line added to those targets ("write(1, reply.data, reply.len)"), and one with a bit turned in
 * each field.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t read_answer(const struct symbols *s, const struct symbol_answer *a)
{
	uint64_t sum = a->vaddr;

	if (a->function != SYMBOLS_NONE) {
		const struct symbol_function *f = &s->functions[a->function];

		if (a->vaddr - f->start >= f->size)
			abort();
		sum += strlen(s->strings + f->name) + strlen(s->strings + f->system_name);
	}
	if (a->module != SYMBOLS_NONE)
		sum += strlen(s->strings + s->modules[a->module].name);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct symbol_reply head = { 0 };
	struct symbols s;
	volatile uint64_t sum = 0;
	uint8_t *copy = malloc(size ? size : 1); /* aligned, as the real one is */

	if (!copy)
		abort();
	memcpy(copy, data, size);
	memcpy(&head, data, size < sizeof(head) ? size : sizeof(head));
	if (symbols_check(copy, size, head.answer_count, &s, NULL) == 0) {
		for (uint32_t i = 0; i < s.reply->answer_count; i++)
			sum += read_answer(&s, &s.answers[i]);
		sum += strlen(s.strings + s.reply->build_id);
	}
	free(copy);
	return 0;
}
