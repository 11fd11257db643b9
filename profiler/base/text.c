// SPDX-License-Identifier: Apache-2.0
/*
 * A UTF-8 decoder of its own rather than mbrtowc(): that depends on the locale, and accepts what moves
 * cursors. Refused: tables of wide and combining characters; a column that is off by one harms nobody.
 */
#include "profiler/base/text.h"

#include <stdint.h>
#include <string.h>

/*
 * Length of the printable UTF-8 sequence at `s`, or 0: control characters (C0, DEL, C1), overlong
 * forms, surrogates, bidirectional controls (Unicode's Bidi_Control) and line separators are refused.
 */
static size_t printable(const unsigned char *s, size_t len)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least;
	} forms[] = { { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };

	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f;
	for (size_t f = 0; f < 3; f++) {
		uint32_t c = s[0] & (unsigned char)~forms[f].mask;

		if ((s[0] & forms[f].mask) != forms[f].lead)
			continue;
		if (len < f + 2)
			return 0;
		for (size_t i = 1; i < f + 2; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (s[i] & 0x3f);
		}
		if (c < forms[f].least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ||
		    c < 0xa0 || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
		    c == 0x061c || c == 0x200e || c == 0x200f || c == 0xfeff)
			return 0;
		return f + 2;
	}
	return 0;
}

bool text_is_clean(const char *s, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		n = printable((const unsigned char *)s + i, len - i);
		if (!n)
			return false;
	}
	return true;
}

void text_escape(struct buffer *out, const char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = printable((const unsigned char *)s + i, len - i);

		if (n) {
			buffer_append(out, s + i, n);
			i += n;
		} else {
			if (s[i] == '\n')
				buffer_text(out, "\\n");
			else if (s[i] == '\t')
				buffer_text(out, "\\t");
			else
				buffer_printf(out, "\\x%02x", (unsigned char)s[i]);
			i++;
		}
	}
}

size_t text_width(const char *s, size_t len)
{
	size_t width = 0;

	for (size_t i = 0; i < len; i++)
		width += ((unsigned char)s[i] & 0xc0) != 0x80;
	return width;
}

void text_fit(struct buffer *out, const char *s, size_t len, size_t columns, bool pad)
{
	size_t width = text_width(s, len), keep = 0;

	if (width > columns) {
		if (!columns)
			return;
		for (size_t i = 0, seen = 0; i < len; i++) {
			seen += ((unsigned char)s[i] & 0xc0) != 0x80;
			if (seen == columns) {
				keep = i;
				break;
			}
		}
		buffer_append(out, s, keep);
		buffer_text(out, "…");
		return;
	}
	buffer_append(out, s, len);
	for (; pad && width < columns; width++)
		buffer_append(out, " ", 1);
}

void text_json(struct buffer *out, const char *s, size_t len)
{
	struct buffer clean = BUFFER_INIT(out->max);

	text_escape(&clean, s, len);
	buffer_text(out, "\"");
	for (size_t i = 0; i < clean.len; i++) {
		if (clean.data[i] == '"' || clean.data[i] == '\\')
			buffer_text(out, "\\");
		buffer_append(out, &clean.data[i], 1);
	}
	buffer_text(out, "\"");
	if (buffer_error(&clean) < 0 && !out->error)
		out->error = buffer_error(&clean);
	buffer_release(&clean);
}
