// SPDX-License-Identifier: Apache-2.0
/*
 * What was written is read; what was damaged is told from what is merely short; nothing hostile is
 * believed. Streams live in memfds.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include <cmocka.h>

#include "profiler/base/buffer.h"
#include "profiler/collect/stream.h"
#include "tests/unit/torture.h"

#define HEADER_BYTES 24

static int memory_file(const void *bytes, size_t len)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, bytes, len), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void read_back(int fd, struct buffer *ret)
{
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	buffer_init(ret, 64 << 20);
	assert_int_equal(buffer_read_fd(ret, fd), 0);
}

/* Byte i of chunk n; hardly compressible, so that frames are as large as their content. */
static uint8_t byte_of(uint64_t n, size_t i)
{
	uint64_t x = (n + 1) * 0x9e3779b97f4a7c15ULL + i * 0xbf58476d1ce4e5b9ULL;

	x ^= x >> 31;
	return (uint8_t)(x * 0x94d049bb133111ebULL >> 56);
}

static void write_chunk(struct stream_writer *w, enum stream_kind kind, uint64_t key, size_t len)
{
	uint8_t *bytes = malloc(len + 1);

	for (size_t i = 0; i < len; i++)
		bytes[i] = byte_of(key, i);
	assert_int_equal(stream_write(w, kind, key, bytes, len), 0);
	free(bytes);
}

static void check_chunk(const struct stream_chunk *c, enum stream_kind kind, uint64_t key,
			size_t len)
{
	assert_int_equal(c->kind, kind);
	assert_int_equal(c->key, key);
	assert_int_equal(c->len, len);
	assert_int_equal((uintptr_t)c->bytes % 8, 0);
	for (size_t i = 0; i < len; i++) {
		if (((const uint8_t *)c->bytes)[i] != byte_of(key, i))
			fail_msg("chunk %llu: byte %zu differs", (unsigned long long)key, i);
	}
}

/* Lengths around every border: of padding, of a frame, of a chunk. */
static const size_t lengths[] = { 0,
				  1,
				  7,
				  8,
				  9,
				  1000,
				  (1 << 20) - 16,
				  (1 << 20) - 15,
				  1 << 20,
				  3 << 20,
				  STREAM_MAX_CHUNK_BYTES };
#define LENGTH_COUNT (sizeof(lengths) / sizeof(lengths[0]))

static void test_round_trip(void **state)
{
	int fd = memory_file("", 0);
	struct stream_writer *w;
	struct stream_reader *r;
	struct stream_chunk c;
	struct err err;

	assert_int_equal(stream_writer_new(&w, fd), 0);
	for (size_t i = 0; i < LENGTH_COUNT; i++)
		write_chunk(w, STREAM_SAMPLE, i, lengths[i]);
	assert_int_equal(stream_write(w, STREAM_SAMPLE, 0, &c, STREAM_MAX_CHUNK_BYTES + 1), -E2BIG);
	assert_int_equal(stream_writer_close(w), 0);
	stream_writer_free(w);

	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(stream_reader_new(&r, fd, &err), 0);
	for (size_t i = 0; i < LENGTH_COUNT; i++) {
		assert_int_equal(stream_read(r, &c, &err), 1);
		check_chunk(&c, STREAM_SAMPLE, i, lengths[i]);
	}
	assert_int_equal(stream_read(r, &c, &err), 0);
	assert_int_equal(stream_read(r, &c, &err), 0);
	stream_reader_free(r);
	close(fd);
}

/* Several frames of whole chunks. */
static void small_stream(struct buffer *ret)
{
	int fd = memory_file("", 0);
	struct stream_writer *w;

	assert_int_equal(stream_writer_new(&w, fd), 0);
	for (uint64_t i = 0; i < 5; i++)
		write_chunk(w, STREAM_EVENT, i, 50 + i);
	assert_int_equal(stream_writer_close(w), 0);
	stream_writer_free(w);
	read_back(fd, ret);
	close(fd);
}

/* How many chunks `len` bytes give, each as it was written; *ret_end is what ended them. */
static int read_some(const void *bytes, size_t len, int *ret_end)
{
	int fd = memory_file(bytes, len);
	struct stream_reader *r = NULL;
	struct err err = { "" };
	struct stream_chunk c;
	int count = 0, e;

	e = stream_reader_new(&r, fd, &err);
	if (e == 0) {
		while ((e = stream_read(r, &c, &err)) == 1) {
			check_chunk(&c, STREAM_EVENT, (uint64_t)count, 50 + (size_t)count);
			count++;
		}
	}
	if (e == -EINVAL)
		assert_true(strlen(err.text) > 10);
	stream_reader_free(r);
	close(fd);
	*ret_end = e;
	return count;
}

static void test_truncated_everywhere(void **state)
{
	struct buffer whole;
	int end;

	small_stream(&whole);
	assert_int_equal(read_some(whole.data, whole.len, &end), 5);
	assert_int_equal(end, 0);
	for (size_t len = 0; len < whole.len; len++) {
		int expected = len < HEADER_BYTES ? -EINVAL : -ENODATA;

		(void)read_some(whole.data, len, &end);
		if (end != expected)
			fail_msg("%zu of %zu bytes: ended with %d, expected %d", len, whole.len,
				 end, expected);
	}
	buffer_release(&whole);
}

/* read_some() checks that a chunk which is handed out is the one that was written. */
static void test_flipped_everywhere(void **state)
{
	struct buffer whole;
	int end;

	small_stream(&whole);
	for (size_t i = 0; i < whole.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			int count;

			whole.data[i] ^= (char)(1 << bit);
			count = read_some(whole.data, whole.len, &end);
			if (end != -EINVAL && end != -ENODATA && !(end == 0 && count == 5))
				fail_msg("bit %d of byte %zu: %d chunks, ended with %d", bit, i,
					 count, end);
			whole.data[i] ^= (char)(1 << bit);
		}
	}
	buffer_release(&whole);
}

/* What a killed capture left: whole frames, then part of one. */
static void test_killed(void **state)
{
	int fd = memory_file("", 0), end;
	struct stream_writer *w;
	struct buffer bytes;
	struct stream_reader *r;
	struct stream_chunk c;
	struct err err;
	int count = 0;

	assert_int_equal(stream_writer_new(&w, fd), 0);
	for (uint64_t i = 0; i < 300; i++) {
		write_chunk(w, STREAM_SAMPLE, i, 4096);
		if (i % 100 == 99)
			assert_int_equal(stream_write(w, STREAM_DRAIN, i, NULL, 0), 0);
	}
	read_back(fd, &bytes);
	stream_writer_free(w);
	close(fd);

	fd = memory_file(bytes.data, bytes.len - 1);
	assert_int_equal(stream_reader_new(&r, fd, &err), 0);
	while ((end = stream_read(r, &c, &err)) == 1)
		count++;
	assert_int_equal(end, -ENODATA);
	assert_int_equal(count, 202);
	stream_reader_free(r);
	close(fd);
	buffer_release(&bytes);
}

/* However little there is, a second's drains are one frame: a capture killed later leaves all of it. */
static void test_killed_when_quiet(void **state)
{
	const uint64_t second = 1000000000;
	int fd = memory_file("", 0), end;
	struct stream_writer *w;
	struct stream_reader *r;
	struct stream_chunk c;
	struct err err;
	int count = 0;

	assert_int_equal(stream_writer_new(&w, fd), 0);
	assert_int_equal(stream_write(w, STREAM_DRAIN, 50 * second, NULL, 0), 0);
	for (uint64_t i = 1; i <= 25; i++) {
		write_chunk(w, STREAM_SAMPLE, i, 64);
		assert_int_equal(
			stream_write(w, STREAM_DRAIN, 50 * second + i * second / 10, NULL, 0), 0);
	}
	stream_writer_free(w);

	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(stream_reader_new(&r, fd, &err), 0);
	while ((end = stream_read(r, &c, &err)) == 1)
		count++;
	assert_int_equal(end, -ENODATA);
	assert_int_equal(count, 1 + 20 * 2);
	stream_reader_free(r);
	close(fd);
}

/* ---- made by hand ---- */

struct raw_chunk {
	uint32_t kind, len;
	uint64_t key;
};

/* A stream of one frame with that content. */
static int read_raw(const void *content, size_t len, int flags_checksum, struct err *err)
{
	static const char header[HEADER_BYTES] = "slowburn stream\n\1\0\0\0\4\3\2\1";
	size_t bound = ZSTD_compressBound(len), packed;
	char *bytes = malloc(HEADER_BYTES + bound);
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	struct stream_reader *r;
	struct stream_chunk c;
	int fd, e;

	memcpy(bytes, header, sizeof(header));
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, flags_checksum);
	packed = ZSTD_compress2(zstd, bytes + HEADER_BYTES, bound, content, len);
	assert_false(ZSTD_isError(packed));
	fd = memory_file(bytes, HEADER_BYTES + packed);
	assert_int_equal(stream_reader_new(&r, fd, err), 0);
	while ((e = stream_read(r, &c, err)) == 1)
		;
	stream_reader_free(r);
	close(fd);
	ZSTD_freeCCtx(zstd);
	free(bytes);
	return e;
}

static void test_hostile_chunks(void **state)
{
	static const struct {
		const char *name;
		struct raw_chunk chunks[2];
		size_t len;
		int expected;
	} cases[] = {
		{ "an end", { { STREAM_END, 0, 0 } }, 16, 0 },
		{ "an end of another stream", { { STREAM_END, 0, 1 } }, 16, -EINVAL },
		{ "an end with bytes", { { STREAM_END, 8, 0 } }, 24, -EINVAL },
		{ "half a header", { { STREAM_SAMPLE, 0, 0 } }, 8, -ENODATA },
		{ "an unknown kind", { { STREAM_KIND_COUNT, 0, 0 } }, 16, -EINVAL },
		{ "a huge kind", { { UINT32_MAX, 0, 0 } }, 16, -EINVAL },
		{ "the longest chunk, cut",
		  { { STREAM_TEXT, STREAM_MAX_CHUNK_BYTES, 0 } },
		  32,
		  -ENODATA },
		{ "a longer chunk",
		  { { STREAM_TEXT, STREAM_MAX_CHUNK_BYTES + 1, 0 } },
		  32,
		  -EINVAL },
		{ "the longest length", { { STREAM_TEXT, UINT32_MAX, 0 } }, 32, -EINVAL },
		{ "padding that isn't zero", { { STREAM_TEXT, 4, 0 }, { 0, 1, 0 } }, 24, -EINVAL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = { "" };
		int e = read_raw(cases[i].chunks, cases[i].len, 1, &err);

		if (e != cases[i].expected)
			fail_msg("%s: got %d, expected %d (%s)", cases[i].name, e,
				 cases[i].expected, err.text);
	}
}

/* Memory is for one frame of 1 MiB: a larger one is refused, whatever is in it. */
static void test_large_frame(void **state)
{
	size_t len = (1 << 20) + 16;
	char *content = calloc(1, len);
	struct err err;

	assert_int_equal(read_raw(content, len, 1, &err), -EINVAL);
	free(content);
}

static void test_wrong_headers(void **state)
{
	static const char *const headers[] = {
		"slowburn strean\n\1\0\0\0\4\3\2\1",
		"slowburn stream\n\0\0\0\0\4\3\2\1",
		"slowburn stream\n\177\0\0\0\4\3\2\1",
		"slowburn stream\n\1\0\0\0\1\2\3\4",
	};

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		int fd = memory_file(headers[i], HEADER_BYTES);
		struct stream_reader *r = NULL;
		struct err err = { "" };

		assert_int_equal(stream_reader_new(&r, fd, &err), -EINVAL);
		assert_null(r);
		assert_true(strlen(err.text) > 10);
		close(fd);
	}
}

static void test_full_disk(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct stream_writer *w;

	assert_true(fd >= 0);
	assert_int_equal(stream_writer_new(&w, fd), -ENOSPC);
	close(fd);
	stream_writer_free(NULL);
	stream_reader_free(NULL);
}

/* An error sticks until the close tells it. */
static void test_late_error(void **state)
{
	int fd = memory_file("", 0);
	struct stream_writer *w;

	assert_int_equal(stream_writer_new(&w, fd), 0);
	assert_int_equal(stream_write(w, STREAM_DRAIN, 1, NULL, 0), 0);
	close(fd);
	assert_int_equal(stream_writer_close(w), -EBADF);
	stream_writer_free(w);
}

/* ---- without memory ---- */

static int write_something(int fd)
{
	struct stream_writer *w;
	int r;

	r = stream_writer_new(&w, fd);
	if (r < 0)
		return r;
	r = stream_write(w, STREAM_TEXT, 7, "text", 4);
	if (r == 0)
		r = stream_writer_close(w);
	stream_writer_free(w);
	return r;
}

static int read_something(int fd)
{
	struct stream_reader *r;
	struct stream_chunk c;
	int e;

	e = stream_reader_new(&r, fd, NULL);
	if (e < 0)
		return e;
	e = stream_read(r, &c, NULL);
	if (e == 1) {
		assert_memory_equal(c.bytes, "text", 4);
		e = stream_read(r, &c, NULL);
	}
	stream_reader_free(r);
	return e;
}

static int write_and_read(void *ctx)
{
	int fd = memory_file("", 0);
	int r = write_something(fd);

	if (r == 0) {
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		r = read_something(fd);
	}
	close(fd);
	return r;
}

static void test_no_memory(void **state)
{
	assert_true(torture(write_and_read, NULL) >= 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_truncated_everywhere),
		cmocka_unit_test(test_flipped_everywhere),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_killed_when_quiet),
		cmocka_unit_test(test_hostile_chunks),
		cmocka_unit_test(test_large_frame),
		cmocka_unit_test(test_wrong_headers),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_late_error),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
