// SPDX-License-Identifier: Apache-2.0
/*
 * Shortening is by brackets alone, not by a grammar: demangled names of C++, Rust and Go have brackets
 * in common, and nothing else. If they don't balance (an operator of a kind we don't know), the name is
 * cut in its middle.
 */
#include "profiler/encode/name.h"

#include <errno.h>
#include <string.h>

#include "profiler/base/text.h"

#define ELLIPSIS "…"

static bool starts_with(const char *s, const char *end, const char *prefix)
{
	size_t n = strlen(prefix);

	return (size_t)(end - s) >= n && !memcmp(s, prefix, n);
}

/* Length of an operator's name at `s` ("operator<<"), whose signs are no brackets; 0 if it is none. */
static size_t operator_name(const char *s, const char *end)
{
	static const char *const signs[] = { "<=>", "<<=", ">>=", "->*", "<<", ">>",
					     "<=",  ">=",  "->",  "()",  "<",  ">" };
	const size_t word = strlen("operator");

	if (!starts_with(s, end, "operator"))
		return 0;
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (starts_with(s + word, end, signs[i]))
			return word + strlen(signs[i]);
	return word;
}

/*
 * Appends `s` with what is within the outermost pairs of brackets replaced by "…". False if brackets
 * don't balance.
 */
static bool elide_brackets(struct buffer *out, const char *s, size_t len, char open, char close)
{
	const char *end = s + len, *inside = NULL;
	size_t depth = 0;

	while (s < end) {
		size_t n = operator_name(s, end);

		if (!n)
			n = starts_with(s, end, "->") ? 2 : 1;
		if (n == 1 && *s == close) {
			if (!depth)
				return false;
			if (!--depth) {
				/* C++ says where a name is by "(anonymous namespace)": worth its room. */
				if (s - inside == 0 || starts_with(inside, end, "anonymous"))
					buffer_append(out, inside, (size_t)(s - inside));
				else
					buffer_text(out, ELLIPSIS);
			}
		}
		if (!depth)
			buffer_append(out, s, n);
		if (n == 1 && *s == open && !depth++)
			inside = s + 1;
		s += n;
	}
	return depth == 0;
}

/* The first `columns` code points of `s`: their length in bytes. */
static size_t head_bytes(const char *s, size_t len, size_t columns)
{
	size_t seen = 0;

	for (size_t i = 0; i < len; i++) {
		seen += ((unsigned char)s[i] & 0xc0) != 0x80;
		if (seen > columns)
			return i;
	}
	return len;
}

static void cut_middle(struct buffer *out, const char *s, size_t len, size_t columns)
{
	size_t width = text_width(s, len);
	size_t head = (columns - 1) / 3, tail = columns - 1 - head;
	size_t tail_at = head_bytes(s, len, width - tail);

	buffer_append(out, s, head_bytes(s, len, head));
	buffer_text(out, ELLIPSIS);
	buffer_append(out, s + tail_at, len - tail_at);
}

void name_fit(struct buffer *out, const char *clean, size_t len, size_t columns, bool pad)
{
	struct buffer no_parameters = BUFFER_INIT(4 * len), no_arguments = BUFFER_INIT(4 * len);

	if (text_width(clean, len) > columns &&
	    elide_brackets(&no_parameters, clean, len, '(', ')')) {
		clean = no_parameters.data;
		len = no_parameters.len;
	}
	if (text_width(clean, len) > columns &&
	    elide_brackets(&no_arguments, clean, len, '<', '>')) {
		clean = no_arguments.data;
		len = no_arguments.len;
	}
	if (buffer_error(&no_parameters) || buffer_error(&no_arguments))
		out->error = -ENOMEM;
	else if (text_width(clean, len) > columns)
		cut_middle(out, clean, len, columns);
	else
		text_fit(out, clean, len, columns, pad);
	buffer_release(&no_parameters);
	buffer_release(&no_arguments);
}
