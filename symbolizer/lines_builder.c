// SPDX-License-Identifier: Apache-2.0
/*
 * Functions claim ranges, one over the other as they were inlined; a sweep from the lowest address to the
 * highest leaves for each stretch the one that is furthest in, of the first unit that claims it. Sequences of rows are put
 * one behind the other; where two overlap, the one that starts first keeps its place, of equals the first.
 *
 * So the first unit has both. Where several units compile one inline function GNU ld keeps the first copy of its code, and
 * lets the debug information of all others that have the same size speak of that one, whatever their code was.
 *
 * Sorted by radix: qsort took a third of the whole time.
 */
#include "symbolizer/lines_builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/protocol.h"

#define RADIX_BITS 11u
#define RADIX_PASSES 3u
#define PAGE_SHIFT_LEAST 6u /* of code: some five rows, in one or two cache lines */

_Static_assert(LINES_MAX_BUILD_ID_BYTES == SYMBOLS_MAX_BUILD_ID_BYTES, "no build id is cut");

static void fail(struct lines_builder *b, int error)
{
	if (!b->error)
		b->error = error;
}

/* One more item; NULL, and b->error, if there can't be. After an error nobody tries again, as each try asks the kernel. */
#define push(b, array, max)                                                                    \
	({                                                                                     \
		__typeof__((array)->items) item_ = (b)->error ? NULL : array_push(array, max); \
		if (!item_)                                                                    \
			fail(b, (array)->count < (max) ? -ENOMEM : -E2BIG);                    \
		item_;                                                                         \
	})

int lines_builder_init(struct lines_builder *b, const struct elf_file *elf)
{
	*b = (struct lines_builder){ .elf = elf };
	buffer_init(&b->strings, LINES_MAX_STRING_BYTES);
	if (!elf->code.count)
		return -ENODATA;
	b->base = elf->code.items[0].start;
	b->limit = b->base + (UINT32_MAX - 1);
	if (b->limit < b->base)
		b->limit = UINT64_MAX;
	lines_builder_string(b, "", 0);
	return b->error;
}

void lines_builder_release(struct lines_builder *b)
{
	array_release(&b->scopes);
	array_release(&b->units);
	array_release(&b->claims);
	array_release(&b->rows);
	array_release(&b->sequences);
	array_release(&b->places);
	index_release(&b->interned);
	buffer_release(&b->strings);
}

/* ---- strings ---- */

struct key {
	const char *s;
	size_t len;
};

static bool string_equal(const void *owner, uint32_t item, const void *key)
{
	const struct lines_builder *b = owner;
	const struct key *k = key;
	const char *s = b->strings.data + b->places.items[item];

	return b->strings.len - b->places.items[item] > k->len && memcmp(s, k->s, k->len) == 0 &&
	       s[k->len] == '\0';
}

uint32_t lines_builder_string(struct lines_builder *b, const char *s, size_t len)
{
	struct key key = { s, len < SYMBOLS_MAX_NAME ? len : SYMBOLS_MAX_NAME };
	uint64_t hash = hash_bytes(s, key.len);
	uint32_t item = index_find(&b->interned, hash, string_equal, b, &key), *place;
	size_t at = b->strings.len;
	char *copy;

	if (item != UINT32_MAX)
		return b->places.items[item];
	copy = buffer_extend(&b->strings, key.len + 1);
	if (!copy) {
		fail(b, buffer_error(&b->strings));
		return 0;
	}
	memcpy(copy, s, key.len);
	copy[key.len] = '\0';
	place = push(b, &b->places, LINES_MAX_SCOPES);
	if (!place)
		return 0;
	*place = (uint32_t)at;
	if (index_add(&b->interned, hash, b->places.count - 1) < 0)
		fail(b, -ENOMEM);
	return (uint32_t)at;
}

/* ---- what comes ---- */

bool lines_builder_has_code(struct lines_builder *b, uint64_t vaddr)
{
	const struct elf_range *r;

	if (vaddr >= b->near.start && vaddr < b->near.limit)
		return true;
	r = elf_file_code(b->elf, vaddr);
	if (!r || vaddr >= b->limit)
		return false;
	b->near = *r;
	return true;
}

void lines_builder_unit(struct lines_builder *b)
{
	uint32_t *first;

	if (b->units.count && b->units.items[b->units.count - 1] == b->scopes.count)
		return; /* the one before had no functions */
	first = push(b, &b->units, LINES_MAX_SCOPES);
	if (first)
		*first = b->scopes.count;
}

uint32_t lines_builder_scope(struct lines_builder *b, const struct lines_scope *scope)
{
	struct lines_scope *s = push(b, &b->scopes, LINES_MAX_SCOPES);

	if (!s)
		return LINES_NONE;
	*s = *scope;
	return b->scopes.count - 1;
}

void lines_builder_claim(struct lines_builder *b, uint32_t scope, uint64_t start, uint64_t limit)
{
	struct lines_claim *c;

	if (scope == LINES_NONE || start >= limit || !lines_builder_has_code(b, start))
		return;
	if (limit > b->limit)
		limit = b->limit;
	c = push(b, &b->claims, LINES_MAX_RANGES);
	if (c)
		*c = (struct lines_claim){ (uint32_t)(start - b->base), (uint32_t)(limit - b->base),
					   scope };
}

void lines_builder_row(struct lines_builder *b, uint64_t vaddr, uint32_t file, uint32_t line)
{
	bool first = b->rows.count == b->sequence_first;
	struct lines_row *last, *row;
	uint32_t at = (uint32_t)(vaddr - b->base);

	if (!b->sequence_begun)
		b->sequence_gone = !lines_builder_has_code(b, vaddr);
	b->sequence_begun = true;
	if (b->sequence_gone || vaddr < b->base || vaddr >= b->limit)
		return;
	last = first ? NULL : &b->rows.items[b->rows.count - 1];
	if (last && (at < last->start || (last->file == file && last->line == line)))
		return; /* backwards there is nothing, and the same needs no row */
	if (last && at == last->start) {
		last->file = file;
		last->line = line;
		return;
	}
	row = push(b, &b->rows, LINES_MAX_ROWS);
	if (row)
		*row = (struct lines_row){ at, file, line };
}

void lines_builder_abandon_sequence(struct lines_builder *b)
{
	b->rows.count = b->sequence_first;
	b->sequence_begun = false;
}

void lines_builder_end_sequence(struct lines_builder *b, uint64_t vaddr)
{
	uint32_t count = b->rows.count - b->sequence_first;
	uint64_t limit = vaddr < b->limit ? vaddr : b->limit;
	const struct lines_row *first;
	struct lines_sequence *s;

	b->sequence_begun = false;
	if (!count)
		return;
	first = &b->rows.items[b->sequence_first];
	if (limit <= b->base + first->start) {
		lines_builder_abandon_sequence(b);
		return;
	}
	s = push(b, &b->sequences, LINES_MAX_ROWS);
	if (!s)
		return;
	*s = (struct lines_sequence){ first->start, (uint32_t)(limit - b->base), b->sequence_first,
				      count };
	b->sequence_first = b->rows.count;
}

/* ---- sorting ---- */

/*
 * By a u32 that items of `size` bytes begin with; equal ones stay in order. `scratch` has room for as many; what is
 * sorted is in `items` again.
 */
static void radix_sort(void *items, void *scratch, uint32_t count, size_t size)
{
	char *from = items, *to = scratch;

	for (uint32_t pass = 0; pass < RADIX_PASSES; pass++) {
		uint32_t shift = pass * RADIX_BITS, sum = 0;
		uint32_t at[1u << RADIX_BITS] = { 0 };
		char *swap = from;

		for (uint32_t i = 0; i < count; i++)
			at[*(uint32_t *)(from + i * size) >> shift & ((1u << RADIX_BITS) - 1)]++;
		for (uint32_t i = 0; i < 1u << RADIX_BITS; i++) {
			uint32_t here = at[i];

			at[i] = sum;
			sum += here;
		}
		for (uint32_t i = 0; i < count; i++) {
			const char *item = from + i * size;
			uint32_t digit = *(const uint32_t *)item >> shift &
					 ((1u << RADIX_BITS) - 1);

			memcpy(to + at[digit]++ * size, item, size);
		}
		from = to;
		to = swap;
	}
	memcpy(items, scratch, count * size);
}

_Static_assert(RADIX_PASSES % 2 == 1, "what is sorted ends in scratch");

static int sort(struct lines_builder *b, void *items, uint32_t count, size_t size)
{
	void *scratch;

	if (!count)
		return 0;
	scratch = reallocarray(NULL, count, size);
	if (!scratch) {
		fail(b, -ENOMEM);
		return -ENOMEM;
	}
	radix_sort(items, scratch, count, size);
	free(scratch);
	return 0;
}

/* ---- ranges ---- */

/* A claim that holds where the sweep is. */
struct held {
	uint32_t claim, unit;
};

/* All of them, the one that wins on top. */
struct heap {
	const struct lines_builder *builder;
	struct held *items;
	uint32_t count;
};

static const struct lines_claim *claim_of(const struct heap *h, uint32_t i)
{
	return &h->builder->claims.items[h->items[i].claim];
}

static bool wins(const struct heap *h, struct held a, struct held b)
{
	const struct lines_claim *claims = h->builder->claims.items;

	return a.unit != b.unit ? a.unit < b.unit : claims[a.claim].scope > claims[b.claim].scope;
}

/* The last of those that start with this scope or one before it. */
static uint32_t unit_of(const struct lines_builder *b, uint32_t scope)
{
	uint32_t low = 0, high = b->units.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (b->units.items[middle] <= scope)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void heap_push(struct heap *h, uint32_t claim)
{
	const struct lines_builder *b = h->builder;
	struct held new = { claim, unit_of(b, b->claims.items[claim].scope) };
	uint32_t i = h->count++;

	while (i && wins(h, new, h->items[(i - 1) / 2])) {
		h->items[i] = h->items[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	h->items[i] = new;
}

static void heap_pop(struct heap *h)
{
	struct held last = h->items[--h->count];
	uint32_t i = 0;

	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child + 1 < h->count && wins(h, h->items[child + 1], h->items[child]))
			child++;
		if (child >= h->count || !wins(h, h->items[child], last))
			break;
		h->items[i] = h->items[child];
		i = child;
	}
	h->items[i] = last;
}

/* From `start` on it is `scope`. */
struct range {
	uint32_t start, scope;
};

struct ranges {
	ARRAY(struct range) items;
};

static void range_put(struct lines_builder *b, struct ranges *ranges, uint32_t start,
		      uint32_t scope)
{
	struct range *r;

	if (ranges->items.count && ranges->items.items[ranges->items.count - 1].scope == scope)
		return;
	r = push(b, &ranges->items, UINT32_MAX);
	if (r)
		*r = (struct range){ start, scope };
}

static void sweep(struct lines_builder *b, struct heap *h, struct ranges *ret)
{
	const struct lines_claim *claims = b->claims.items;
	uint32_t at = 0, i = 0, count = b->claims.count;

	while (!b->error && (i < count || h->count)) {
		uint32_t next;

		while (h->count && claim_of(h, 0)->limit <= at)
			heap_pop(h);
		if (!h->count) {
			if (ret->items.count)
				range_put(b, ret, at, LINES_NONE);
			if (i == count)
				break;
			at = claims[i].start;
		}
		while (i < count && claims[i].start <= at)
			heap_push(h, i++);
		next = claim_of(h, 0)->limit;
		if (i < count && claims[i].start < next)
			next = claims[i].start;
		range_put(b, ret, at, claim_of(h, 0)->scope);
		at = next;
	}
}

static int ranges_flatten(struct lines_builder *b, struct ranges *ret)
{
	struct heap h = { .builder = b };

	if (!b->claims.count)
		return b->error;
	if (sort(b, b->claims.items, b->claims.count, sizeof(*b->claims.items)) < 0)
		return b->error;
	h.items = reallocarray(NULL, b->claims.count, sizeof(*h.items));
	if (!h.items) {
		fail(b, -ENOMEM);
		return b->error;
	}
	sweep(b, &h, ret);
	free(h.items);
	return b->error;
}

/* ---- rows ---- */

struct row_sink {
	struct lines_row *rows;
	uint32_t count;
};

static void row_put(struct row_sink *sink, uint32_t start, uint32_t file, uint32_t line)
{
	struct lines_row *last = sink->count ? &sink->rows[sink->count - 1] : NULL;

	if (last && last->file == file && last->line == line)
		return;
	if (!last || last->start != start)
		last = &sink->rows[sink->count++];
	*last = (struct lines_row){ start, file, line };
}

/* All rows by address: each sequence has an end, so there are at most so many more. */
static int rows_flatten(struct lines_builder *b, struct row_sink *ret)
{
	uint64_t most = (uint64_t)b->rows.count + b->sequences.count + 1;
	uint32_t covered = 0;

	if (sort(b, b->sequences.items, b->sequences.count, sizeof(*b->sequences.items)) < 0)
		return b->error;
	ret->rows = reallocarray(NULL, most, sizeof(*ret->rows));
	if (!ret->rows) {
		fail(b, -ENOMEM);
		return b->error;
	}
	for (uint32_t i = 0; i < b->sequences.count; i++) {
		const struct lines_sequence *s = &b->sequences.items[i];
		const struct lines_row *rows = b->rows.items + s->first;

		if (s->limit <= covered)
			continue;
		for (uint32_t j = 0; j < s->count && rows[j].start < s->limit; j++) {
			uint32_t next = j + 1 < s->count ? rows[j + 1].start : s->limit;

			if (next > covered)
				row_put(ret, rows[j].start > covered ? rows[j].start : covered,
					rows[j].file, rows[j].line);
		}
		covered = s->limit;
		row_put(ret, covered, LINES_NONE, 0);
	}
	return 0;
}

/* ---- the image ---- */

/*
 * Where ranges and rows meet. Given no place to write to, says how many stretches there are.
 */
static uint32_t stretches_write(const struct ranges *ranges, const struct row_sink *rows,
				struct lines_stretch *ret)
{
	const struct range *range = ranges->items.items, *range_end = range + ranges->items.count;
	const struct lines_row *row = rows->rows, *row_end = row + rows->count;
	struct lines_stretch now = { .scope = LINES_NONE, .file = LINES_NONE }, last = now;
	uint32_t count = 0;

	while (range != range_end || row != row_end) {
		bool has_range = range != range_end, has_row = row != row_end;

		now.start = has_range && (!has_row || range->start < row->start) ? range->start
										 : row->start;
		if (has_range && range->start == now.start)
			now.scope = (range++)->scope;
		if (has_row && row->start == now.start) {
			now.file = row->file;
			now.line = (row++)->line;
		}
		if (now.scope == last.scope && now.file == last.file && now.line == last.line)
			continue;
		if (ret)
			ret[count] = now;
		last = now;
		count++;
	}
	return count;
}

/* Pages are as small as makes sense, and fewer than stretches, however sparse the code is. */
static void pages_choose(struct lines_header *h, const struct ranges *ranges,
			 const struct row_sink *rows)
{
	uint32_t limit = 0;

	if (ranges->items.count)
		limit = ranges->items.items[ranges->items.count - 1].start;
	if (rows->count && rows->rows[rows->count - 1].start > limit)
		limit = rows->rows[rows->count - 1].start;
	h->page_shift = PAGE_SHIFT_LEAST;
	while (limit >> h->page_shift >= h->stretch_count && limit >> h->page_shift)
		h->page_shift++;
	h->page_count = h->stretch_count ? (limit >> h->page_shift) + 1 : 0;
}

static void pages_write(const struct lines_header *h, const struct lines_stretch *stretches,
			uint32_t *ret)
{
	uint32_t page = 0;

	for (uint32_t i = 0; i < h->stretch_count; i++)
		while (page <= stretches[i].start >> h->page_shift)
			ret[page++] = i;
	while (page <= h->page_count)
		ret[page++] = h->stretch_count;
}

static int image_write(struct lines_builder *b, const struct lines_header *header,
		       const struct ranges *ranges, const struct row_sink *rows, struct buffer *out)
{
	struct lines_header h = *header;
	struct lines_stretch *stretches;
	struct lines_scope *scopes;
	uint32_t *pages;
	char *image;

	h.magic = LINES_MAGIC;
	h.version = LINES_VERSION;
	h.header_bytes = sizeof(h);
	h.base = b->base;
	h.stretch_count = stretches_write(ranges, rows, NULL);
	h.scope_count = b->scopes.count;
	h.string_bytes = (uint32_t)b->strings.len;
	pages_choose(&h, ranges, rows);
	h.size = lines_size(&h);
	image = buffer_extend(out, h.size);
	if (!image)
		return buffer_error(out);
	stretches = (struct lines_stretch *)(image + sizeof(h));
	scopes = (struct lines_scope *)(stretches + h.stretch_count);
	pages = (uint32_t *)(scopes + h.scope_count);
	stretches_write(ranges, rows, stretches);
	if (h.scope_count)
		memcpy(scopes, b->scopes.items, sizeof(*scopes) * h.scope_count);
	pages_write(&h, stretches, pages);
	memcpy(pages + h.page_count + 1, b->strings.data, h.string_bytes);
	memcpy(image, &h, sizeof(h));
	h.checksum = lines_checksum(image, h.size);
	memcpy(image, &h, sizeof(h));
	return 0;
}

int lines_builder_write(struct lines_builder *b, const struct lines_header *header,
			struct buffer *ret)
{
	struct row_sink rows = { 0 };
	struct ranges ranges = { 0 };
	int r = b->error;

	if (r == 0)
		r = ranges_flatten(b, &ranges);
	array_release(&b->claims);
	if (r == 0)
		r = rows_flatten(b, &rows);
	array_release(&b->rows);
	if (r == 0)
		r = image_write(b, header, &ranges, &rows, ret);
	free(rows.rows);
	array_release(&ranges.items);
	return r;
}
