/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The integers of a column: 7 bits a byte, low ones first, the top bit says that more follow; signed ones are
 * zigzag (0, -1, 1, -2 … are 0, 1, 2, 3 …). As in protocol buffers. Readers are told where the bytes end, and
 * remember the first thing that was wrong: a parser asks once, at its end.
 */
#ifndef STORE_VARINT_H
#define STORE_VARINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buffer.h"

#define VARINT_MAX_BYTES 10

static inline void varint_put(struct buffer *out, uint64_t value)
{
	unsigned char bytes[VARINT_MAX_BYTES];
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		bytes[n++] = (unsigned char)(value | 0x80);
	bytes[n++] = (unsigned char)value;
	buffer_append(out, bytes, n);
}

static inline void varint_put_signed(struct buffer *out, int64_t value)
{
	varint_put(out, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

struct varint_reader {
	const unsigned char *at, *end;
	bool bad; /* a value was cut off, too large, or refused: all that follows is 0 */
};

static inline uint64_t varint_fail(struct varint_reader *r)
{
	r->bad = true;
	r->at = r->end;
	return 0;
}

static inline uint64_t varint_get(struct varint_reader *r)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; r->at < r->end && shift < 64; shift += 7) {
		uint64_t byte = *r->at++;

		if (shift == 63 && byte > 1)
			break;
		value |= (byte & 0x7f) << shift;
		if (byte < 0x80)
			return value;
	}
	return varint_fail(r);
}

static inline int64_t varint_get_signed(struct varint_reader *r)
{
	uint64_t v = varint_get(r);

	return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

/* One that is to be below `end`. */
static inline uint32_t varint_get_below(struct varint_reader *r, uint64_t end)
{
	uint64_t v = varint_get(r);

	return v < end && v <= UINT32_MAX ? (uint32_t)v : (uint32_t)varint_fail(r);
}

/* One that is to be at most `most`. */
static inline uint32_t varint_get_most(struct varint_reader *r, uint32_t most)
{
	return varint_get_below(r, most + 1ULL);
}

/* What a delta leads to from `*last`, which is to be below `end`. */
static inline uint32_t varint_get_delta(struct varint_reader *r, uint32_t *last, uint64_t end)
{
	uint64_t v = *last + (uint64_t)varint_get_signed(r);

	if (v >= end)
		return (uint32_t)varint_fail(r);
	*last = (uint32_t)v;
	return *last;
}

#endif
