// SPDX-License-Identifier: Apache-2.0
/*
 * Frame after frame. What isn't there yet (the frame that is just being written, or that a kill cut
 * off) is an end; what is there and disagrees with its hash is damage. A tail of zeros is what a
 * power cut leaves on some file systems: an end too.
 *
 * The dictionaries are read ahead of the samples: a window's names are in those before it, and what
 * became known better of them is in those behind it. By their hash each frame is read whole once,
 * of which it is the least part.
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

/* How far it was read, and what the windows so far add up to. */
struct reach {
	uint64_t at; /* of the next frame */
	uint64_t tail_bytes;
	uint64_t sequence, count, value;
	bool closed;
};

/* A window that is there. */
struct window {
	struct layout_frame frame;
	uint64_t at; /* of its parts */
};

struct segment {
	int fd;
	char name[CATALOG_NAME_BYTES];
	struct layout_header header;
	struct reach seen; /* by segment_next() */
	struct reach learnt; /* the dictionaries */
	struct window window; /* that segment_next() gave */
	struct columns_dictionary dictionary;
	struct columns_slots slots;
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
	int r;

	/* What is given up is emptied before it loses its name. */
	if (lseek(s->fd, 0, SEEK_END) == 0)
		return err_set(err, -ESTALE, "\"%s\" was given up: nothing is in it", s->name);
	r = read_all(s->fd, bytes, sizeof(bytes), 0);
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
	s->seen.at = s->learnt.at = LAYOUT_HEADER_BYTES;
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
	return s->seen.closed;
}

uint64_t segment_tail_bytes(const struct segment *s)
{
	return s->seen.tail_bytes;
}

static bool is_zero(const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i])
			return false;
	return true;
}

static int damaged(const struct segment *s, const struct reach *x, struct err *err,
		   const char *what)
{
	return err_set(err, -EBADMSG, "\"%s\" %s at byte %" PRIu64 ", behind window %" PRIu64,
		       s->name, what, x->at, x->sequence);
}

static int end(const struct segment *s, struct reach *x, const struct layout_frame *f,
	       uint64_t left, struct err *err)
{
	if (f->count != x->count || f->value != x->value || f->sequence != x->sequence ||
	    left != LAYOUT_FRAME_BYTES)
		return damaged(s, x, err, "has an end that disagrees with its windows");
	x->closed = true;
	x->tail_bytes = 0;
	return 0;
}

/* A window's header that its hash speaks for: does it follow the one before? */
static int follow(const struct segment *s, struct reach *x, const struct layout_frame *f,
		  struct window *ret, struct err *err)
{
	if (x->sequence && f->sequence <= x->sequence)
		return damaged(s, x, err, "has windows out of order");
	x->sequence = f->sequence;
	x->count += f->count;
	x->value += f->value;
	*ret = (struct window){ *f, x->at + LAYOUT_FRAME_BYTES };
	x->at = ret->at + layout_frame_packed(f);
	return 1;
}

/* As segment_next(), from *x on. */
static int next_window(struct segment *s, struct reach *x, struct window *ret, struct err *err)
{
	unsigned char bytes[LAYOUT_FRAME_BYTES];
	struct layout_frame f;
	off_t size = lseek(s->fd, 0, SEEK_END); /* fstat() would need a call that takes paths */
	uint64_t left;
	int r;

	if (size < 0)
		return err_errno(err, -errno, "cannot read \"%s\"", s->name);
	if ((uint64_t)size < x->at)
		return err_set(err, -ESTALE, "\"%s\" was given up while it was read", s->name);
	left = (uint64_t)size - x->at;
	x->tail_bytes = left;
	if (x->closed || left < LAYOUT_FRAME_BYTES)
		return 0;
	r = read_all(s->fd, bytes, sizeof(bytes), x->at);
	if (r < 0)
		return err_errno(err, r, "cannot read \"%s\"", s->name);
	if (is_zero(bytes, sizeof(bytes)))
		return 0;
	if (layout_frame_read(bytes, &f) < 0)
		return damaged(s, x, err, "is damaged");
	if (f.kind == LAYOUT_END)
		return end(s, x, &f, left, err);
	if (layout_frame_packed(&f) > left - LAYOUT_FRAME_BYTES)
		return 0;
	return follow(s, x, &f, ret, err);
}

int segment_next(struct segment *s, struct layout_frame *ret, struct err *err)
{
	int r = next_window(s, &s->seen, &s->window, err);

	if (r == 1)
		*ret = s->window.frame;
	return r;
}

/* One part, from its bytes in the file into s->raw. */
static int unpack(struct segment *s, const struct layout_frame *f, enum layout_part part,
		  const void *bytes)
{
	size_t raw = f->parts[part].raw, n;
	void *to;

	buffer_clear(&s->raw);
	to = buffer_extend(&s->raw, raw);
	if (!to)
		return buffer_error(&s->raw) ? buffer_error(&s->raw) : 0;
	n = ZSTD_decompressDCtx(s->unpacker, to, raw, bytes, f->parts[part].packed);
	return ZSTD_isError(n) || n != raw ? -EBADMSG : 0;
}

/* `len` bytes from `at` on, into s->packed. */
static int read_packed(struct segment *s, uint64_t at, size_t len)
{
	void *to;

	buffer_clear(&s->packed);
	to = buffer_extend(&s->packed, len);
	return to || !len ? read_all(s->fd, to, len, at) : buffer_error(&s->packed);
}

static int failed_in(const struct segment *s, const struct window *w, int r, struct err *err)
{
	if (r == -ESTALE)
		return err_set(err, r, "\"%s\" was given up while it was read", s->name);
	if (r == -EBADMSG)
		return err_set(err, r, "\"%s\" is damaged in window %" PRIu64, s->name,
			       w->frame.sequence);
	return err_errno(err, r, "cannot read window %" PRIu64 " of \"%s\"", w->frame.sequence,
			 s->name);
}

/* The hash speaks for all parts of a frame: they are read together, this once. */
static int learn_window(struct segment *s, const struct window *w)
{
	const struct layout_frame *f = &w->frame;
	size_t len = layout_frame_packed(f);
	int r = read_packed(s, w->at, len);

	if (r == 0 &&
	    (layout_hash(s->packed.data, len) != f->hash || !f->parts[LAYOUT_DICTIONARY].raw))
		r = -EBADMSG;
	if (r == 0)
		r = unpack(s, f, LAYOUT_DICTIONARY, s->packed.data);
	if (r == 0)
		r = columns_read_dictionary(&s->dictionary, s->raw.data, s->raw.len);
	return r;
}

/* All dictionaries that are there by now, up to one that can't be read: that will be so again. */
static int learn(struct segment *s, struct err *err)
{
	for (;;) {
		struct reach x = s->learnt;
		struct window w = { 0 };
		int r = next_window(s, &x, &w, err);

		if (r <= 0)
			return r;
		r = learn_window(s, &w);
		if (r < 0)
			return failed_in(s, &w, r, err);
		s->learnt = x;
	}
}

/* Of a window whose frame was read before; -EBADMSG: it must have this part. */
static int load_part(struct segment *s, enum layout_part part)
{
	const struct layout_frame *f = &s->window.frame;
	uint64_t at = s->window.at;
	int r;

	if (!f->parts[part].raw)
		return part == LAYOUT_MOMENTS ? 0 : -EBADMSG;
	for (size_t i = 0; i < part; i++)
		at += f->parts[i].packed;
	r = read_packed(s, at, f->parts[part].packed);
	if (r == 0)
		r = unpack(s, f, part, s->packed.data);
	if (r < 0)
		return r;
	if (part == LAYOUT_SAMPLES)
		return columns_read_samples(&s->dictionary, s->raw.data, s->raw.len);
	return columns_read_moments(&s->dictionary, s->raw.data, s->raw.len, &s->slots);
}

/* Do the samples add up to what the header says? */
static int check_sums(struct segment *s)
{
	struct profile *p = &s->dictionary.profile;
	const struct layout_frame *f = &s->window.frame;

	p->facts.time_ns = f->start_ns;
	return profile_total_count(p) == f->count && profile_total_value(p) == f->value ? 0
											: -EBADMSG;
}

int segment_load(struct segment *s, enum layout_part up_to, struct err *err)
{
	int r = s->learnt.at < s->seen.at ? learn(s, err) : 0;

	s->slots.slots.count = 0;
	if (s->learnt.at < s->seen.at)
		return r < 0 ? r : failed_in(s, &s->window, -ESTALE, err);
	r = 0;
	if (up_to >= LAYOUT_SAMPLES)
		r = load_part(s, LAYOUT_SAMPLES);
	if (r == 0 && up_to >= LAYOUT_SAMPLES)
		r = check_sums(s);
	if (r == 0 && up_to >= LAYOUT_MOMENTS)
		r = load_part(s, LAYOUT_MOMENTS);
	return r < 0 ? failed_in(s, &s->window, r, err) : 0;
}
