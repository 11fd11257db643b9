// SPDX-License-Identifier: Apache-2.0
/*
 * Indexes that come with a request, and those that are written: this program's own. What is good is used, what isn't is
 * as if it hadn't come; the answer is the same.
 */
#include "symbolizer/lines_shelf.h"

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
#include <sys/resource.h>
#include <signal.h>
#include <unistd.h>

#include <cmocka.h>
#include <xxhash.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/protocol.h"
#include "symbolizer/request.h"

#define ADDRESSES 2000u
#define CHECKED_FROM (offsetof(struct lines_header, checksum) + sizeof(uint64_t))

struct answer {
	struct buffer bytes;
	struct lines_answers lines;
};

/* What a request brings beside this program. */
struct brought {
	int index, room; /* -1 */
};

static int self = -1;

static void answer_release(struct answer *a)
{
	buffer_release(&a->bytes);
}

static void ask(struct lines_shelf *shelf, const struct brought *with, struct answer *ret)
{
	static struct {
		struct lines_request head;
		uint64_t addresses[ADDRESSES];
	} request;
	int fds[4] = { self };
	uint32_t count = 1;

	request.head = (struct lines_request){ .count = ADDRESSES };
	if (with->index >= 0) {
		request.head.with |= LINES_WITH_INDEX;
		fds[count++] = with->index;
	}
	if (with->room >= 0) {
		request.head.with |= LINES_WITH_ROOM;
		fds[count++] = with->room;
	}
	for (uint32_t i = 0; i < ADDRESSES; i++)
		request.addresses[i] = 0x1000 + i * 64ull;
	buffer_init(&ret->bytes, SYMBOLS_MAX_REPLY_BYTES);
	assert_int_equal(
		request_answer_lines(shelf, &request, sizeof(request), fds, count, &ret->bytes), 0);
	assert_int_equal(lines_check(ret->bytes.data, ret->bytes.len, ADDRESSES, &ret->lines, NULL),
			 0);
	assert_int_equal(ret->lines.reply->status, SYMBOLS_OK);
}

/* Of a new process: its flags, and whether all else is as in `want`. */
static uint32_t flags_of(const struct brought *with, const struct answer *want)
{
	struct lines_shelf shelf = { 0 };
	struct answer a;
	uint32_t flags;

	ask(&shelf, with, &a);
	flags = a.lines.reply->flags & ~LINES_OF_FILE;
	if (want) {
		const size_t head = sizeof(struct lines_reply);

		assert_int_equal(a.bytes.len, want->bytes.len);
		assert_memory_equal(a.bytes.data + head, want->bytes.data + head,
				    a.bytes.len - head);
		assert_int_equal(a.lines.reply->flags & LINES_OF_FILE,
				 want->lines.reply->flags & LINES_OF_FILE);
		assert_int_equal(a.lines.reply->units, want->lines.reply->units);
	}
	answer_release(&a);
	lines_shelf_release(&shelf);
	return flags;
}

static int room_new(void)
{
	int fd = memfd_create("room", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int memory_with(const void *bytes, size_t len)
{
	int fd = room_new();

	assert_int_equal(fd_write_all(fd, bytes, len), 0);
	return fd;
}

/* The index that is written, and the answer by it. */
static void index_made(struct buffer *ret_image, struct answer *ret)
{
	_cleanup_(fd_close) int room = room_new();
	const struct brought with = { -1, room };
	struct lines_shelf shelf = { 0 };

	ask(&shelf, &with, ret);
	assert_int_equal(ret->lines.reply->flags & ~LINES_OF_FILE,
			 LINES_INDEX_MADE | LINES_INDEX_WRITTEN);
	lines_shelf_release(&shelf);
	buffer_init(ret_image, LINES_MAX_KEPT_BYTES);
	assert_int_equal(lseek(room, 0, SEEK_SET), 0);
	assert_int_equal(buffer_read_fd(ret_image, room), 0);
	assert_true(ret_image->len > 1000);
}

static void test_used(void **state)
{
	struct lines_shelf shelf = { 0 };
	struct brought with = { -1, -1 };
	struct buffer image;
	struct answer want, again;

	(void)state;
	index_made(&image, &want);
	assert_int_equal(flags_of(&with, &want), LINES_INDEX_MADE); /* no room */
	with.index = memory_with(image.data, image.len);
	assert_int_equal(flags_of(&with, &want), LINES_INDEX_USED);
	with.room = room_new();
	assert_int_equal(flags_of(&with, &want), LINES_INDEX_USED);
	assert_int_equal(lseek(with.room, 0, SEEK_END), 0); /* nothing was written */
	/* What is on the shelf is used, whatever comes. */
	ask(&shelf, &with, &again);
	answer_release(&again);
	ask(&shelf, &with, &again);
	assert_int_equal(again.lines.reply->flags & ~LINES_OF_FILE, 0);
	answer_release(&again);
	lines_shelf_release(&shelf);
	close(with.index);
	close(with.room);
	buffer_release(&image);
	answer_release(&want);
}

/* One byte anywhere, one byte less or more: it is made anew, and written. */
static void test_damaged(void **state)
{
	struct buffer image;
	struct answer want;

	(void)state;
	index_made(&image, &want);
	srand(1); // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
	for (int i = 0; i < 60; i++) {
		size_t at = i < 20 ? (size_t)i * 7 : (size_t)rand() % image.len;
		struct brought with = { -1, room_new() };
		size_t len = image.len;

		image.data[at] ^= 1;
		if (i % 10 == 9) {
			image.data[at] ^= 1;
			len = at;
		}
		with.index = memory_with(image.data, len);
		if (flags_of(&with, &want) !=
		    (LINES_INDEX_BAD | LINES_INDEX_MADE | LINES_INDEX_WRITTEN))
			fail_msg("byte %zu of %zu was changed, and it was used", at, len);
		assert_int_equal(lseek(with.room, 0, SEEK_END), image.len);
		if (i % 10 != 9)
			image.data[at] ^= 1;
		close(with.index);
		close(with.room);
	}
	buffer_release(&image);
	answer_release(&want);
}

static void sum_make(struct buffer *image)
{
	uint64_t sum = XXH3_64bits(image->data + CHECKED_FROM, image->len - CHECKED_FROM);

	memcpy(image->data + offsetof(struct lines_header, checksum), &sum, sizeof(sum));
}

/* Whole, but another file's. */
static void test_foreign(void **state)
{
	struct brought with = { -1, -1 };
	struct lines_header *h;
	struct buffer image;
	struct answer want;

	(void)state;
	index_made(&image, &want);
	h = (struct lines_header *)image.data;
	if (!h->build_id_bytes) {
		buffer_release(&image);
		answer_release(&want);
		skip();
	}
	h->build_id[0] ^= 1;
	sum_make(&image);
	with.index = memory_with(image.data, image.len);
	assert_int_equal(flags_of(&with, &want), LINES_INDEX_BAD | LINES_INDEX_MADE);
	close(with.index);
	h->build_id[0] ^= 1;
	h->build_id_bytes--;
	sum_make(&image);
	with.index = memory_with(image.data, image.len);
	assert_int_equal(flags_of(&with, &want), LINES_INDEX_BAD | LINES_INDEX_MADE);
	close(with.index);
	buffer_release(&image);
	answer_release(&want);
}

/* Descriptors that are nothing like an index. */
static void test_nonsense(void **state)
{
	const int nothing[] = {
		open("/proc/self/maps", O_RDONLY | O_CLOEXEC),
		open("/dev/zero", O_RDONLY | O_CLOEXEC),
		open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		open("/dev/null", O_WRONLY | O_CLOEXEC),
		room_new(),
		room_new(),
		dup(self),
	};
	struct buffer image;
	struct answer want;

	(void)state;
	index_made(&image, &want);
	assert_int_equal(ftruncate(nothing[5], (off_t)LINES_MAX_KEPT_BYTES + 1), 0);
	for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
		const struct brought with = { nothing[i], -1 };

		if (flags_of(&with, &want) != (LINES_INDEX_BAD | LINES_INDEX_MADE))
			fail_msg("descriptor %zu was used", i);
		close(nothing[i]);
	}
	buffer_release(&image);
	answer_release(&want);
}

/* Without room for all of it, it is made and used all the same. */
static void test_no_room(void **state)
{
	const struct rlimit small = { 1000, RLIM_INFINITY }, any = { RLIM_INFINITY, RLIM_INFINITY };
	_cleanup_(fd_close) int read_only = open("/dev/null", O_RDONLY | O_CLOEXEC);
	_cleanup_(fd_close) int room = room_new();
	struct brought with = { -1, read_only };
	struct buffer image;
	struct answer want;

	(void)state;
	index_made(&image, &want);
	assert_int_equal(flags_of(&with, &want), LINES_INDEX_MADE);
	with.room = room;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(flags_of(&with, &want), LINES_INDEX_MADE);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &any), 0);
	buffer_release(&image);
	answer_release(&want);
}

/* By somebody who makes the checksum right: whatever it says, the reply passes the check. */
static void test_forged(void **state)
{
	uint32_t used = 0, tried = 0;
	struct buffer image;
	struct answer want;

	(void)state;
	index_made(&image, &want);
	srand(2); // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
	for (int i = 0; i < 400; i++) {
		size_t from = i < 100 ? CHECKED_FROM : sizeof(struct lines_header);
		size_t most = i < 100 ? sizeof(struct lines_header) : image.len;
		size_t at = from + (size_t)rand() % (most - from), len = 1 + (size_t)rand() % 8;
		struct brought with = { -1, -1 };
		char was[8];

		if (len > image.len - at)
			len = image.len - at;
		memcpy(was, image.data + at, len);
		memset(image.data + at, i % 2 ? 0xff : 0x80 + i % 7, len);
		sum_make(&image);
		with.index = memory_with(image.data, image.len);
		used += flags_of(&with, NULL) == LINES_INDEX_USED;
		tried++;
		close(with.index);
		memcpy(image.data + at, was, len);
	}
	assert_true(used > tried / 2);
	buffer_release(&image);
	answer_release(&want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_used),    cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_foreign), cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_no_room), cmocka_unit_test(test_forged),
	};

	self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	return self < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
