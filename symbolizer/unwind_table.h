/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An unwind table in the making: rows, pages and rules of bpf/unwind.h for a range of a file's
 * addresses. It is filled from the lowest address to the highest and holds only what is in force
 * from where.
 */
#ifndef SYMBOLIZER_UNWIND_TABLE_H
#define SYMBOLIZER_UNWIND_TABLE_H

#include <stdint.h>

#include "bpf/unwind.h"
#include "profiler/base/array.h"

#define UNWIND_MAX_ROWS (4u << 20) /* 16 MiB; libclang-cpp has 1.2 M */
#define UNWIND_MAX_PAGES (1u << 18) /* 1 GiB of text */

#define UNWIND_TABLE_SLOTS (UNWIND_MAX_FILE_RULES * 2)

struct unwind_table {
	uint64_t start; /* of the first page */
	uint64_t limit; /* what lies behind is not in the table */
	ARRAY(uint32_t) rows;
	ARRAY(struct unwind_page) pages;
	uint32_t rule_count;
	uint32_t rules_refused; /* rows that are unsupported because there were too many rules */
	struct unwind_rule rules[UNWIND_MAX_FILE_RULES];

	/* only while it is filled */
	uint32_t max_rows;
	uint32_t last_number; /* the rule in force */
	uint64_t multiplier; /* of the hash: odd, and of this process */
	struct unwind_rule last;
	uint16_t slots[UNWIND_TABLE_SLOTS]; /* hash of a rule → number + 1 */
};

/* For the pages from the one that holds `start` on. max_rows <= UNWIND_MAX_ROWS. */
void unwind_table_init(struct unwind_table *t, uint64_t start, uint32_t max_rows);
void unwind_table_release(struct unwind_table *t);

/* unwind_table_add() where the rule is another. */
int unwind_table_change(struct unwind_table *t, uint64_t vaddr, const struct unwind_rule *rule);

/*
 * The rule is in force from vaddr on; vaddr is no lower than at the last call, and at the same
 * address only if nothing changed there yet. 0, -ENOMEM, or -E2BIG if there are too many rows or
 * pages: then the table ends at t->limit.
 */
static inline int unwind_table_add(struct unwind_table *t, uint64_t vaddr,
				   const struct unwind_rule *rule)
{
	uint64_t is, was;

	__builtin_memcpy(&is, rule, sizeof(is));
	__builtin_memcpy(&was, &t->last, sizeof(was));
	return is == was ? 0 : unwind_table_change(t, vaddr, rule);
}

/* The pages up to `limit`, where the table ends. As unwind_table_add(). */
int unwind_table_finish(struct unwind_table *t, uint64_t limit);

#endif
