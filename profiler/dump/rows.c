// SPDX-License-Identifier: Apache-2.0
/*
 * Replies are kept as they came and were checked. A file that has more rows than a reply is asked for again from
 * where the last one ended.
 */
#include "profiler/dump/rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void rows_init(struct rows *r, struct symbols_client *symbols)
{
	*r = (struct rows){ .symbols = symbols };
}

static void file_release(struct rows_file *f)
{
	for (uint32_t i = 0; i < f->parts.count; i++)
		free(f->parts.items[i].bytes);
	array_release(&f->parts);
	array_release(&f->by_frame_pointer);
}

void rows_release(struct rows *r)
{
	for (uint32_t i = 0; i < r->files.count; i++)
		file_release(&r->files.items[i]);
	array_release(&r->files);
}

const struct rows_file *rows_find(const struct rows *r, uint32_t file)
{
	for (uint32_t i = 0; i < r->files.count; i++)
		if (r->files.items[i].file == file)
			return &r->files.items[i];
	return NULL;
}

static size_t answer_bytes(const struct unwind_answer *a)
{
	const struct unwind_reply *h = a->reply;

	return sizeof(*h) + h->segment_count * sizeof(*a->segments) +
	       h->rule_count * sizeof(*a->rules) + h->page_count * sizeof(*a->pages) +
	       h->row_count * sizeof(*a->rows);
}

/* A copy, whose pointers are into itself. */
static int part_keep(struct rows *r, struct rows_file *f, const struct unwind_answer *a)
{
	size_t bytes = answer_bytes(a);
	struct rows_part *p;
	char *copy;

	if (bytes > ROWS_MAX_BYTES - r->bytes)
		return -E2BIG;
	p = array_push(&f->parts, ROWS_MAX_PARTS);
	if (!p)
		return f->parts.count == ROWS_MAX_PARTS ? -E2BIG : -ENOMEM;
	copy = malloc(bytes);
	if (!copy) {
		f->parts.count--;
		return -ENOMEM;
	}
	memcpy(copy, a->reply, bytes);
	r->bytes += bytes;
	p->bytes = copy;
	p->answer.reply = (const struct unwind_reply *)copy;
	p->answer.segments =
		(const void *)(copy + ((const char *)a->segments - (const char *)a->reply));
	p->answer.rules = (const void *)(copy + ((const char *)a->rules - (const char *)a->reply));
	p->answer.pages = (const void *)(copy + ((const char *)a->pages - (const char *)a->reply));
	p->answer.rows = (const void *)(copy + ((const char *)a->rows - (const char *)a->reply));
	return 0;
}

static void part_rows(const struct unwind_answer *a, row_fn each, void *ctx)
{
	for (uint32_t i = 0; i < a->reply->page_count; i++) {
		const struct unwind_page *p = &a->pages[i];
		uint64_t page = a->reply->start + (uint64_t)i * UNWIND_PAGE_BYTES;
		uint64_t limit = page + UNWIND_PAGE_BYTES;

		if (limit > a->reply->limit)
			limit = a->reply->limit;
		for (uint32_t k = 0; k < p->count; k++) {
			uint32_t row = a->rows[p->row + k];
			uint64_t start = page + unwind_row_within(row);
			uint64_t end = k + 1 < p->count
					       ? page + unwind_row_within(a->rows[p->row + k + 1])
					       : limit;

			if (start < end)
				each(ctx, start, end, &a->rules[unwind_row_rule(row)]);
		}
	}
}

void rows_each(const struct rows_file *f, row_fn each, void *ctx)
{
	for (uint32_t i = 0; i < f->parts.count; i++)
		part_rows(&f->parts.items[i].answer, each, ctx);
}

/* Without memory for it, or too often, the code there has no guesses. */
static void range_note(void *ctx, uint64_t start, uint64_t end, const struct unwind_rule *rule)
{
	struct rows_file *f = ctx;
	uint32_t count = f->by_frame_pointer.count;
	struct rows_range *last = count ? &f->by_frame_pointer.items[count - 1] : NULL;

	if (rule->kind != UNWIND_FRAME_POINTER)
		return;
	if (last && last->limit == start) {
		last->limit = end;
		return;
	}
	last = array_push(&f->by_frame_pointer, ROWS_MAX_RANGES);
	if (last)
		*last = (struct rows_range){ start, end };
}

static uint64_t end_of(const struct unwind_answer *a)
{
	uint32_t count = a->reply->segment_count;

	return count ? a->segments[count - 1].vaddr + a->segments[count - 1].size : 0;
}

static int parts_ask(struct rows *r, struct rows_file *f, int fd, struct err *err)
{
	struct unwind_request request = { .limit = UINT64_MAX, .max_rows = UNWIND_REPLY_MAX_ROWS };

	for (;;) {
		struct unwind_answer a;
		int e = symbols_client_unwind(r->symbols, fd, &request, &a, err);

		if (e < 0)
			return e;
		if (a.reply->status == SYMBOLS_NOT_ELF)
			return err_set(err, -ENOEXEC, "it is no x86-64 ELF file");
		if (a.reply->status != SYMBOLS_OK)
			return err_set(err, -E2BIG, "its unwind table is too large");
		e = part_keep(r, f, &a);
		if (e < 0)
			return err_errno(err, e, "its unwind rows can't be kept");
		if (!(a.reply->flags & UNWIND_REPLY_TOO_LARGE) || !a.reply->page_count ||
		    a.reply->limit >= end_of(&a))
			return 0;
		/* Each part is behind the last: this ends. */
		if (a.reply->limit <= request.start)
			return 0;
		request.start = a.reply->limit;
	}
}

int rows_add(struct rows *r, uint32_t file, int fd, struct err *err)
{
	struct rows_file *f = array_push(&r->files, ROWS_MAX_FILES);

	if (!f)
		return err_errno(err, -ENOMEM, "its unwind rows can't be kept");
	*f = (struct rows_file){ .file = file };
	f->error = parts_ask(r, f, fd, err);
	if (f->error == 0)
		rows_each(f, range_note, f);
	return f->error;
}

/* The ELF address by the last segment that has the offset when its start is rounded down to `unit`. */
static bool vaddr_at(const struct rows_file *f, uint64_t offset, uint64_t unit, uint64_t *ret)
{
	const struct unwind_answer *a = f->parts.count ? &f->parts.items[0].answer : NULL;
	bool found = false;

	for (uint32_t i = 0; a && i < a->reply->segment_count; i++) {
		const struct unwind_segment *s = &a->segments[i];

		if (offset < s->offset - s->offset % unit ||
		    (offset >= s->offset && offset - s->offset >= s->size))
			continue;
		*ret = s->vaddr + (offset - s->offset);
		found = true;
	}
	return found;
}

/* Code is its own segment's, also in a page of the file that two segments share. */
bool rows_vaddr(const struct rows_file *f, uint64_t offset, uint64_t *ret)
{
	return vaddr_at(f, offset, 1, ret) || vaddr_at(f, offset, UNWIND_PAGE_BYTES, ret);
}

/* The page where a segment begins also has the end of the one before: a mapping begins with the former. */
bool rows_mapping_vaddr(const struct rows_file *f, uint64_t offset, uint64_t *ret)
{
	return vaddr_at(f, offset, UNWIND_PAGE_BYTES, ret);
}

const struct unwind_rule *rows_rule(const struct rows_file *f, uint64_t vaddr)
{
	for (uint32_t i = 0; i < f->parts.count; i++) {
		const struct unwind_answer *a = &f->parts.items[i].answer;
		uint64_t number = (vaddr - a->reply->start) / UNWIND_PAGE_BYTES;
		const struct unwind_page *p;

		if (!a->reply->page_count || vaddr < a->reply->start || vaddr >= a->reply->limit ||
		    number >= a->reply->page_count)
			continue;
		p = &a->pages[number];
		return &a->rules[unwind_row_rule(
			unwind_row_find(a->rows, UINT32_MAX, p->row, p->count,
					(uint32_t)(vaddr - a->reply->start) % UNWIND_PAGE_BYTES))];
	}
	return NULL;
}
