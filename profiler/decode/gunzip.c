// SPDX-License-Identifier: Apache-2.0
/*
 * libdeflate wants all the room at once. A file says itself, in its last four bytes, how much that is; what it
 * says is a guess to begin with, and bounded: the room is doubled until it is enough, or the limit is reached.
 *
 * Refused: zlib's streaming, which is three times as slow and has no other use here.
 */
#include "profiler/decode/gunzip.h"

#include <errno.h>
#include <libdeflate.h>
#include <stdint.h>
#include <string.h>

#define LEAST_ROOM ((size_t)64 << 10)
#define LIKELY_RATIO 8

bool gunzip_is_needed(const void *bytes, size_t len)
{
	return len >= 2 && !memcmp(bytes, "\x1f\x8b", 2);
}

static size_t first_guess(const uint8_t *bytes, size_t len)
{
	uint32_t said = 0;

	if (len >= 4)
		memcpy(&said, bytes + len - 4, 4);
	/* Deflate can't do more than 1,032 : 1. */
	if (said && said / 1032 <= len)
		return said;
	return len * LIKELY_RATIO > LEAST_ROOM ? len * LIKELY_RATIO : LEAST_ROOM;
}

/* One member; *ret_used is how much of `bytes` it was. */
static int gunzip_member(struct libdeflate_decompressor *d, const uint8_t *bytes, size_t len,
			 struct buffer *out, size_t *ret_used)
{
	size_t before = out->len, room = first_guess(bytes, len), made;

	for (;; room *= 2) {
		enum libdeflate_result result;
		void *at;

		if (room > out->max - before)
			room = out->max - before;
		at = room ? buffer_extend(out, room) : NULL;
		if (!at)
			return room ? buffer_error(out) : -E2BIG;
		result = libdeflate_gzip_decompress_ex(d, bytes, len, at, room, ret_used, &made);
		out->len = before;
		if (result == LIBDEFLATE_SUCCESS) {
			out->len += made;
			return 0;
		}
		if (result != LIBDEFLATE_INSUFFICIENT_SPACE)
			return -EINVAL;
		if (room == out->max - before)
			return -E2BIG;
	}
}

int gunzip(const void *bytes, size_t len, struct buffer *out, struct err *err)
{
	struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
	const uint8_t *at = bytes;
	int r = d ? 0 : -ENOMEM;

	do {
		size_t used = 0;

		if (r == 0)
			r = gunzip_member(d, at, len, out, &used);
		at += used;
		len -= used;
	} while (r == 0 && gunzip_is_needed(at, len));
	libdeflate_free_decompressor(d);
	if (r == -E2BIG)
		return err_set(err, r, "it is more than %zu MiB when it is decompressed",
			       out->max >> 20);
	if (r == -EINVAL)
		return err_set(err, r, "it is damaged: gzip's data are not valid, or not whole");
	return r < 0 ? err_errno(err, r, "it can't be decompressed") : 0;
}
