// SPDX-License-Identifier: Apache-2.0
/*
 * The input is an index as it comes from the cache, once as it is and once with its magic, version, sizes and checksum put
 * right, so that what is behind them is reached: whatever is found in it lies in it, and ends.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "symbolizer/lines.h"

#define CHECKED_FROM (offsetof(struct lines_header, checksum) + sizeof(uint64_t))
#define LOOKUPS 64u
/* A header, the end of no pages, and "". */
#define LEAST (sizeof(struct lines_header) + sizeof(uint32_t) + 1)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void within(const struct lines *x, const char *s)
{
	const char *end = x->strings + x->header->string_bytes;

	if (*s && (s < x->strings || s >= end))
		abort();
	if (*s && !memchr(s, '\0', (size_t)(end - s)))
		abort();
}

static void look_up(const struct lines *x)
{
	struct lines_frame frames[LINES_MAX_DEPTH];

	for (uint64_t i = 0; i <= LOOKUPS; i++) {
		uint64_t vaddr = i == LOOKUPS ? UINT64_MAX : x->header->base + i * i * i;
		uint32_t count = lines_find(x, vaddr, frames, LINES_MAX_DEPTH);

		if (count > LINES_MAX_DEPTH)
			abort();
		for (uint32_t j = 0; j < count; j++) {
			within(x, lines_string(x, frames[j].name));
			within(x, lines_string(x, frames[j].file));
		}
	}
}

/* Counts that the bytes have room for, in the proportion that the input says. */
static void repair(char *bytes, size_t len)
{
	struct lines_header *h = (struct lines_header *)bytes;
	size_t left = len - LEAST;
	uint64_t sum;

	h->magic = LINES_MAGIC;
	h->version = LINES_VERSION;
	h->header_bytes = sizeof(*h);
	h->size = len;
	h->stretch_count %= (uint32_t)(left / sizeof(struct lines_stretch) + 1);
	left -= sizeof(struct lines_stretch) * h->stretch_count;
	h->scope_count %= (uint32_t)(left / sizeof(struct lines_scope) + 1);
	left -= sizeof(struct lines_scope) * h->scope_count;
	h->page_count %= (uint32_t)(left / sizeof(uint32_t) + 1);
	left -= sizeof(uint32_t) * h->page_count;
	h->page_shift %= 32;
	h->string_bytes = (uint32_t)left + 1;
	h->build_id_bytes %= sizeof(h->build_id) + 1;
	bytes[len - 1] = '\0';
	sum = XXH3_64bits(bytes + CHECKED_FROM, len - CHECKED_FROM);
	h->checksum = sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len = size < LEAST ? LEAST : size;
	char *bytes = calloc(1, len);
	struct lines x;

	if (!bytes)
		abort();
	memcpy(bytes, data, size);
	if (lines_open(&x, bytes, size) == 0)
		look_up(&x);
	repair(bytes, len);
	/* The format may ask for more than is repaired here; then it is refused. */
	if (lines_open(&x, bytes, len) == 0)
		look_up(&x);
	free(bytes);
	return 0;
}
