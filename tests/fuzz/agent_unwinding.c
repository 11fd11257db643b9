// SPDX-License-Identifier: Apache-2.0
/*
 * Replies of a symbolizer that may be lying, one after the other, as the agent takes them: checked, stored into
 * tables that stand in for the kernel's, and then searched as the kernel searches. The input is a list of replies,
 * each behind its length (u32) and an offset (u32) of the file at which a sample was.
 *
 * The corpus: python3 tests/fuzz/unwind_check_corpus.py
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/tables/exe.h"

#define CHUNKS 3u
#define MAX_REPLIES 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- instead of profiler/collect/tables.c ---- */

static uint32_t chunk_words[CHUNKS][UNWIND_CHUNK_WORDS];
static struct unwind_rule kernel_rules[UNWIND_MAX_RULES];
static struct unwind_exe kernel_exes[UNWIND_MAX_EXES];

uint32_t *tables_map_chunk(struct tables *t, uint32_t number)
{
	return number < CHUNKS ? chunk_words[number] : NULL;
}

void tables_release_chunk(struct tables *t, uint32_t number)
{
}

struct unwind_rule *tables_rules(struct tables *t)
{
	return kernel_rules;
}

struct unwind_exe *tables_exes(struct tables *t)
{
	return kernel_exes;
}

/* ---- */

static void must(bool good)
{
	if (!good)
		abort();
}

static const uint32_t *words_at(uint32_t addr, uint32_t count)
{
	must(addr && addr >> UNWIND_CHUNK_SHIFT < CHUNKS &&
	     count <= UNWIND_CHUNK_WORDS - addr % UNWIND_CHUNK_WORDS);
	return chunk_words[addr >> UNWIND_CHUNK_SHIFT] + addr % UNWIND_CHUNK_WORDS;
}

/* All that the kernel may come across lies within chunks and is in order. */
static void search(void)
{
	const struct unwind_exe *e = &kernel_exes[0];
	const struct unwind_page *pages;

	if (!e->index)
		return;
	pages = (const struct unwind_page *)words_at(e->index, e->pages * 2);
	for (uint32_t i = 0; i < e->pages; i++) {
		const uint32_t *rows;

		if (!pages[i].count)
			continue;
		must(pages[i].count <= UNWIND_PAGE_MAX_ROWS);
		rows = words_at(pages[i].row, pages[i].count);
		must(unwind_row_within(rows[0]) == 0);
		for (uint32_t r = 0; r < pages[i].count; r++) {
			must(kernel_rules[unwind_row_rule(rows[r])].kind < UNWIND_KIND_COUNT);
			must(!r || unwind_row_within(rows[r]) > unwind_row_within(rows[r - 1]));
		}
	}
}

static void take(struct exes *x, uint32_t exe, const uint8_t *bytes, size_t len, uint32_t offset,
		 uint64_t now_ns)
{
	struct unwind_request request;
	struct unwind_answer answer;
	uint8_t *copy;
	int r;

	if (!exes_missing(x, exe, offset, now_ns, &request))
		return;
	copy = malloc(len ? len : 1); /* aligned, and not a byte longer */
	must(copy != NULL);
	memcpy(copy, bytes, len);
	if (unwind_check(copy, len, &request, &answer, NULL) == 0) {
		r = exes_store(x, exe, &answer, &request, now_ns);
		must(r == 0 || r == 1 || r == -EAGAIN || r == -ENOSPC || r == -EINVAL ||
		     r == -ENFILE);
	}
	free(copy);
	search();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct counters counters = { 0 };
	struct chunks chunks;
	struct rules rules;
	struct exes exes;
	uint64_t now_ns = 1;
	uint32_t exe;

	chunks_init(&chunks, NULL, (uint64_t)CHUNKS * UNWIND_CHUNK_BYTES);
	must(rules_init(&rules, NULL, 1024) == 0);
	must(exes_init(&exes, NULL, &chunks, &rules, &counters, 1) == 0);
	memset(kernel_exes, 0, sizeof(kernel_exes[0]));
	exe = exes_intern(&exes, 0, now_ns);
	for (int i = 0; i < MAX_REPLIES && size >= 8; i++) {
		uint32_t head[2];

		memcpy(head, data, sizeof(head));
		data += sizeof(head);
		size -= sizeof(head);
		if (head[0] > size)
			break;
		now_ns += 70000000000; /* whatever failed may be tried again */
		take(&exes, exe, data, head[0], head[1], now_ns);
		data += head[0];
		size -= head[0];
	}
	exes_release(&exes);
	rules_release(&rules);
	chunks_release(&chunks);
	return 0;
}
