/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwind tables for this process and its children, filled in one go.
 */
#ifndef TESTS_UNIT_AGENT_FILLER_H
#define TESTS_UNIT_AGENT_FILLER_H

#include <stdint.h>

#include "bpf/record.h"
#include "profiler/collect/tables.h"

struct filler {
	struct tables *tables;
	uint32_t word; /* the next free one */
	uint32_t rule, exe, lists;
	uint32_t count;
	struct unwind_mapping mappings[256];
	uint64_t own_start, own_end; /* this program's code */
};

/* All that this process has mapped, and so its children. */
void filler_fill(struct filler *f, struct tables *tables);

/* An array of the mappings of its own, for the process of a sample. */
struct unwind_process filler_entry(struct filler *f, const struct record_sample *s, uint32_t stamp);

/* So many words one behind the other, in one chunk: the first of them. */
uint32_t filler_take(struct filler *f, uint32_t count);
/* The chunk's memory from this word on. */
uint32_t *filler_words(struct filler *f, uint32_t word);

#endif
