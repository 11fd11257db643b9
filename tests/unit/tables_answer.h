/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Made-up unwind tables, as the symbolizer answers with them: random rows over some pages, of which neighbours
 * share a row where nothing changes.
 */
#ifndef TESTS_UNIT_TABLES_ANSWER_H
#define TESTS_UNIT_TABLES_ANSWER_H

#include "symbolizer/protocol.h"
#include "tests/unit/tables_fake.h"

#define MADE_PAGES 1200u
#define MADE_ROWS 300000u
#define MADE_RULES 40u

struct made {
	struct unwind_reply reply;
	struct unwind_segment segment;
	struct unwind_rule rules[MADE_RULES];
	struct unwind_page pages[MADE_PAGES];
	uint32_t rows[MADE_ROWS];
	struct unwind_answer answer;
};

/* `seed` decides which rules: files with the same one have the same. */
static inline void made_rules(struct made *m, uint32_t seed)
{
	m->rules[UNWIND_RULE_NONE] = (struct unwind_rule){ .kind = UNWIND_NONE };
	m->rules[UNWIND_RULE_UNSUPPORTED] = (struct unwind_rule){ .kind = UNWIND_UNSUPPORTED };
	for (uint32_t i = UNWIND_RULE_FIRST; i < MADE_RULES; i++)
		m->rules[i] = (struct unwind_rule){ .kind = UNWIND_SP,
						    .cfa_offset = (int32_t)(seed * 1000 + i) * 8 };
}

/*
 * For `pages` pages from `start` on, of a segment [segment_start, + segment_pages), whose offset in the file is
 * 0x1000 less; `most` rows a page.
 */
static inline void made_init(struct made *m, uint64_t segment_start, uint32_t segment_pages,
			     uint64_t start, uint32_t pages, uint32_t most, uint32_t seed)
{
	uint32_t n = 0, last = UINT32_MAX;

	m->segment = (struct unwind_segment){ segment_start, segment_start - 0x1000,
					      (uint64_t)segment_pages * UNWIND_PAGE_BYTES };
	made_rules(m, seed);
	assert_true(pages <= MADE_PAGES && (uint64_t)pages * most <= MADE_ROWS);
	for (uint32_t p = 0; p < pages; p++) {
		uint32_t count = 1 + fake_random(most), rule = fake_random(MADE_RULES);
		bool shares = p && m->pages[p - 1].count == 1 && fake_random(2);

		if (shares)
			rule = unwind_row_rule(last);
		m->pages[p] =
			(struct unwind_page){ .row = shares ? n - 1 : n, .count = (__u16)count };
		for (uint32_t i = 0; i < count; i++) {
			last = UNWIND_ROW(i * (UNWIND_PAGE_BYTES / most), rule);
			if (!shares || i)
				m->rows[n++] = last;
			rule = fake_random(MADE_RULES);
		}
	}
	m->reply = (struct unwind_reply){
		.start = start,
		.limit = start + (uint64_t)pages * UNWIND_PAGE_BYTES,
		.status = SYMBOLS_OK,
		.segment_count = 1,
		.rule_count = MADE_RULES,
		.page_count = pages,
		.row_count = n,
	};
	m->answer = (struct unwind_answer){ &m->reply, &m->segment, m->rules, m->pages, m->rows };
}

static inline const struct unwind_rule *made_find(const struct made *m, uint64_t vaddr)
{
	const struct unwind_page *p = &m->pages[(vaddr - m->reply.start) / UNWIND_PAGE_BYTES];

	return &m->rules[unwind_row_rule(
		unwind_row_find(m->rows, UINT32_MAX, p->row, p->count, vaddr % UNWIND_PAGE_BYTES))];
}

/* The rule that the kernel finds, or NULL: not compiled. As the step does it. */
static inline const struct unwind_rule *shown_find(uint32_t exe, uint64_t vaddr)
{
	const struct unwind_exe *e = &fake.exes[exe];
	uint64_t number = (vaddr - e->start) / UNWIND_PAGE_BYTES;
	struct unwind_page page;
	uint32_t row;

	if (!e->index)
		return NULL;
	assert_true(vaddr >= e->start && number < e->pages);
	page = ((const struct unwind_page *)fake_at(e->index))[number];
	if (!page.count)
		return NULL;
	assert_int_equal(page.row >> UNWIND_CHUNK_SHIFT,
			 (page.row + page.count - 1) >> UNWIND_CHUNK_SHIFT);
	row = unwind_row_find(fake_at(page.row), UINT32_MAX, 0, page.count,
			      vaddr % UNWIND_PAGE_BYTES);
	return &fake.rules[unwind_row_rule(row)];
}

#endif
