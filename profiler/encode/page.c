// SPDX-License-Identifier: Apache-2.0
/*
 * A sentence is collected whole and then cut at its spaces, a stack at its arrows. Columns are counted as
 * base/text.h does, one a code point.
 */
#include "profiler/encode/page.h"

#include <string.h>

#include "profiler/base/text.h"
#include "profiler/encode/name.h"

void page_init(struct page *g, struct buffer *out, uint32_t columns, bool color)
{
	*g = (struct page){ .out = out, .columns = columns, .color = color };
	buffer_init(&g->scratch, out->max);
	buffer_init(&g->sentence, out->max);
}

void page_release(struct page *g)
{
	buffer_release(&g->scratch);
	buffer_release(&g->sentence);
}

int page_error(const struct page *g)
{
	return buffer_error(&g->sentence) < 0 ? buffer_error(&g->sentence) : buffer_error(g->out);
}

void page_attribute(struct page *g, enum page_attribute a)
{
	static const char *const codes[] = {
		[PAGE_PLAIN] = "\033[m",
		[PAGE_BOLD] = "\033[1m",
		[PAGE_DIM] = "\033[2m",
		[PAGE_ALARM] = "\033[1;31m",
	};

	if (g->color)
		buffer_text(g->out, codes[a]);
}

void page_spaces(struct page *g, size_t count)
{
	for (; count > 0; count--)
		buffer_append(g->out, " ", 1);
}

void page_end_row(struct page *g)
{
	while (g->out->len && g->out->data[g->out->len - 1] == ' ')
		g->out->len--;
	buffer_text(g->out, "\n");
}

void page_discard(struct page *g)
{
	/* An error stays: what is missing must be known at the end. */
	if (!buffer_error(&g->sentence))
		buffer_clear(&g->sentence);
}

/* May the line end at this space? A stack's only before an arrow, a sentence's not before "%". */
static bool may_end(const char *s, size_t len, bool stack)
{
	if (stack)
		return len >= strlen(PAGE_ARROW) && !memcmp(s, PAGE_ARROW, strlen(PAGE_ARROW));
	return len > 1 && *s == ' ' && s[1] != '%';
}

/* The length of the line that begins at `s`. */
static size_t line_end(const char *s, size_t len, size_t columns, bool stack)
{
	size_t width = 0, best = 0;

	for (size_t i = 0; i < len; i++) {
		if (may_end(s + i, len - i, stack))
			best = i;
		width += ((unsigned char)s[i] & 0xc0) != 0x80;
		if (width > columns)
			return best ? best : i;
	}
	return len;
}

/* Writes the sentence, each line but the first `indent` deep, if there is an `out`. Counts its lines. */
static uint32_t wrap(struct page *g, struct buffer *out, size_t indent, bool stack)
{
	const char *s = buffer_cstr(&g->sentence);
	size_t len = g->sentence.len;
	uint32_t lines = 0;

	while (s && len) {
		size_t n = line_end(s, len, g->columns - indent, stack);

		if (out) {
			for (size_t i = 0; lines && i < indent; i++)
				buffer_text(out, " ");
			buffer_append(out, s, n);
			buffer_text(out, "\n");
		}
		lines++;
		while (n < len && s[n] == ' ')
			n++;
		s += n;
		len -= n;
	}
	return lines;
}

void page_hang(struct page *g, size_t indent)
{
	wrap(g, g->out, indent, false);
	page_discard(g);
}

void page_hang_stack(struct page *g, size_t indent)
{
	wrap(g, g->out, indent, true);
	page_discard(g);
}

uint32_t page_stack_lines(struct page *g, size_t indent)
{
	return wrap(g, NULL, indent, true);
}

void page_paragraph(struct page *g, size_t indent)
{
	if (!g->sentence.len)
		return;
	page_spaces(g, indent);
	page_hang(g, indent);
}

const struct buffer *page_escape(struct page *g, const char *s, size_t len)
{
	static const char unknown[] = "[unknown]";

	buffer_clear(&g->scratch);
	text_escape(&g->scratch, len ? s : unknown, len ? len : sizeof(unknown) - 1);
	if (buffer_error(&g->scratch))
		g->out->error = buffer_error(&g->scratch);
	return &g->scratch;
}

void page_name(struct page *g, struct buffer *out, const struct profile_string *s, size_t columns,
	       bool pad)
{
	const struct buffer *name = page_escape(g, s->text, s->len);

	if (!buffer_error(name))
		name_fit(out, name->data, name->len, columns, pad);
}
