// SPDX-License-Identifier: Apache-2.0
/*
 * A capture's raw stream, written and read. The format is in the header file.
 *
 * The writer fills one frame of content and compresses it whole. The reader decompresses one frame at
 * a time into memory of that size, and believes none of it before the frame's checksum was right: so a
 * file that breaks off, or is damaged, gives exactly what its whole frames say. Chunks may lie across
 * frames. Decompressing as a stream was refused: it hands out bytes that no checksum covers yet.
 */
#include "profiler/collect/stream.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"

#define FRAME_MAX_BYTES ((size_t)1 << 20)
#define FRAME_WINDOW_LOG 20
#define STREAM_MAX_BYTES (64ULL << 30)
/* A drain that finds this much, or a frame this old, ends it: what a killed capture loses is little. */
#define FRAME_ENOUGH_BYTES (FRAME_MAX_BYTES / 16)
#define FRAME_MAX_NS 1000000000ULL
#define COMPRESSION_LEVEL 1
#define BYTE_ORDER_MARK 0x01020304u

static const char magic[16] = "slowburn stream\n"; /* no NUL: there is no room for one */

struct stream_header {
	char magic[16];
	uint32_t version;
	uint32_t byte_order;
};

struct chunk_header {
	uint32_t kind;
	uint32_t len;
	uint64_t key;
};

static size_t padding_of(size_t len)
{
	return -len & 7;
}

/* ---- writing ---- */

struct stream_writer {
	int fd;
	int error; /* the first; then nothing is written any more */
	uint64_t chunks;
	ZSTD_CCtx *zstd;
	size_t len; /* of `frame` */
	uint64_t frame_ns; /* the drain that ended the frame before */
	size_t packed_capacity;
	uint8_t *packed;
	uint8_t frame[FRAME_MAX_BYTES];
};

static int write_header(struct stream_writer *w)
{
	struct stream_header header = {
		.version = STREAM_VERSION,
		.byte_order = BYTE_ORDER_MARK,
	};

	memcpy(header.magic, magic, sizeof(magic));
	return fd_write_all(w->fd, &header, sizeof(header));
}

int stream_writer_new(struct stream_writer **ret, int fd)
{
	struct stream_writer *w = calloc(1, sizeof(*w));
	int r = -ENOMEM;

	if (!w)
		return -ENOMEM;
	w->fd = fd;
	w->packed_capacity = ZSTD_compressBound(FRAME_MAX_BYTES);
	w->packed = malloc(w->packed_capacity);
	w->zstd = ZSTD_createCCtx();
	if (!w->packed || !w->zstd)
		goto out;
	if (ZSTD_isError(ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_checksumFlag, 1)) ||
	    ZSTD_isError(
		    ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, COMPRESSION_LEVEL)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_windowLog, FRAME_WINDOW_LOG)))
		goto out;
	r = write_header(w);
	if (r < 0)
		goto out;
	*ret = take_ptr(w);
out:
	stream_writer_free(w);
	return r;
}

void stream_writer_free(struct stream_writer *w)
{
	if (!w)
		return;
	ZSTD_freeCCtx(w->zstd);
	free(w->packed);
	free(w);
}

static void write_frame(struct stream_writer *w)
{
	size_t n;

	if (w->error || !w->len)
		return;
	n = ZSTD_compress2(w->zstd, w->packed, w->packed_capacity, w->frame, w->len);
	w->error = ZSTD_isError(n) ? -ENOMEM : fd_write_all(w->fd, w->packed, n);
	w->len = 0;
}

static bool is_frame_enough(const struct stream_writer *w, uint64_t now_ns)
{
	return w->len >= FRAME_ENOUGH_BYTES || now_ns - w->frame_ns >= FRAME_MAX_NS;
}

static void write_bytes(struct stream_writer *w, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len && !w->error) {
		size_t room = FRAME_MAX_BYTES - w->len;
		size_t n = len < room ? len : room;

		memcpy(w->frame + w->len, p, n);
		w->len += n;
		p += n;
		len -= n;
		if (w->len == FRAME_MAX_BYTES)
			write_frame(w);
	}
}

int stream_write(struct stream_writer *w, enum stream_kind kind, uint64_t key, const void *bytes,
		 size_t len)
{
	static const uint8_t zeros[8];
	struct chunk_header header = { .kind = kind, .len = (uint32_t)len, .key = key };

	if (len > STREAM_MAX_CHUNK_BYTES)
		return -E2BIG;
	write_bytes(w, &header, sizeof(header));
	if (len)
		write_bytes(w, bytes, len);
	write_bytes(w, zeros, padding_of(len));
	w->chunks++;
	if (kind == STREAM_DRAIN && is_frame_enough(w, key)) {
		write_frame(w);
		w->frame_ns = key;
	}
	return w->error;
}

int stream_writer_close(struct stream_writer *w)
{
	(void)stream_write(w, STREAM_END, w->chunks, NULL, 0);
	write_frame(w);
	return w->error;
}

/* ---- reading ---- */

struct stream_reader {
	int fd;
	uint64_t chunks;
	uint64_t total_bytes;
	bool ended; /* STREAM_END was read */
	ZSTD_DCtx *zstd;
	ZSTD_inBuffer packed;
	size_t pos, len; /* of `frame`: what was read of it, what is in it */
	uint64_t *chunk; /* the one handed out: words, for their alignment */
	size_t chunk_capacity;
	size_t packed_capacity;
	uint8_t *packed_bytes;
	uint8_t frame[FRAME_MAX_BYTES];
};

static int read_all(int fd, void *ret, size_t len)
{
	char *p = ret;

	while (len) {
		ssize_t n = read(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int read_header(struct stream_reader *r, struct err *err)
{
	struct stream_header header;
	int e = read_all(r->fd, &header, sizeof(header));

	if (e == -ENODATA || (e == 0 && memcmp(header.magic, magic, sizeof(magic)) != 0))
		return err_set(err, -EINVAL, "this is no slowburn stream: its first bytes differ");
	if (e < 0)
		return err_errno(err, e, "cannot read the stream");
	if (header.byte_order != BYTE_ORDER_MARK)
		return err_set(err, -EINVAL,
			       "the stream was written on a machine of the other byte order");
	if (header.version < STREAM_OLDEST_VERSION || header.version > STREAM_VERSION)
		return err_set(err, -EINVAL,
			       "the stream has version %u; this program reads %u to %u",
			       header.version, STREAM_OLDEST_VERSION, STREAM_VERSION);
	return 0;
}

int stream_reader_new(struct stream_reader **ret, int fd, struct err *err)
{
	struct stream_reader *r = calloc(1, sizeof(*r));
	int e = -ENOMEM;

	if (!r)
		return err_errno(err, -ENOMEM, "cannot read the stream");
	r->fd = fd;
	r->packed_capacity = ZSTD_DStreamInSize();
	r->packed_bytes = malloc(r->packed_capacity);
	r->packed.src = r->packed_bytes;
	r->zstd = ZSTD_createDCtx();
	if (!r->packed_bytes || !r->zstd ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(r->zstd, ZSTD_d_windowLogMax, FRAME_WINDOW_LOG))) {
		err_errno(err, e, "cannot read the stream");
		goto out;
	}
	e = read_header(r, err);
	if (e < 0)
		goto out;
	*ret = take_ptr(r);
out:
	stream_reader_free(r);
	return e;
}

void stream_reader_free(struct stream_reader *r)
{
	if (!r)
		return;
	ZSTD_freeDCtx(r->zstd);
	free(r->packed_bytes);
	free(r->chunk);
	free(r);
}

/* More compressed bytes. 1, 0 at the end of the file, or negative errno. */
static int fill(struct stream_reader *r)
{
	ssize_t n;

	do {
		n = read(r->fd, r->packed_bytes, r->packed_capacity);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	r->packed.size = (size_t)n;
	r->packed.pos = 0;
	return n > 0;
}

/* The next whole frame, its checksum verified. 0 or as stream_read(). */
static int read_frame(struct stream_reader *r, struct err *err)
{
	ZSTD_outBuffer out = { .dst = r->frame, .size = FRAME_MAX_BYTES };
	size_t left = 1;

	r->pos = 0;
	r->len = 0;
	while (left) {
		size_t in_before = r->packed.pos, out_before = out.pos;

		if (r->packed.pos == r->packed.size) {
			int e = fill(r);

			if (e < 0)
				return err_errno(err, e, "cannot read the stream");
			if (e == 0)
				return -ENODATA;
			in_before = 0;
		}
		left = ZSTD_decompressStream(r->zstd, &out, &r->packed);
		if (ZSTD_isError(left))
			return err_set(err, -EINVAL, "the stream is damaged after %llu bytes: %s",
				       (unsigned long long)r->total_bytes, ZSTD_getErrorName(left));
		if (left && r->packed.pos == in_before && out.pos == out_before)
			return err_set(err, -EINVAL,
				       "the stream is damaged after %llu bytes: a frame is larger "
				       "than %zu",
				       (unsigned long long)r->total_bytes, FRAME_MAX_BYTES);
	}
	r->len = out.pos;
	r->total_bytes += out.pos;
	if (r->total_bytes > STREAM_MAX_BYTES)
		return err_set(err, -EINVAL, "the stream holds more than %llu bytes",
			       (unsigned long long)STREAM_MAX_BYTES);
	return 0;
}

static int read_bytes(struct stream_reader *r, void *ret, size_t len, struct err *err)
{
	uint8_t *p = ret;

	while (len) {
		size_t n = r->len - r->pos;

		if (n == 0) {
			int e = read_frame(r, err);

			if (e < 0)
				return e;
			continue;
		}
		if (n > len)
			n = len;
		memcpy(p, r->frame + r->pos, n);
		r->pos += n;
		p += n;
		len -= n;
	}
	return 0;
}

/* Grows by what the file claims, which is at most STREAM_MAX_CHUNK_BYTES. */
static int reserve_chunk(struct stream_reader *r, size_t len)
{
	size_t words = len / 8 + 1;

	if (words > r->chunk_capacity) {
		uint64_t *grown = realloc(r->chunk, words * 8);

		if (!grown)
			return -ENOMEM;
		r->chunk = grown;
		r->chunk_capacity = words;
	}
	return 0;
}

static int read_payload(struct stream_reader *r, const struct chunk_header *header, struct err *err)
{
	size_t padding = padding_of(header->len);
	const uint8_t *bytes;
	int e;

	e = reserve_chunk(r, header->len + padding);
	if (e < 0)
		return err_errno(err, e, "cannot read the stream");
	e = read_bytes(r, r->chunk, header->len + padding, err);
	if (e < 0)
		return e;
	bytes = (const uint8_t *)r->chunk + header->len;
	for (size_t i = 0; i < padding; i++) {
		if (bytes[i])
			return err_set(err, -EINVAL, "the stream is damaged: chunk %llu has a tail",
				       (unsigned long long)r->chunks);
	}
	return 0;
}

static int read_end(struct stream_reader *r, const struct chunk_header *header, struct err *err)
{
	if (header->len || header->key != r->chunks)
		return err_set(err, -EINVAL,
			       "the stream is damaged: %llu chunks were written and %llu are there",
			       (unsigned long long)header->key, (unsigned long long)r->chunks);
	r->ended = true;
	return 0;
}

int stream_read(struct stream_reader *r, struct stream_chunk *ret, struct err *err)
{
	struct chunk_header header;
	int e;

	if (r->ended)
		return 0;
	e = read_bytes(r, &header, sizeof(header), err);
	if (e < 0)
		return e;
	if (header.kind >= STREAM_KIND_COUNT || header.len > STREAM_MAX_CHUNK_BYTES)
		return err_set(err, -EINVAL,
			       "the stream is damaged: chunk %llu has kind %u and %u bytes",
			       (unsigned long long)r->chunks, header.kind, header.len);
	if (header.kind == STREAM_END)
		return read_end(r, &header, err);
	e = read_payload(r, &header, err);
	if (e < 0)
		return e;
	r->chunks++;
	*ret = (struct stream_chunk){
		.key = header.key,
		.bytes = r->chunk,
		.len = header.len,
		.kind = header.kind,
	};
	return 1;
}
