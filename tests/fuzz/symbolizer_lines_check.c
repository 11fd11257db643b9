// SPDX-License-Identifier: Apache-2.0
/*
 * The input is a reply of a symbolizer that may be lying: about lines, or about debug files. What the checks let
 * through is read as its receivers read it.
 *
 * The corpus: tests/fuzz/lines_check_corpus.py
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t read_lines(const struct lines_answers *a)
{
	size_t sum = strlen(a->strings + a->reply->build_id);

	for (uint32_t i = 0; i < a->reply->answer_count; i++) {
		const struct lines_answer *answer = &a->answers[i];

		for (uint32_t j = 0; j < answer->count; j++) {
			const struct lines_place *p = &a->places[answer->first + j];

			sum += strlen(a->strings + p->name) + strlen(a->strings + p->system_name) +
			       strlen(a->strings + p->file) + p->line;
		}
	}
	return sum;
}

/* Names of files, in folders that are ours to choose. */
static void read_debug(const struct debug_reply *r)
{
	if (r->build_id_bytes > sizeof(r->build_id) ||
	    r->alternate_id_bytes > sizeof(r->alternate_id) ||
	    !memchr(r->link, '\0', sizeof(r->link)) ||
	    !memchr(r->alternate, '\0', sizeof(r->alternate)) || strchr(r->link, '/'))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lines_reply head = { 0 };
	struct debug_reply debug;
	struct lines_answers a;
	volatile size_t sum = 0;
	uint8_t *copy = malloc(size ? size : 1); /* aligned, as the real one is */

	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	memcpy(&head, copy, size < sizeof(head) ? size : sizeof(head));
	if (lines_check(copy, size, head.answer_count, &a, NULL) == 0)
		sum += read_lines(&a);
	if (debug_check(copy, size, &debug, NULL) == 0)
		read_debug(&debug);
	free(copy);
	return 0;
}
