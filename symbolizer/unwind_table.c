// SPDX-License-Identifier: Apache-2.0
/*
 * A row is written when the rule changes, and one for the first byte of each page. A page without a
 * change has only that one, and if the page before has no other either, they share it: Go's text is
 * one row, however long it is.
 *
 * Rules are numbered by a hash table of twice their greatest number, whose hash nobody outside can
 * foresee: else a file could make each of its rows walk through all rules.
 */
#include "symbolizer/unwind_table.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "profiler/base/index.h"

void unwind_table_init(struct unwind_table *t, uint64_t start, uint32_t max_rows)
{
	assert(max_rows <= UNWIND_MAX_ROWS);
	memset(t, 0, sizeof(*t));
	t->start = start & ~(uint64_t)(UNWIND_PAGE_BYTES - 1);
	t->limit = t->start;
	t->max_rows = max_rows;
	t->rules[UNWIND_RULE_NONE] = (struct unwind_rule){ .kind = UNWIND_NONE };
	t->rules[UNWIND_RULE_UNSUPPORTED] = (struct unwind_rule){ .kind = UNWIND_UNSUPPORTED };
	t->rule_count = UNWIND_RULE_FIRST;
	t->multiplier = hash_bytes("", 0) | 1;
}

void unwind_table_release(struct unwind_table *t)
{
	array_release(&t->rows);
	array_release(&t->pages);
}

static uint32_t rule_number(struct unwind_table *t, const struct unwind_rule *rule)
{
	uint64_t bits;
	uint32_t slot;

	if (rule->kind == UNWIND_NONE)
		return UNWIND_RULE_NONE;
	if (rule->kind == UNWIND_UNSUPPORTED)
		return UNWIND_RULE_UNSUPPORTED;
	memcpy(&bits, rule, sizeof(bits));
	/* A universal hash (Dietzfelbinger 1997) as long as the multiplier is a secret. */
	slot = (uint32_t)(bits * t->multiplier >> 40);
	for (;; slot++) {
		uint32_t number = t->slots[slot % UNWIND_TABLE_SLOTS];

		if (number == 0)
			break;
		if (memcmp(&t->rules[number - 1], rule, sizeof(*rule)) == 0)
			return number - 1;
	}
	if (t->rule_count == UNWIND_MAX_FILE_RULES) {
		t->rules_refused++;
		return UNWIND_RULE_UNSUPPORTED;
	}
	t->rules[t->rule_count] = *rule;
	t->slots[slot % UNWIND_TABLE_SLOTS] = (uint16_t)(t->rule_count + 1);
	return t->rule_count++;
}

static int row_push(struct unwind_table *t, uint32_t row)
{
	uint32_t *slot;

	if (t->rows.count == t->max_rows)
		return -E2BIG;
	if (t->rows.count < t->rows.capacity) {
		t->rows.items[t->rows.count++] = row;
		return 0;
	}
	slot = array_push(&t->rows, t->max_rows);
	if (!slot)
		return -ENOMEM;
	*slot = row;
	return 0;
}

/* A new page, for whose first byte this rule is in force. */
static int page_push(struct unwind_table *t, uint32_t number)
{
	uint32_t row = UNWIND_ROW(0, number), first = t->rows.count;
	const struct unwind_page *before = t->pages.count ? &t->pages.items[t->pages.count - 1]
							  : NULL;
	struct unwind_page *page;

	if (t->pages.count == UNWIND_MAX_PAGES)
		return -E2BIG;
	/* Its one row is the last of all: this page's further rows can follow. */
	if (before && before->count == 1 && t->rows.items[before->row] == row) {
		first = before->row;
	} else {
		int r = row_push(t, row);

		if (r < 0)
			return r;
	}
	page = array_push(&t->pages, UNWIND_MAX_PAGES);
	if (!page)
		return -ENOMEM;
	*page = (struct unwind_page){ .row = first, .count = 1 };
	return 0;
}

/* All pages below page number `count`, with the rule in force. */
static int pages_fill(struct unwind_table *t, uint64_t count)
{
	while (t->pages.count < count) {
		int r = page_push(t, t->last_number);

		if (r < 0)
			return r;
		t->limit = t->start + (uint64_t)t->pages.count * UNWIND_PAGE_BYTES;
	}
	return 0;
}

int unwind_table_change(struct unwind_table *t, uint64_t vaddr, const struct unwind_rule *rule)
{
	uint64_t page = (vaddr - t->start) >> UNWIND_PAGE_SHIFT;
	uint32_t within = (uint32_t)vaddr & (UNWIND_PAGE_BYTES - 1);
	uint32_t number;
	int r;

	number = rule_number(t, rule);
	/* By its bits it was another, but in the table it is not: both are unsupported. */
	if (number == t->last_number) {
		t->last = *rule;
		return 0;
	}
	r = pages_fill(t, within ? page + 1 : page);
	if (r < 0)
		return r;
	t->limit = vaddr;
	if (!within)
		r = page_push(t, number);
	else
		r = row_push(t, UNWIND_ROW(within, number));
	if (r < 0)
		return r;
	if (within)
		t->pages.items[page].count++;
	t->last_number = number;
	t->last = *rule;
	return 0;
}

int unwind_table_finish(struct unwind_table *t, uint64_t limit)
{
	uint64_t count = (limit - t->start + UNWIND_PAGE_BYTES - 1) >> UNWIND_PAGE_SHIFT;
	int r = pages_fill(t, count);

	if (r == 0)
		t->limit = limit;
	return r;
}
