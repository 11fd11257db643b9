// SPDX-License-Identifier: Apache-2.0
/*
 * A frame is built in memory and written by one pwrite(2) behind the last one: killed within it, the file has a tail that
 * no reader takes for a window, and nobody goes on with a file that somebody else began. What could be
 * written only in part is cut off again at once.
 */
#include "profiler/store/appender.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zstd.h>

#include "profiler/base/cleanup.h"

#define FILE_MODE 0640

struct appender {
	int fd;
	int effort;
	uint64_t at; /* where the next frame goes */
	struct columns_marks marks, packed_marks; /* in the file; with what is packed */
	struct layout_frame frame; /* of what is packed */
	struct layout_frame end;
	struct buffer raw, bytes; /* a part; the frame as it will be in the file */
	ZSTD_CCtx *packer;
};

static int write_all(int fd, const void *bytes, size_t len, uint64_t at)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(fd, (const char *)bytes + done, len - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

int appender_new(struct appender **ret, int dirfd, const char *name,
		 const struct layout_header *header, int effort, struct err *err)
{
	unsigned char bytes[LAYOUT_HEADER_BYTES];
	struct appender *a = calloc(1, sizeof(*a));
	int r = -ENOMEM;

	if (!a)
		return err_errno(err, -ENOMEM, "cannot create \"%s\"", name);
	a->effort = effort;
	buffer_init(&a->raw, LAYOUT_MAX_PART_BYTES);
	buffer_init(&a->bytes, LAYOUT_FRAME_BYTES + LAYOUT_PARTS * (size_t)LAYOUT_MAX_PART_BYTES);
	a->packer = ZSTD_createCCtx();
	a->fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       FILE_MODE);
	if (a->fd < 0)
		r = -errno;
	if (a->fd >= 0 && a->packer) {
		layout_header_write(header, bytes);
		r = write_all(a->fd, bytes, sizeof(bytes), 0);
	}
	if (r < 0) {
		if (a->fd >= 0)
			unlinkat(dirfd, name, 0);
		appender_free(a);
		return err_errno(err, r, "cannot create \"%s\"", name);
	}
	a->at = sizeof(bytes);
	*ret = a;
	return 0;
}

void appender_free(struct appender *a)
{
	if (!a)
		return;
	fd_close(&a->fd);
	ZSTD_freeCCtx(a->packer);
	buffer_release(&a->raw);
	buffer_release(&a->bytes);
	free(a);
}

/* a->raw, packed, behind what is in a->bytes. */
static int pack(struct appender *a, enum layout_part part)
{
	size_t room = ZSTD_compressBound(a->raw.len), before = a->bytes.len, n;
	void *to;

	if (buffer_error(&a->raw))
		return buffer_error(&a->raw);
	if (!a->raw.len)
		return 0;
	to = buffer_extend(&a->bytes, room);
	if (!to)
		return buffer_error(&a->bytes);
	n = ZSTD_compressCCtx(a->packer, to, room, a->raw.data, a->raw.len, a->effort);
	if (ZSTD_isError(n))
		return -ENOMEM;
	a->bytes.len = before + n;
	a->frame.parts[part].raw = (uint32_t)a->raw.len;
	a->frame.parts[part].packed = (uint32_t)n;
	buffer_clear(&a->raw);
	return n > LAYOUT_MAX_PART_BYTES ? -E2BIG : 0;
}

static int pack_parts(struct appender *a, const struct profile *p, const struct counters *counters,
		      const struct store_window *w)
{
	int r;

	columns_write_dictionary(p, &a->marks, &a->raw);
	r = pack(a, LAYOUT_DICTIONARY);
	if (r == 0)
		r = columns_write_samples(p, counters, &a->raw);
	if (r == 0)
		r = pack(a, LAYOUT_SAMPLES);
	if (r == 0 && w->moment_count)
		r = columns_write_moments(p, w->moments, w->moment_count, &a->raw);
	if (r == 0)
		r = pack(a, LAYOUT_MOMENTS);
	return r;
}

int appender_pack(struct appender *a, const struct profile *p, const struct counters *counters,
		  const struct store_window *w)
{
	int r;

	a->frame = (struct layout_frame){
		.kind = LAYOUT_WINDOW,
		.start_ns = w->start_ns,
		.end_ns = w->end_ns,
		.monotonic_ns = w->monotonic_ns,
		.count = profile_total_count(p),
		.value = profile_total_value(p),
	};
	buffer_clear(&a->raw);
	buffer_clear(&a->bytes);
	buffer_extend(&a->bytes, LAYOUT_FRAME_BYTES);
	r = pack_parts(a, p, counters, w);
	if (r == 0)
		r = buffer_error(&a->bytes);
	if (r < 0) {
		buffer_clear(&a->bytes);
		return r;
	}
	a->frame.hash =
		layout_hash(a->bytes.data + LAYOUT_FRAME_BYTES, a->bytes.len - LAYOUT_FRAME_BYTES);
	a->packed_marks = columns_marks_of(p);
	return 0;
}

uint64_t appender_packed_bytes(const struct appender *a)
{
	return a->bytes.len;
}

uint64_t appender_bytes(const struct appender *a)
{
	return a->at;
}

int appender_fd(const struct appender *a)
{
	return a->fd;
}

/* What a->bytes has, behind the last frame, or nothing. */
static int add(struct appender *a)
{
	int r = write_all(a->fd, a->bytes.data, a->bytes.len, a->at);

	if (r < 0) {
		/* If that fails too, the tail is what a kill would have left; the next try writes over it. */
		(void)!ftruncate(a->fd, (off_t)a->at);
		return r;
	}
	a->at += a->bytes.len;
	return 0;
}

int appender_write(struct appender *a, uint64_t sequence)
{
	int r;

	a->frame.sequence = sequence;
	layout_frame_write(&a->frame, a->bytes.data);
	r = add(a);
	if (r < 0)
		return r;
	a->marks = a->packed_marks;
	a->end.sequence = sequence;
	a->end.count += a->frame.count;
	a->end.value += a->frame.value;
	a->end.end_ns = a->frame.end_ns;
	return 0;
}

int appender_sync(struct appender *a)
{
	return fdatasync(a->fd) < 0 ? -errno : 0;
}

int appender_close(struct appender *a)
{
	void *bytes;
	int r;

	a->end.kind = LAYOUT_END;
	a->end.start_ns = a->end.end_ns;
	buffer_clear(&a->bytes);
	bytes = buffer_extend(&a->bytes, LAYOUT_FRAME_BYTES);
	if (!bytes)
		return buffer_error(&a->bytes);
	layout_frame_write(&a->end, bytes);
	r = add(a);
	return r < 0 ? r : appender_sync(a);
}
