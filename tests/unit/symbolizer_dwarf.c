// SPDX-License-Identifier: Apache-2.0
/*
 * DWARF as this compiler writes it: this very program, in which the test knows where it stands. Other compilers and
 * forms are for `make lines-oracle`.
 */
#include "symbolizer/dwarf_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/lines.h"
#include "symbolizer/lines_shelf.h"
#include "symbolizer/protocol.h"
#include "symbolizer/request.h"

#define MAX_BYTES (256u << 20)

/* Where was it called from? A place within the call instruction. */
static __attribute__((noinline)) uintptr_t here(void)
{
	uintptr_t addr = (uintptr_t)__builtin_return_address(0) - 1;

	__asm__ volatile("" : "+r"(addr));
	return addr;
}

enum { INNER_LINE = __LINE__ + 3 };
static inline __attribute__((always_inline)) uintptr_t inner(void)
{
	uintptr_t addr = here();

	__asm__ volatile("" : "+r"(addr)); /* no tail call */
	return addr;
}

enum { MIDDLE_LINE = __LINE__ + 3 };
static inline __attribute__((always_inline)) uintptr_t middle(void)
{
	return inner() + 1;
}

enum { OUTER_LINE = __LINE__ + 3 };
static __attribute__((noinline)) uintptr_t outer(void)
{
	uintptr_t addr = middle();

	__asm__ volatile("" : "+r"(addr));
	return addr - 1;
}

static int first_object(struct dl_phdr_info *info, size_t size, void *ret)
{
	(void)size;
	*(uintptr_t *)ret = info->dlpi_addr;
	return 1;
}

static uint64_t own_vaddr(uintptr_t addr)
{
	uintptr_t base = 0;

	dl_iterate_phdr(first_object, &base);
	return addr - base;
}

static int open_self(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void test_self(void **state)
{
	_cleanup_(fd_close) int fd = open_self();
	struct buffer image = BUFFER_INIT(1u << 30);
	struct lines_frame frames[LINES_MAX_DEPTH];
	uint32_t lines[] = { INNER_LINE, MIDDLE_LINE, OUTER_LINE };
	const char *names[] = { "inner", "middle", "outer" };
	struct lines x;

	(void)state;
	assert_int_equal(dwarf_walk(fd, -1, MAX_BYTES, &image), 0);
	assert_int_equal(lines_open(&x, image.data, image.len), 0);
	assert_true(x.header->units > 10);
	assert_int_equal(x.header->units_damaged, 0);
	assert_int_equal(lines_find(&x, own_vaddr(outer()), frames, LINES_MAX_DEPTH), 3);
	for (int i = 0; i < 3; i++) {
		const char *file = lines_string(&x, frames[i].file);
		size_t len = strlen(file), tail = strlen("/" __FILE__);

		assert_string_equal(lines_string(&x, frames[i].name), names[i]);
		assert_int_equal(frames[i].line, lines[i]);
		assert_true(len > tail);
		assert_string_equal(file + len - tail, "/" __FILE__);
	}
	buffer_release(&image);
}

/* Made twice, it is the same to the byte; and nothing is kept that isn't the file's. */
static void test_same(void **state)
{
	_cleanup_(fd_close) int fd = open_self();
	struct buffer one = BUFFER_INIT(1u << 30), two = BUFFER_INIT(1u << 30);

	(void)state;
	assert_int_equal(dwarf_walk(fd, -1, MAX_BYTES, &one), 0);
	assert_int_equal(dwarf_walk(fd, -1, MAX_BYTES, &two), 0);
	assert_int_equal(one.len, two.len);
	assert_memory_equal(one.data, two.data, one.len);
	buffer_release(&one);
	buffer_release(&two);
}

static int memory_copy(int from, size_t len)
{
	int fd = memfd_create("copy", MFD_CLOEXEC);
	char bytes[65536];

	assert_true(fd >= 0);
	for (size_t at = 0; at < len;) {
		ssize_t n = pread(from, bytes, len - at < sizeof(bytes) ? len - at : sizeof(bytes),
				  (off_t)at);

		if (n <= 0)
			break;
		assert_int_equal(write(fd, bytes, (size_t)n), n);
		at += (size_t)n;
	}
	return fd;
}

static void test_failures(void **state)
{
	_cleanup_(fd_close) int self = open_self(), none = memory_copy(self, 0);
	_cleanup_(fd_close) int text = open(__FILE__, O_RDONLY | O_CLOEXEC);
	_cleanup_(fd_close) int cut = memory_copy(self, 100000);
	struct buffer image = BUFFER_INIT(1u << 30);

	(void)state;
	assert_int_equal(dwarf_walk(none, -1, MAX_BYTES, &image), -ENOEXEC);
	if (text >= 0)
		assert_int_equal(dwarf_walk(text, -1, MAX_BYTES, &image), -ENOEXEC);
	assert_int_equal(dwarf_walk(cut, -1, MAX_BYTES, &image), -ENODATA);
	assert_int_equal(dwarf_walk(self, -1, 10000, &image), -E2BIG);
	assert_int_equal(image.len, 0);
	buffer_release(&image);
}

/* By way of a request, twice: the second time it is on the shelf. */
static void test_request(void **state)
{
	_cleanup_(fd_close) int fd = open_self();
	struct {
		struct lines_request head;
		uint64_t addresses[2];
	} request = { { 2, 0 }, { 0, own_vaddr(outer()) } };
	struct lines_shelf shelf = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct buffer reply = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);
		struct lines_answers a;
		struct err err;

		assert_int_equal(
			request_answer_lines(&shelf, &request, sizeof(request), &fd, 1, &reply), 0);
		assert_int_equal(lines_check(reply.data, reply.len, 2, &a, &err), 0);
		assert_int_equal(a.reply->status, SYMBOLS_OK);
		assert_int_equal(a.answers[0].count, 0);
		assert_int_equal(a.answers[1].count, 3);
		assert_string_equal(a.strings + a.places[0].name, "inner");
		assert_int_equal(a.places[2].line, OUTER_LINE);
		assert_true(shelf.image.len > 0);
		buffer_release(&reply);
	}
	lines_shelf_release(&shelf);
}

static const struct {
	const char *what;
	struct lines_request head;
	uint64_t addresses[2];
	size_t len;
	uint32_t fds;
	int want;
} requests[] = {
	{ "good", { 2, 0 }, { 1, 1 }, 24, 1, 0 },
	{ "of nothing", { 0, 0 }, { 0 }, 8, 1, 0 },
	{ "with an alternate", { 1, 0 }, { 5 }, 16, 2, 0 },
	{ "descending", { 2, 0 }, { 2, 1 }, 24, 1, -EPROTO },
	{ "no descriptor", { 1, 0 }, { 1 }, 16, 0, -EPROTO },
	{ "a descriptor too many", { 1, 0 }, { 1 }, 16, 3, -EPROTO },
	{ "half a head", { 0, 0 }, { 0 }, 4, 1, -EPROTO },
	{ "an address too few", { 2, 0 }, { 1, 2 }, 16, 1, -EPROTO },
	{ "an address too many", { 1, 0 }, { 1, 2 }, 24, 1, -EPROTO },
	{ "too many", { UINT32_MAX, 0 }, { 1, 2 }, 24, 1, -EPROTO },
};

static void test_requests(void **state)
{
	_cleanup_(fd_close) int self = open_self(), none = memory_copy(self, 0);
	const int fds[] = { none, none, none };

	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct buffer reply = BUFFER_INIT(SYMBOLS_MAX_REPLY_BYTES);
		struct lines_shelf shelf = { 0 };
		struct lines_answers a;
		_Alignas(8) char bytes[24];
		int r;

		memcpy(bytes, &requests[i].head, sizeof(requests[i].head));
		memcpy(bytes + 8, requests[i].addresses, 16);
		r = request_answer_lines(&shelf, bytes, requests[i].len, fds, requests[i].fds,
					 &reply);
		if (r != requests[i].want)
			fail_msg("%s: %d, not %d", requests[i].what, r, requests[i].want);
		if (r == 0) {
			assert_int_equal(lines_check(reply.data, reply.len, requests[i].head.count,
						     &a, NULL),
					 0);
			assert_int_equal(a.reply->status, SYMBOLS_NOT_ELF);
		}
		lines_shelf_release(&shelf);
		buffer_release(&reply);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_self),     cmocka_unit_test(test_same),
		cmocka_unit_test(test_failures), cmocka_unit_test(test_request),
		cmocka_unit_test(test_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
