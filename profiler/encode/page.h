/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of a width: words that wrap, names that are made to fit, terminal attributes. It knows nothing of
 * what is said.
 */
#ifndef ENCODE_PAGE_H
#define ENCODE_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buffer.h"
#include "profiler/model/profile.h"

/* Between the frames of a stack, leaf first: where a stack's line may end. */
#define PAGE_ARROW " ← "

enum page_attribute { PAGE_PLAIN, PAGE_BOLD, PAGE_DIM, PAGE_ALARM };

struct page {
	struct buffer *out; /* borrowed; an error here is the page's */
	struct buffer scratch; /* a name */
	struct buffer sentence; /* a paragraph before it is wrapped */
	uint32_t columns;
	bool color;
};

void page_init(struct page *g, struct buffer *out, uint32_t columns, bool color);
void page_release(struct page *g);
/* 0, -ENOMEM or -E2BIG: what was written is not all. */
int page_error(const struct page *g);

void page_attribute(struct page *g, enum page_attribute a);
void page_spaces(struct page *g, size_t count);
/* Ends a line; a last column that is empty leaves no spaces. */
void page_end_row(struct page *g);

/* As printf, for the sentence. */
#define page_say(g, ...) buffer_printf(&(g)->sentence, __VA_ARGS__)
/* Forgets the sentence. */
void page_discard(struct page *g);

/* Writes the sentence as a paragraph, `indent` deep, and empties it. Without one it writes nothing. */
void page_paragraph(struct page *g, size_t indent);

/* The same, behind `indent` columns that are written already. */
void page_hang(struct page *g, size_t indent);
/* The same for a stack, whose lines end only before an arrow. */
void page_hang_stack(struct page *g, size_t indent);
/* How many lines that would take. */
uint32_t page_stack_lines(struct page *g, size_t indent);

/* The escaped text, "[unknown]" for an empty one; valid until the next. Its error is the page's. */
const struct buffer *page_escape(struct page *g, const char *s, size_t len);
/* Appends a string of a profile to `out`, escaped, in at most `columns`, padded if `pad`. */
void page_name(struct page *g, struct buffer *out, const struct profile_string *s, size_t columns,
	       bool pad);

#endif
