// SPDX-License-Identifier: Apache-2.0
/*
 * Goes through the executable segments by address, and through the list of functions beside them:
 *
 *	segment  ├──────────────────────────────────────────────────────┤
 *	FDEs          ├──────┤├────────────┤        ├───────┤
 *	                          ├─────────────┤
 *	rows     none │ …    ││ …          │ …  │gap│ …     │ none
 *
 * Each function's program is run once, and its rows go straight into the table: nothing is kept of
 * a function, and memory grows with the table alone.
 */
#include "symbolizer/unwind_compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/unwind_eh_return.h"
#include "symbolizer/unwind_fdes.h"
#include "symbolizer/unwind_go.h"
#include "symbolizer/unwind_sections.h"

#define MAX_PADDING 15u /* functions are aligned to 16 bytes: shorter gaps are not told */
#define MIN_GUESSED_GAP 4096u
#define SEARCHED_BYTES 16384u /* of a gap, at its start */
#define PROLOGUE_EACH 2048u /* bytes: then it is code with frame pointers */
#define MAX_SEARCHED_BYTES (128u << 20) /* of a file */

static const struct unwind_rule rule_none = { .kind = UNWIND_NONE };
static const struct unwind_rule rule_unsupported = { .kind = UNWIND_UNSUPPORTED };
static const struct unwind_rule rule_frame_pointer = { .kind = UNWIND_FRAME_POINTER };

struct compiler {
	struct elf_file *file;
	struct unwind_sections sections;
	struct unwind_fdes fdes;
	struct unwind_go *go; /* NULL: Go didn't compile it, or left no table */
	struct unwind_table *table;
	struct unwind_outcome *outcome;
	uint64_t limit; /* of what is asked for */
	uint64_t at; /* rows are there up to here */
	uint32_t next; /* FDE */
	uint64_t searched; /* bytes */
};

static int segment_compare(const void *a, const void *b)
{
	const struct elf_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Executable segments by address. Returns their number. */
static uint32_t segments_list(const struct elf_file *f, struct elf_range ret[ELF_MAX_SEGMENTS])
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < f->segments.count; i++) {
		const struct elf_segment *s = &f->segments.items[i];

		if (s->executable)
			ret[count++] = (struct elf_range){ s->vaddr, s->vaddr + s->size };
	}
	qsort(ret, count, sizeof(*ret), segment_compare);
	return count;
}

static uint32_t prologues_count(const unsigned char *bytes, size_t len)
{
	static const unsigned char prologue[] = { 0x55, 0x48, 0x89,
						  0xe5 }; /* push rbp; mov rsp, rbp */
	const unsigned char *end = bytes + len;
	uint32_t count = 0;

	while ((bytes = memmem(bytes, (size_t)(end - bytes), prologue, sizeof(prologue)))) {
		bytes += sizeof(prologue);
		count++;
	}
	return count;
}

/* Do the functions in this gap keep frame pointers? */
static bool keeps_frame_pointers(struct compiler *c, uint64_t from, uint64_t to)
{
	unsigned char bytes[SEARCHED_BYTES];
	size_t len = to - from < sizeof(bytes) ? (size_t)(to - from) : sizeof(bytes);

	if (to - from < MIN_GUESSED_GAP)
		return false;
	if (c->sections.go && !c->go)
		return true;
	if (c->searched >= MAX_SEARCHED_BYTES) {
		c->outcome->too_large = true;
		return false;
	}
	c->searched += len;
	return elf_file_read_code(c->file, from, bytes, len) &&
	       prologues_count(bytes, len) >= len / PROLOGUE_EACH;
}

/* Nothing describes [c->at, to). */
static int undescribed(struct compiler *c, uint64_t to)
{
	const struct unwind_rule *rule = &rule_none;
	uint64_t from = c->at;

	c->at = to;
	if (keeps_frame_pointers(c, from, to)) {
		rule = &rule_frame_pointer;
		c->outcome->guessed_gaps++;
	} else if (to - from > MAX_PADDING) {
		c->outcome->gaps++;
	}
	return unwind_table_add(c->table, from, rule);
}

/* [c->at, to) is in no FDE: Go's own functions aren't. */
static int gap(struct compiler *c, uint64_t to)
{
	struct elf_range function;
	int r = 0;

	while (r == 0 && c->go && c->at < to && unwind_go_next(c->go, c->at, to, &function)) {
		uint64_t end = function.limit < to ? function.limit : to;

		if (function.start > c->at)
			r = undescribed(c, function.start);
		if (r == 0)
			r = unwind_go_rows(c->go, c->at, end, c->table);
		c->at = end;
		c->outcome->fdes++;
	}
	return r == 0 && c->at < to ? undescribed(c, to) : r;
}

/* A function's rows for [floor, end), but for the part in which they would lie. */
static int function_rows(struct compiler *c, const struct cfi_cie *cie, const struct cfi_fde *fde,
			 uint64_t floor, uint64_t end, bool *ret_damaged)
{
	struct elf_range part = { end, end };
	int r;

	unwind_eh_return_find(c->file, cie, fde, &part);
	if (part.start >= end || part.limit <= floor)
		return cfi_run(cie, fde, floor, end, c->table, ret_damaged);
	r = cfi_run(cie, fde, floor, part.start, c->table, ret_damaged);
	if (part.start > floor)
		floor = part.start;
	if (r == 0)
		r = unwind_table_add(c->table, floor, &rule_unsupported);
	if (r == 0 && part.limit < end)
		r = cfi_run(cie, fde, part.limit, end, c->table, ret_damaged);
	return r;
}

static int function(struct compiler *c, const struct unwind_fde *fde, uint64_t limit)
{
	uint64_t end = fde->start + fde->size, floor = c->at;
	const struct cfi_cie *cie;
	struct cfi_fde opened;
	bool damaged = false;
	int r;

	if (end > limit)
		end = limit;
	if (end <= c->at)
		return 0;
	c->at = end;
	if (!unwind_fdes_open(&c->fdes, fde, &opened, &cie)) {
		c->outcome->too_large = true;
		return unwind_table_add(c->table, floor, &rule_unsupported);
	}
	r = function_rows(c, cie, &opened, floor, end, &damaged);
	c->outcome->fdes++;
	c->outcome->fdes_damaged += damaged;
	return r;
}

/* One segment, or what is left of it behind c->at. */
static int segment(struct compiler *c, uint64_t start, uint64_t limit)
{
	int r = 0;

	if (c->at < start) { /* nothing is between segments */
		r = unwind_table_add(c->table, c->at, &rule_none);
		c->at = start;
	}
	while (r == 0 && c->next < c->fdes.list.count) {
		const struct unwind_fde *fde = &c->fdes.list.items[c->next];

		if (fde->start >= limit)
			break;
		c->next++;
		if (fde->start + fde->size <= start) { /* between segments */
			c->outcome->fdes_refused++;
			continue;
		}
		if (fde->start > c->at)
			r = gap(c, fde->start);
		if (r == 0)
			r = function(c, fde, limit);
	}
	if (r == 0 && c->at < limit)
		r = gap(c, limit);
	return r;
}

static int segments(struct compiler *c, uint64_t start, uint32_t max_rows)
{
	struct elf_range ranges[ELF_MAX_SEGMENTS];
	uint32_t count = segments_list(c->file, ranges), first = 0;
	int r = 0;

	while (first < count && ranges[first].limit <= start)
		first++;
	if (first < count && ranges[first].start > start)
		start = ranges[first].start;
	if (start > c->limit)
		start = c->limit;
	unwind_table_init(c->table, start, max_rows);
	c->at = start;
	for (uint32_t i = first; i < count && r == 0; i++) {
		uint64_t limit = ranges[i].limit < c->limit ? ranges[i].limit : c->limit;

		if (c->at < limit && ranges[i].start < limit)
			r = segment(c, ranges[i].start, limit);
	}
	if (r == 0) /* what is left is in no segment */
		c->outcome->fdes_refused += c->fdes.list.count - c->next;
	return r == 0 ? unwind_table_finish(c->table, c->at) : r;
}

static void compiler_free(struct compiler **c)
{
	if (*c) {
		unwind_fdes_release(&(*c)->fdes);
		unwind_go_free((*c)->go);
	}
	free(*c);
}

static void sources_note(struct compiler *c)
{
	c->outcome->eh_frame = c->sections.eh_frame.bytes;
	c->outcome->debug_frame = c->sections.debug_frame.bytes;
	c->outcome->index = c->file->frames_index.bytes;
	c->outcome->by_index = c->sections.terminated;
	c->outcome->go = c->sections.go;
}

int unwind_compile(struct elf_file *f, uint64_t start, uint64_t limit, uint32_t max_rows,
		   struct unwind_table *ret, struct unwind_outcome *ret_outcome)
{
	_cleanup_(compiler_free) struct compiler *c = calloc(1, sizeof(*c));
	int r;

	unwind_table_init(ret, 0, max_rows);
	*ret_outcome = (struct unwind_outcome){ 0 };
	if (!c)
		return -ENOMEM;
	c->file = f;
	c->table = ret;
	c->outcome = ret_outcome;
	c->limit = limit;
	r = unwind_sections_find(f, &c->sections);
	if (r < 0)
		return r;
	if (c->sections.go) { /* its .debug_frame doesn't say where frame pointers are kept */
		c->sections.debug_frame.bytes = 0;
		r = unwind_go_open(f, &c->sections.go_table, &c->go);
	}
	sources_note(c);
	if (r == 0 || r == -ENOENT)
		r = unwind_fdes_read(f, &c->sections, start, limit, &c->fdes);
	if (r == 0)
		r = segments(c, start, max_rows);
	ret_outcome->fdes_refused += c->fdes.refused;
	ret_outcome->damaged = f->damaged || c->fdes.damaged;
	ret_outcome->too_large |= f->too_large || c->fdes.too_large || r == -E2BIG;
	ret_outcome->compressed = c->sections.compressed;
	return r == -E2BIG ? 0 : r;
}
