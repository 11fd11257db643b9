// SPDX-License-Identifier: Apache-2.0
/*
 * Two looks at the file: the first at each line's numbers, the second at the names of the lines that
 * won. So nothing is kept of a map of a million lines, 40 MB are read in 0.1 s, and a line may be as
 * long as its writer likes: what is behind SYMBOLS_MAX_NAME is passed over.
 *
 * Refused: an index by address. It would have to be made again whenever the map grows, and it can't
 * say what was at an address before.
 */
#include "symbolizer/perfmap.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "profiler/base/number.h"

/* A map of a large JVM has 10 MB. */
#define MAX_MAP_BYTES (256u << 20)
#define MAX_LINES (8u << 20) /* as short as lines can be, 0.4 s */
#define MAX_DIGITS 18 /* with 0x */
/* What is looked at of a line: its numbers, and as much of its name as is shown. */
#define MAX_HEAD_BYTES (2 * (MAX_DIGITS + 1) + SYMBOLS_MAX_NAME)

/* A number and the space behind it: how long they are, or 0. */
static size_t take_number(const char *s, size_t len, uint64_t *ret)
{
	const char *space = memchr(s, ' ', len < MAX_DIGITS + 1 ? len : MAX_DIGITS + 1);
	size_t digits = space ? (size_t)(space - s) : 0;
	size_t prefix = digits > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') ? 2 : 0;

	if (!digits || number_parse_hex(s + prefix, digits - prefix, ret) < 0)
		return 0;
	return digits + 1;
}

/* Where the name begins in a line, or 0 if it is none. */
static size_t line_parse(const char *line, size_t len, struct claim *ret)
{
	size_t first = take_number(line, len, &ret->start), second;

	second = first ? take_number(line + first, len - first, &ret->size) : 0;
	if (!second || first + second >= len || ret->size > UINT64_MAX - ret->start)
		return 0;
	return first + second;
}

/* A line at `off` of the map: its length with the newline; 0 when there is no further one. */
static uint64_t line_find(struct peek *map, uint64_t off, const char **ret)
{
	const unsigned char *bytes, *newline;
	size_t n = peek_at(map, off, 1, &bytes);
	uint64_t len = 0;

	newline = memchr(bytes, '\n', n);
	if (!newline) {
		n = peek_at(map, off, PEEK_BYTES, &bytes);
		newline = memchr(bytes, '\n', n);
	}
	*ret = (const char *)bytes;
	if (newline)
		return (uint64_t)(newline - bytes) + 1;
	/* Longer than what can be looked at at once; its beginning is looked at again. */
	while (!newline && n && off + len < MAX_MAP_BYTES) {
		len += n;
		n = peek_at(map, off + len, PEEK_BYTES, &bytes);
		newline = memchr(bytes, '\n', n);
	}
	if (!newline)
		return 0;
	len += (uint64_t)(newline - bytes) + 1;
	peek_at(map, off, MAX_HEAD_BYTES, &bytes);
	*ret = (const char *)bytes;
	return len;
}

enum symbol_status perfmap_claim(struct peek *map, struct claims *claims)
{
	enum symbol_status status = SYMBOLS_OK;
	const char *line;
	uint64_t off = 0, len;
	uint32_t lines = 0;

	while ((len = line_find(map, off, &line))) {
		size_t head = len - 1 < MAX_HEAD_BYTES ? (size_t)len - 1 : MAX_HEAD_BYTES;
		struct claim claim = { .since = off + len, .at = off };

		if (off + len > MAX_MAP_BYTES || lines++ == MAX_LINES)
			return SYMBOLS_LIMIT;
		off += len;
		if (!line_parse(line, head, &claim)) {
			status = head ? SYMBOLS_DAMAGED : status;
			continue;
		}
		/* V8 has some without size: there is no code, and nothing wrong. */
		if (claim.size && claims_add(claims, &claim) < 0)
			return SYMBOLS_LIMIT;
	}
	if (map->error)
		return SYMBOLS_DAMAGED;
	return peek_at(map, MAX_MAP_BYTES, 1, (const unsigned char **)&line) ? SYMBOLS_LIMIT
									     : status;
}

int perfmap_name(struct peek *map, const struct claim *claim, const char **ret, size_t *ret_len)
{
	const unsigned char *bytes, *newline;
	size_t n = peek_at(map, claim->at, MAX_HEAD_BYTES, &bytes), name;
	struct claim now;

	if (n > MAX_HEAD_BYTES)
		n = MAX_HEAD_BYTES;
	newline = memchr(bytes, '\n', n);
	if (newline)
		n = (size_t)(newline - bytes);
	name = line_parse((const char *)bytes, n, &now);
	/* Its owner may have written another map over it. */
	if (!name || now.start != claim->start || now.size != claim->size)
		return -ESTALE;
	*ret = (const char *)bytes + name;
	*ret_len = n - name;
	return 0;
}
