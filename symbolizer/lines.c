// SPDX-License-Identifier: Apache-2.0
/*
 * Parts follow one another in the order of the header, so that a place follows from the counts. What costs time in
 * an image of tens of MB is waiting for memory: a look-up touches a page, one or two cache lines of stretches, and
 * the scopes of the chain, which were made one after the other and lie close together.
 *
 * Refused: searching all starts (20 steps of which half wait); starts as 16 bits of their page, which would save a
 * tenth of the image and need a page of its own size for sparse code.
 */
#include "symbolizer/lines.h"

#include <errno.h>

#include <xxhash.h>

#define CHECKED_FROM (offsetof(struct lines_header, checksum) + sizeof(uint64_t))

_Static_assert(sizeof(struct lines_header) == 144, "file format");
_Static_assert(sizeof(struct lines_stretch) == 16, "file format");
_Static_assert(sizeof(struct lines_scope) == 16, "file format");

uint64_t lines_size(const struct lines_header *h)
{
	return sizeof(*h) + sizeof(struct lines_stretch) * (uint64_t)h->stretch_count +
	       sizeof(struct lines_scope) * (uint64_t)h->scope_count +
	       sizeof(uint32_t) * (h->page_count + 1ull) + h->string_bytes;
}

uint64_t lines_checksum(const void *bytes, size_t len)
{
	return XXH3_64bits((const char *)bytes + CHECKED_FROM, len - CHECKED_FROM);
}

int lines_open(struct lines *ret, const void *bytes, size_t len)
{
	const struct lines_header *h = bytes;

	if (len < sizeof(*h) || h->magic != LINES_MAGIC || h->version != LINES_VERSION ||
	    h->header_bytes != sizeof(*h) || h->size != len ||
	    h->build_id_bytes > sizeof(h->build_id) || !h->string_bytes || h->page_shift > 31 ||
	    h->units_damaged > UINT32_MAX / 2) /* a reply can't say that */
		return -EINVAL;
	if (lines_size(h) != len || ((const char *)bytes)[len - 1] != '\0' ||
	    lines_checksum(bytes, len) != h->checksum)
		return -EINVAL;
	ret->header = h;
	ret->stretches = (const struct lines_stretch *)(h + 1);
	ret->scopes = (const struct lines_scope *)(ret->stretches + h->stretch_count);
	ret->pages = (const uint32_t *)(ret->scopes + h->scope_count);
	ret->strings = (const char *)(ret->pages + h->page_count + 1);
	return 0;
}

/* The stretch that `at` is in, or NULL. */
static const struct lines_stretch *find(const struct lines *x, uint32_t at)
{
	uint32_t page = at >> x->header->page_shift, first, count;
	const struct lines_stretch *base;

	if (page >= x->header->page_count)
		return NULL;
	first = x->pages[page];
	if (x->pages[page + 1] < first || x->pages[page + 1] > x->header->stretch_count)
		return NULL;
	count = x->pages[page + 1] - first;
	base = x->stretches + first;
	if (!count || base->start > at)
		return first ? base - 1 : NULL; /* it started before this page */
	while (count > 1) {
		uint32_t half = count / 2;

		base = base[half].start <= at ? base + half : base;
		count -= half;
	}
	return base;
}

uint32_t lines_find(const struct lines *x, uint64_t vaddr, struct lines_frame *ret, uint32_t max)
{
	const struct lines_header *h = x->header;
	const struct lines_stretch *here;
	uint32_t scope, count = 0;
	struct lines_frame place = { 0 };

	if (vaddr < h->base || vaddr - h->base > UINT32_MAX || !max)
		return 0;
	here = find(x, (uint32_t)(vaddr - h->base));
	if (!here)
		return 0;
	scope = here->scope;
	if (here->file != LINES_NONE) {
		place.file = here->file;
		place.line = here->line;
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
