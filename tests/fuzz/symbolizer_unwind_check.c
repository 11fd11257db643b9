// SPDX-License-Identifier: Apache-2.0
/*
 * The input is a struct unwind_request and a reply to it, of a symbolizer that may be lying. What the check
 * lets through is searched as the kernel side searches it.
 *
 * The corpus: python3 tests/fuzz/unwind_check_corpus.py
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

static void search(const struct unwind_answer *a)
{
	const struct unwind_reply *r = a->reply;

	for (uint32_t i = 0; i < r->page_count; i++) {
		const struct unwind_page *p = &a->pages[i];

		for (uint32_t within = 0; within < UNWIND_PAGE_BYTES; within += 251) {
			uint32_t row =
				unwind_row_find(a->rows, UINT32_MAX, p->row, p->count, within);

			must(unwind_row_rule(row) < r->rule_count);
			must(a->rules[unwind_row_rule(row)].kind < UNWIND_KIND_COUNT);
			must(unwind_row_within(row) <= within);
		}
	}
	for (uint32_t i = 0; i < r->segment_count; i++)
		must(a->segments[i].size &&
		     a->segments[i].vaddr + a->segments[i].size > a->segments[i].vaddr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct unwind_request request;
	struct unwind_answer a;
	uint8_t *copy;

	if (size < sizeof(request))
		return 0;
	memcpy(&request, data, sizeof(request));
	size -= sizeof(request);
	copy = malloc(size ? size : 1); /* aligned, as the real one is */
	must(copy != NULL);
	memcpy(copy, data + sizeof(request), size);
	if (unwind_check(copy, size, &request, &a, NULL) == 0)
		search(&a);
	free(copy);
	return 0;
}
