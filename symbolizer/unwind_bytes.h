/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers out of bytes that somebody else wrote. Each bound is checked here and nowhere else: what
 * would be read beyond the end is 0 and sets `bad`, which sticks, so that a parser may test once.
 */
#ifndef SYMBOLIZER_UNWIND_BYTES_H
#define SYMBOLIZER_UNWIND_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const uint8_t *at, *end;
	bool bad;
};

static inline size_t bytes_left(const struct bytes *b)
{
	return (size_t)(b->end - b->at);
}

/* The bytes as they stand there: little-endian in an x86-64 file. len <= 8. */
static inline uint64_t bytes_fixed(struct bytes *b, size_t len)
{
	uint64_t value = 0;

	if (len > bytes_left(b)) {
		b->bad = true;
		b->at = b->end;
		return 0;
	}
	/* A memcpy() of a size that the compiler knows is a load; of another it is a call. */
	if (len == 4)
		memcpy(&value, b->at, 4);
	else if (len == 8)
		memcpy(&value, b->at, 8);
	else if (len == 1)
		value = *b->at;
	else
		memcpy(&value, b->at, len);
	b->at += len;
	return value;
}

static inline uint8_t bytes_u8(struct bytes *b)
{
	if (b->at == b->end) {
		b->bad = true;
		return 0;
	}
	return *b->at++;
}

/*
 * Bits beyond the 64th are dropped. The shift of the last byte is in *ret_bits, and the byte
 * returned.
 */
static inline uint8_t bytes_leb(struct bytes *b, uint64_t *ret, unsigned int *ret_bits)
{
	uint64_t value = 0;
	unsigned int bits = 0;
	uint8_t byte;

	do {
		byte = bytes_u8(b);
		if (bits < 64)
			value |= (uint64_t)(byte & 0x7f) << bits;
		bits += 7;
	} while (byte & 0x80);
	*ret = value;
	*ret_bits = bits;
	return byte;
}

static inline uint64_t bytes_uleb(struct bytes *b)
{
	unsigned int bits;
	uint64_t value;

	if (b->at != b->end && *b->at < 0x80)
		return *b->at++;
	bytes_leb(b, &value, &bits);
	return value;
}

static inline int64_t bytes_sleb(struct bytes *b)
{
	unsigned int bits;
	uint64_t value;

	if (bytes_leb(b, &value, &bits) & 0x40 && bits < 64)
		value |= ~0ULL << bits;
	return (int64_t)value;
}

static inline void bytes_skip(struct bytes *b, uint64_t len)
{
	if (len > bytes_left(b)) {
		b->bad = true;
		b->at = b->end;
		return;
	}
	b->at += len;
}

/* The next `len` bytes as a reader of their own, and b behind them. */
static inline struct bytes bytes_cut(struct bytes *b, uint64_t len)
{
	const uint8_t *from = b->at;

	bytes_skip(b, len);
	return (struct bytes){ .at = b->bad ? b->end : from, .end = b->at, .bad = b->bad };
}

#endif
