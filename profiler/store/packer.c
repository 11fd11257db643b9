// SPDX-License-Identifier: Apache-2.0
/*
 * Columns, compressed part by part behind room for the header, which is filled in when the parts are known. Marks say what
 * the file has of the profile; they move on when a frame was kept, so that one that got lost is packed again, the same.
 *
 * Refused: handing out columns to be compressed by who writes: that process would hold what it can do without.
 */
#include "profiler/store/packer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <zstd.h>

#include "profiler/store/layout.h"

struct packer {
	int effort;
	bool goes_on; /* behind a frame that was kept */
	struct columns_marks marks, packed_marks; /* in the file; with what is packed */
	struct layout_frame frame; /* of what is packed */
	struct buffer raw, bytes; /* a part; the frame as it will be in the file */
	ZSTD_CCtx *zstd;
};

int packer_new(struct packer **ret, int effort)
{
	struct packer *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->effort = effort;
	buffer_init(&k->raw, LAYOUT_MAX_PART_BYTES);
	buffer_init(&k->bytes, LAYOUT_FRAME_BYTES + LAYOUT_PARTS * (size_t)LAYOUT_MAX_PART_BYTES);
	k->zstd = ZSTD_createCCtx();
	if (!k->zstd) {
		packer_free(k);
		return -ENOMEM;
	}
	*ret = k;
	return 0;
}

void packer_free(struct packer *k)
{
	if (!k)
		return;
	ZSTD_freeCCtx(k->zstd);
	buffer_release(&k->raw);
	buffer_release(&k->bytes);
	free(k);
}

void packer_begin(struct packer *k)
{
	k->goes_on = false;
	k->marks = (struct columns_marks){ 0 };
}

/* k->raw, compressed, behind what is in k->bytes. */
static int pack(struct packer *k, enum layout_part part)
{
	size_t room = ZSTD_compressBound(k->raw.len), before = k->bytes.len, n;
	void *to;

	if (buffer_error(&k->raw))
		return buffer_error(&k->raw);
	if (!k->raw.len)
		return 0;
	to = buffer_extend(&k->bytes, room);
	if (!to)
		return buffer_error(&k->bytes);
	n = ZSTD_compressCCtx(k->zstd, to, room, k->raw.data, k->raw.len, k->effort);
	if (ZSTD_isError(n))
		return -ENOMEM;
	k->bytes.len = before + n;
	k->frame.parts[part].raw = (uint32_t)k->raw.len;
	k->frame.parts[part].packed = (uint32_t)n;
	buffer_clear(&k->raw);
	return n > LAYOUT_MAX_PART_BYTES ? -E2BIG : 0;
}

static int pack_parts(struct packer *k, const struct profile *p, const struct counters *counters,
		      const struct store_window *w)
{
	int r;

	columns_write_dictionary(p, &k->marks, &k->raw);
	r = pack(k, LAYOUT_DICTIONARY);
	if (r == 0)
		r = columns_write_samples(p, counters, &k->raw);
	if (r == 0)
		r = pack(k, LAYOUT_SAMPLES);
	if (r == 0 && w->moment_count)
		r = columns_write_moments(p, w->moments, w->moment_count, &k->raw);
	if (r == 0)
		r = pack(k, LAYOUT_MOMENTS);
	return r;
}

int packer_pack(struct packer *k, const struct profile *p, const struct counters *counters,
		const struct store_window *w)
{
	const size_t head = LAYOUT_FRAME_BYTES;
	int r;

	k->frame = (struct layout_frame){
		.kind = LAYOUT_WINDOW,
		.flags = k->goes_on ? 0 : LAYOUT_WHOLE,
		.start_ns = w->start_ns,
		.end_ns = w->end_ns,
		.monotonic_ns = w->monotonic_ns,
		.count = profile_total_count(p),
		.value = profile_total_value(p),
	};
	buffer_clear(&k->raw);
	buffer_clear(&k->bytes);
	buffer_extend(&k->bytes, head);
	r = pack_parts(k, p, counters, w);
	if (r == 0)
		r = buffer_error(&k->bytes);
	if (r < 0) {
		buffer_clear(&k->bytes);
		return r;
	}
	k->frame.hash = layout_hash(k->bytes.data + head, k->bytes.len - head);
	layout_frame_write(&k->frame, k->bytes.data);
	k->packed_marks = columns_marks_of(p);
	return 0;
}

void *packer_frame(struct packer *k, size_t *ret_len)
{
	*ret_len = k->bytes.len;
	return k->bytes.data;
}

void packer_keep(struct packer *k)
{
	k->goes_on = true;
	k->marks = k->packed_marks;
}
