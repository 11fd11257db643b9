// SPDX-License-Identifier: Apache-2.0
/*
 * The compiler's table is in the reply's form already, but for its size: it may have more pages than a
 * reply, and then ends early. Segments go with it, so that who has mapped the file knows which ELF addresses
 * he has mapped, without reading ELF.
 */
#include "symbolizer/unwind_answer.h"

#include <errno.h>
#include <stdlib.h>

#include "symbolizer/elf_file.h"
#include "symbolizer/unwind_compile.h"

_Static_assert(UNWIND_REPLY_MAX_SEGMENTS == ELF_MAX_SEGMENTS, "no segment is left out");
_Static_assert(UNWIND_REPLY_MAX_ROWS <= UNWIND_MAX_ROWS, "the compiler can do as many");

struct answer {
	struct elf_file file;
	struct unwind_table table;
	struct unwind_outcome outcome;
	struct unwind_segment segments[UNWIND_REPLY_MAX_SEGMENTS];
};

static int segment_compare(const void *a, const void *b)
{
	const struct unwind_segment *x = a, *y = b;

	return x->vaddr < y->vaddr ? -1 : x->vaddr > y->vaddr;
}

/* Executable segments by address. Where two overlap, the file is no good: the later one is left out. */
static uint32_t segments_list(const struct elf_file *f, struct unwind_segment *ret)
{
	uint32_t count = 0, kept = 0;

	for (uint32_t i = 0; i < f->segments.count; i++) {
		const struct elf_segment *s = &f->segments.items[i];

		if (s->executable && s->size && s->size <= UINT64_MAX - s->offset)
			ret[count++] = (struct unwind_segment){ s->vaddr, s->offset, s->size };
	}
	qsort(ret, count, sizeof(*ret), segment_compare);
	for (uint32_t i = 0; i < count; i++)
		if (!kept || ret[i].vaddr >= ret[kept - 1].vaddr + ret[kept - 1].size)
			ret[kept++] = ret[i];
	return kept;
}

/* As many pages, and their rows, as a reply may have. */
static void table_cut(struct unwind_table *t, struct unwind_outcome *outcome)
{
	const struct unwind_page *last;

	if (t->pages.count <= UNWIND_REPLY_MAX_PAGES)
		return;
	t->pages.count = UNWIND_REPLY_MAX_PAGES;
	last = &t->pages.items[UNWIND_REPLY_MAX_PAGES - 1];
	t->rows.count = last->row + last->count;
	t->limit = t->start + (uint64_t)UNWIND_REPLY_MAX_PAGES * UNWIND_PAGE_BYTES;
	outcome->too_large = true;
}

static uint32_t flags_of(const struct unwind_outcome *o)
{
	return (o->damaged ? UNWIND_REPLY_DAMAGED : 0) |
	       (o->too_large ? UNWIND_REPLY_TOO_LARGE : 0) |
	       (o->compressed ? UNWIND_REPLY_COMPRESSED : 0) |
	       (o->eh_frame ? UNWIND_REPLY_EH_FRAME : 0) |
	       (o->debug_frame ? UNWIND_REPLY_DEBUG_FRAME : 0) |
	       (o->index ? UNWIND_REPLY_INDEX : 0) | (o->by_index ? UNWIND_REPLY_BY_INDEX : 0) |
	       (o->go ? UNWIND_REPLY_GO : 0);
}

static void write_table(struct answer *a, struct unwind_reply *head, struct buffer *reply)
{
	const struct unwind_outcome *o = &a->outcome;
	const struct unwind_table *t = &a->table;

	head->start = t->start;
	head->limit = t->limit;
	head->flags = flags_of(o);
	head->segment_count = segments_list(&a->file, a->segments);
	head->rule_count = t->rule_count;
	head->page_count = t->pages.count;
	head->row_count = t->rows.count;
	head->fdes = o->fdes;
	head->fdes_refused = o->fdes_refused;
	head->fdes_damaged = o->fdes_damaged;
	head->gaps = o->gaps;
	head->guessed_gaps = o->guessed_gaps;
	head->solved_gaps = o->solved_gaps;
	head->rules_refused = t->rules_refused;
	buffer_append(reply, head, sizeof(*head));
	buffer_append(reply, a->segments, head->segment_count * sizeof(*a->segments));
	buffer_append(reply, t->rules, head->rule_count * sizeof(*t->rules));
	buffer_append(reply, t->pages.items, head->page_count * sizeof(*t->pages.items));
	buffer_append(reply, t->rows.items, head->row_count * sizeof(*t->rows.items));
}

static int answer(struct answer *a, int fd, const struct unwind_request *request,
		  struct buffer *reply)
{
	struct unwind_reply head = { .status = SYMBOLS_OK };
	int r = elf_file_open(&a->file, fd);

	if (r == 0)
		r = unwind_compile(&a->file, request->start, request->limit, request->max_rows,
				   &a->table, &a->outcome);
	if (r == 0) {
		table_cut(&a->table, &a->outcome);
		write_table(a, &head, reply);
	} else {
		head.status = r == -ENOEXEC ? SYMBOLS_NOT_ELF : SYMBOLS_LIMIT;
		buffer_append(reply, &head, sizeof(head));
	}
	elf_file_release(&a->file);
	unwind_table_release(&a->table);
	return buffer_error(reply);
}

int unwind_answer(int fd, const struct unwind_request *request, struct buffer *reply)
{
	struct answer *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	r = answer(a, fd, request, reply);
	if (r < 0) {
		struct unwind_reply head = { .status = SYMBOLS_LIMIT };

		buffer_clear(reply);
		buffer_append(reply, &head, sizeof(head));
		r = buffer_error(reply);
	}
	free(a);
	return r;
}
