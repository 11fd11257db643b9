/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The executable mappings of an address space, sorted, never overlapping. A list is shared between a
 * process and its forked children until one of them changes it: then that one gets its own copy.
 *
 * NULL is the empty list. Not thread safe: the reference counts are plain numbers.
 */
#ifndef PROCESS_MAPPING_LIST_H
#define PROCESS_MAPPING_LIST_H

#include <stdint.h>

#include "profiler/process/process.h"

struct mapping_list;

/*
 * What all lists together may hold, counted as room that they have. A process with thousands of mappings
 * whose children each change one would otherwise cost its own memory over again, many times.
 */
struct mapping_budget {
	uint32_t used, max;
};

struct mapping_list *mapping_list_share(struct mapping_list *l);
void mapping_list_drop(struct mapping_list *l);

uint32_t mapping_list_count(const struct mapping_list *l);
/* `i` < count. */
const struct mapping *mapping_list_at(const struct mapping_list *l, uint32_t i);

/* Which file it is turned out to be another, for all who share the list; or MAPPING_UNMAPPED: none. */
void mapping_list_settle(struct mapping_list *l, uint32_t i, enum mapping_kind kind, uint32_t file);

/* The number of the mapping that holds `addr`, or UINT32_MAX. `hint` is where to look first. */
uint32_t mapping_list_find(const struct mapping_list *l, uint64_t addr, uint32_t hint);

/*
 * Puts `m` (start < end) in, as mmap(MAP_FIXED) does: what it covers is gone, what it cuts keeps its
 * ends with their offsets. m->replaced_ns is the time, and kept only if something else was there. 0; -E2BIG beyond PROCESS_MAX_MAPPINGS or the budget, or -ENOMEM, and nothing
 * has changed. The list borrows the budget for its life.
 */
int mapping_list_insert(struct mapping_list **l, struct mapping_budget *budget,
			const struct mapping *m);

#endif
