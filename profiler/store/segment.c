// SPDX-License-Identifier: Apache-2.0
/*
 * Frame after frame. What isn't there yet (the frame that is just being written, or that a kill cut off) is an end; what is
 * there and disagrees with its hash is damage. A tail of zeros is what a power cut leaves on some file systems: an end too.
 *
 * Refused: going on behind a damaged frame. The windows behind it use names that were in it.
 */
#include "profiler/store/segment.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zstd.h>

#include "profiler/base/cleanup.h"
#include "profiler/store/catalog.h"

struct segment {
	int fd;
	char name[CATALOG_NAME_BYTES];
	struct layout_header header;
	struct layout_frame frame; /* that segment_next() gave */
	uint64_t frame_at, at; /* where its parts begin; where the next frame does */
	uint64_t tail_bytes;
	bool closed;
	struct columns_dictionary dictionary;
	struct columns_slots slots;
	uint64_t sequence, count, value; /* of the windows so far */
	ZSTD_DCtx *unpacker;
	struct buffer packed, raw;
};

/* All of it, or -ESTALE: the file ends before. */
static int read_all(int fd, void *bytes, size_t len, uint64_t at)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(fd, (char *)bytes + done, len - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ESTALE;
		done += (size_t)n;
	}
	return 0;
}

static int read_header(struct segment *s, struct err *err)
{
	unsigned char bytes[LAYOUT_HEADER_BYTES];
	struct catalog_file f;
	struct err why;
	int r = read_all(s->fd, bytes, sizeof(bytes), 0);

	if (r == -ESTALE)
		return err_set(err, -EBADMSG, "\"%s\" is cut off within its header", s->name);
	if (r < 0)
		return err_errno(err, r, "cannot read \"%s\"", s->name);
	r = layout_header_read(bytes, &s->header, &why);
	if (r < 0)
		return err_set(err, r, "\"%s\" %s", s->name, why.text);
	if (catalog_parse(s->name, &f) &&
	    (f.level != s->header.level || f.slot_ns != s->header.slot_ns ||
	     f.first != s->header.first || (f.level && f.last != s->header.last)))
		return err_set(err, -EBADMSG, "\"%s\" is another file than its name says", s->name);
	s->at = LAYOUT_HEADER_BYTES;
	return 0;
}

int segment_open(struct segment **ret, int fd, const char *name, const struct store_limits *limits,
		 struct err *err)
{
	struct segment *s = calloc(1, sizeof(*s));
	int r;

	if (!s) {
		fd_close(&fd);
		return err_errno(err, -ENOMEM, "cannot read \"%s\"", name);
	}
	s->fd = fd;
	snprintf(s->name, sizeof(s->name), "%s", name);
	buffer_init(&s->packed, LAYOUT_PARTS * (size_t)LAYOUT_MAX_PART_BYTES);
	buffer_init(&s->raw, LAYOUT_MAX_PART_BYTES);
	r = read_header(s, err);
	if (r == 0) {
		s->unpacker = ZSTD_createDCtx();
		r = s->unpacker ? columns_dictionary_init(&s->dictionary, limits->text_bytes,
							  limits->max_items)
				: -ENOMEM;
		if (r < 0)
			err_errno(err, r, "cannot read \"%s\"", name);
	}
	if (r < 0) {
		segment_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void segment_free(struct segment *s)
{
	if (!s)
		return;
	fd_close(&s->fd);
	ZSTD_freeDCtx(s->unpacker);
	columns_dictionary_release(&s->dictionary);
	array_release(&s->slots.slots);
	buffer_release(&s->packed);
	buffer_release(&s->raw);
	free(s);
}

const struct layout_header *segment_header(const struct segment *s)
{
	return &s->header;
}

const struct profile *segment_profile(const struct segment *s)
{
	return &s->dictionary.profile;
}

const struct columns_slots *segment_slots(const struct segment *s)
{
	return &s->slots;
}

bool segment_is_closed(const struct segment *s)
{
	return s->closed;
}

uint64_t segment_tail_bytes(const struct segment *s)
{
	return s->tail_bytes;
}

static bool is_zero(const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i])
			return false;
	return true;
}

static int damaged(const struct segment *s, struct err *err, const char *what)
{
	return err_set(err, -EBADMSG, "\"%s\" %s at byte %" PRIu64 ", behind window %" PRIu64,
		       s->name, what, s->at, s->sequence);
}

static int end(struct segment *s, const struct layout_frame *f, uint64_t left, struct err *err)
{
	if (f->count != s->count || f->value != s->value || f->sequence != s->sequence ||
	    left != LAYOUT_FRAME_BYTES)
		return damaged(s, err, "has an end that disagrees with its windows");
	s->closed = true;
	s->tail_bytes = 0;
	return 0;
}

/* A window's header that its hash speaks for: does it follow the one before? */
static int follow(struct segment *s, const struct layout_frame *f, struct err *err)
{
	if (s->sequence && f->sequence <= s->sequence)
		return damaged(s, err, "has windows out of order");
	s->sequence = f->sequence;
	s->count += f->count;
	s->value += f->value;
	s->frame = *f;
	s->frame_at = s->at + LAYOUT_FRAME_BYTES;
	s->at = s->frame_at + layout_frame_packed(f);
	return 1;
}

int segment_next(struct segment *s, struct layout_frame *ret, struct err *err)
{
	unsigned char bytes[LAYOUT_FRAME_BYTES];
	struct layout_frame f;
	off_t size = lseek(s->fd, 0, SEEK_END); /* fstat() would need a call that takes paths */
	uint64_t left;
	int r;

	if (size < 0)
		return err_errno(err, -errno, "cannot read \"%s\"", s->name);
	if ((uint64_t)size < s->at)
		return err_set(err, -ESTALE, "\"%s\" was given up while it was read", s->name);
	left = (uint64_t)size - s->at;
	s->tail_bytes = left;
	if (s->closed || left < LAYOUT_FRAME_BYTES)
		return 0;
	r = read_all(s->fd, bytes, sizeof(bytes), s->at);
	if (r < 0)
		return err_errno(err, r, "cannot read \"%s\"", s->name);
	if (is_zero(bytes, sizeof(bytes)))
		return 0;
	if (layout_frame_read(bytes, &f) < 0)
		return damaged(s, err, "is damaged");
	if (f.kind == LAYOUT_END)
		return end(s, &f, left, err);
	if (layout_frame_packed(&f) > left - LAYOUT_FRAME_BYTES)
		return 0;
	r = follow(s, &f, err);
	if (r == 1)
		*ret = f;
	return r;
}

/* One part from the packed ones, into s->raw. */
static int unpack(struct segment *s, enum layout_part part)
{
	size_t at = 0, raw = s->frame.parts[part].raw, packed = s->frame.parts[part].packed, n;
	void *to;

	for (size_t i = 0; i < part; i++)
		at += s->frame.parts[i].packed;
	buffer_clear(&s->raw);
	to = buffer_extend(&s->raw, raw);
	if (!to)
		return buffer_error(&s->raw) ? buffer_error(&s->raw) : 0;
	n = ZSTD_decompressDCtx(s->unpacker, to, raw, s->packed.data + at, packed);
	return ZSTD_isError(n) || n != raw ? -EBADMSG : 0;
}

static int load_part(struct segment *s, enum layout_part part)
{
	int r;

	if (!s->frame.parts[part].raw)
		return part == LAYOUT_MOMENTS ? 0 : -EBADMSG;
	r = unpack(s, part);
	if (r < 0)
		return r;
	if (part == LAYOUT_DICTIONARY)
		return columns_read_dictionary(&s->dictionary, s->raw.data, s->raw.len);
	if (part == LAYOUT_SAMPLES)
		return columns_read_samples(&s->dictionary, s->raw.data, s->raw.len);
	return columns_read_moments(&s->dictionary, s->raw.data, s->raw.len, &s->slots);
}

/* Do the samples add up to what the header says? */
static int check_sums(struct segment *s)
{
	struct profile *p = &s->dictionary.profile;

	p->facts.time_ns = s->frame.start_ns;
	return profile_total_count(p) == s->frame.count && profile_total_value(p) == s->frame.value
		       ? 0
		       : -EBADMSG;
}

int segment_load(struct segment *s, enum layout_part up_to, struct err *err)
{
	size_t len = layout_frame_packed(&s->frame);
	int r = 0;
	void *to;

	buffer_clear(&s->packed);
	s->slots.slots.count = 0;
	to = buffer_extend(&s->packed, len);
	r = to ? read_all(s->fd, to, len, s->frame_at) : buffer_error(&s->packed);
	if (r == 0 && layout_hash(s->packed.data, len) != s->frame.hash)
		r = -EBADMSG;
	for (uint32_t part = 0; r == 0 && part <= (uint32_t)up_to; part++) {
		r = load_part(s, (enum layout_part)part);
		if (r == 0 && part == LAYOUT_SAMPLES)
			r = check_sums(s);
	}
	if (r == -ESTALE)
		return err_set(err, r, "\"%s\" was given up while it was read", s->name);
	if (r == -EBADMSG)
		return err_set(err, r, "\"%s\" is damaged in window %" PRIu64, s->name,
			       s->frame.sequence);
	if (r < 0)
		return err_errno(err, r, "cannot read window %" PRIu64 " of \"%s\"",
				 s->frame.sequence, s->name);
	return 0;
}
