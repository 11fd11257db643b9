// SPDX-License-Identifier: Apache-2.0
/*
 * Headers to bytes and back, field after field, so that the file is the same whatever compiled us.
 *
 *	header  0 "slowburn"  8 version  12 level  16 slot  24 window  32 first  40 last  48 created  56 hash
 *	frame   0 "SBfr"  4 kind  8 packed, raw of three parts  32 sequence  40 start  48 end  56 monotonic
 *XX
 */
#include "profiler/store/layout.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include <xxhash.h>

#include "profiler/store/level.h"

#define MAGIC "slowburn"
#define FRAME_MAGIC 0x72664253u /* "SBfr" */

static void put32(unsigned char *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

static void put64(unsigned char *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, sizeof(value));
}

static uint32_t get32(const unsigned char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static uint64_t get64(const unsigned char *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return le64toh(value);
}

uint64_t layout_hash(const void *bytes, size_t len)
{
	return XXH3_64bits(bytes, len);
}

void layout_header_write(const struct layout_header *h, void *bytes)
{
	unsigned char *b = bytes;

	memcpy(b, MAGIC, 8); // NOLINT(bugprone-not-null-terminated-result): eight bytes, no text
	put32(b + 8, LAYOUT_VERSION);
	put32(b + 12, h->level);
	put64(b + 16, h->slot_ns);
	put64(b + 24, h->window_ns);
	put64(b + 32, h->first);
	put64(b + 40, h->last);
	put64(b + 48, h->created_ns);
	put64(b + 56, layout_hash(b, 56));
}

int layout_header_read(const void *bytes, struct layout_header *ret, struct err *err)
{
	const unsigned char *b = bytes;
	struct layout_header h;

	if (memcmp(b, MAGIC, 8) != 0)
		return err_set(err, -EBADMSG, "is no file of a store");
	/* Before the hash: a later version may have another. */
	if (get32(b + 8) != LAYOUT_VERSION)
		return err_set(err, -EPROTONOSUPPORT,
			       "is of version %u, and this slowburn knows version %u", get32(b + 8),
			       LAYOUT_VERSION);
	if (get64(b + 56) != layout_hash(b, 56))
		return err_set(err, -EBADMSG, "has a damaged header");
	h = (struct layout_header){
		.level = get32(b + 12),
		.slot_ns = get64(b + 16),
		.window_ns = get64(b + 24),
		.first = get64(b + 32),
		.last = get64(b + 40),
		.created_ns = get64(b + 48),
	};
	if (h.level >= STORE_LEVELS || h.window_ns != store_levels[h.level].window_ns ||
	    h.slot_ns != store_slot(h.level, h.slot_ns) || (h.level && h.last < h.first))
		return err_set(err, -EBADMSG, "has a header that makes no sense");
	*ret = h;
	return 0;
}

void layout_frame_write(const struct layout_frame *f, void *bytes)
{
	unsigned char *b = bytes;

	put32(b, FRAME_MAGIC);
	put32(b + 4, f->kind);
	for (size_t i = 0; i < LAYOUT_PARTS; i++) {
		put32(b + 8 + 8 * i, f->parts[i].packed);
		put32(b + 12 + 8 * i, f->parts[i].raw);
	}
	put64(b + 32, f->sequence);
	put64(b + 40, f->start_ns);
	put64(b + 48, f->end_ns);
	put64(b + 56, f->monotonic_ns);
	put64(b + 64, f->count);
	put64(b + 72, f->value);
	put64(b + 80, f->hash);
	put32(b + 88, f->flags);
	put32(b + 92, 0);
	put64(b + 96, layout_hash(b, 96));
}

int layout_frame_read(const void *bytes, struct layout_frame *ret)
{
	const unsigned char *b = bytes;
	struct layout_frame f = { .kind = get32(b + 4) };

	if (get32(b) != FRAME_MAGIC || get64(b + 96) != layout_hash(b, 96))
		return -EBADMSG;
	if (f.kind != LAYOUT_WINDOW && f.kind != LAYOUT_END)
		return -EBADMSG;
	for (size_t i = 0; i < LAYOUT_PARTS; i++) {
		f.parts[i].packed = get32(b + 8 + 8 * i);
		f.parts[i].raw = get32(b + 12 + 8 * i);
		if (f.parts[i].packed > LAYOUT_MAX_PART_BYTES ||
		    f.parts[i].raw > LAYOUT_MAX_PART_BYTES)
			return -EBADMSG;
	}
	f.sequence = get64(b + 32);
	f.start_ns = get64(b + 40);
	f.end_ns = get64(b + 48);
	f.monotonic_ns = get64(b + 56);
	f.count = get64(b + 64);
	f.value = get64(b + 72);
	f.hash = get64(b + 80);
	f.flags = get32(b + 88);
	if (f.end_ns < f.start_ns || (f.kind == LAYOUT_END && layout_frame_packed(&f)))
		return -EBADMSG;
	*ret = f;
	return 0;
}

int layout_window_read(const void *bytes, size_t len, struct layout_frame *ret)
{
	const unsigned char *b = bytes;
	struct layout_frame f;

	if (len < LAYOUT_FRAME_BYTES || layout_frame_read(b, &f) < 0 || f.kind != LAYOUT_WINDOW ||
	    layout_frame_packed(&f) != len - LAYOUT_FRAME_BYTES)
		return -EBADMSG;
	if (!f.parts[LAYOUT_DICTIONARY].packed || !f.parts[LAYOUT_SAMPLES].packed ||
	    f.hash != layout_hash(b + LAYOUT_FRAME_BYTES, len - LAYOUT_FRAME_BYTES))
		return -EBADMSG;
	*ret = f;
	return 0;
}

uint64_t layout_frame_packed(const struct layout_frame *f)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < LAYOUT_PARTS; i++)
		sum += f->parts[i].packed;
	return sum;
}
