// SPDX-License-Identifier: Apache-2.0
/*
 * Sections follow one another in the order of the header, so that a place follows from the counts. A search
 * without branches over u32s: 20 steps in a million rows, most of them in the cache after the first few.
 */
#include "symbolizer/lines.h"

#include <errno.h>
#include <stdbool.h>

#include <xxhash.h>

#define CHECKED_FROM (offsetof(struct lines_header, checksum) + sizeof(uint64_t))

_Static_assert(sizeof(struct lines_header) == 136, "file format");
_Static_assert(sizeof(struct lines_scope) == 16, "file format");

int lines_open(struct lines *ret, const void *bytes, size_t len)
{
	const struct lines_header *h = bytes;
	const char *at = (const char *)bytes + sizeof(*h);
	uint64_t need = sizeof(*h);

	if (len < sizeof(*h) || h->magic != LINES_MAGIC || h->version != LINES_VERSION ||
	    h->header_bytes != sizeof(*h) || h->size != len ||
	    h->build_id_bytes > sizeof(h->build_id) || !h->string_bytes)
		return -EINVAL;
	need += 8ull * h->range_count + sizeof(struct lines_scope) * (uint64_t)h->scope_count +
		12ull * h->row_count + h->string_bytes;
	if (need != len || ((const char *)bytes)[len - 1] != '\0' ||
	    XXH3_64bits((const char *)bytes + CHECKED_FROM, len - CHECKED_FROM) != h->checksum)
		return -EINVAL;
	ret->header = h;
	ret->range_starts = (const uint32_t *)at;
	ret->range_scopes = ret->range_starts + h->range_count;
	ret->scopes = (const struct lines_scope *)(ret->range_scopes + h->range_count);
	ret->row_starts = (const uint32_t *)(ret->scopes + h->scope_count);
	ret->row_files = ret->row_starts + h->row_count;
	ret->row_lines = ret->row_files + h->row_count;
	ret->strings = (const char *)(ret->row_lines + h->row_count);
	return 0;
}

/* The number of the last start at or below `at`; LINES_NONE if there is none. */
static uint32_t find(const uint32_t *starts, uint32_t count, uint32_t at)
{
	const uint32_t *base = starts;

	if (!count || starts[0] > at)
		return LINES_NONE;
	while (count > 1) {
		uint32_t half = count / 2;

		base = base[half] <= at ? base + half : base;
		count -= half;
	}
	return (uint32_t)(base - starts);
}

uint32_t lines_find(const struct lines *x, uint64_t vaddr, struct lines_frame *ret, uint32_t max)
{
	const struct lines_header *h = x->header;
	uint32_t at, row, range, scope, count = 0;
	struct lines_frame place = { 0 };

	if (vaddr < h->base || vaddr - h->base > UINT32_MAX || !max)
		return 0;
	at = (uint32_t)(vaddr - h->base);
	row = find(x->row_starts, h->row_count, at);
	range = find(x->range_starts, h->range_count, at);
	scope = range == LINES_NONE ? LINES_NONE : x->range_scopes[range];
	if (row != LINES_NONE && x->row_files[row] != LINES_NONE) {
		place.file = x->row_files[row];
		place.line = x->row_lines[row];
	} else if (scope >= h->scope_count) {
		return 0;
	}
	ret[count++] = place;
	while (scope < h->scope_count) {
		const struct lines_scope *s = &x->scopes[scope];

		ret[count - 1].name = s->name;
		/* A parent has a lower number, or the image is no good: so this ends. */
		if (s->parent >= scope || count == max)
			break;
		ret[count++] = (struct lines_frame){ .file = s->call_file, .line = s->call_line };
		scope = s->parent;
	}
	return count;
}
