// SPDX-License-Identifier: Apache-2.0
/*
 * The search table of .eh_frame_hdr, made by hand. (What linkers make: tests/workload/sizeless.c.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/buffer.h"
#include "symbolizer/elf_frames.h"

#define VADDR 0x10000

struct table {
	uint8_t forms[4];
	int32_t frames;
	uint32_t count;
	struct {
		int32_t start, frame;
	} entries[4];
};

/* Starts at VADDR + 0x100, + 0x200, + 0x300 and, below the table, VADDR - 0x80; sorted. */
static const struct table good = {
	.forms = { 1, 0x1b, 0x03, 0x3b },
	.count = 4,
	.entries = { { -0x80, 0 }, { 0x100, 0 }, { 0x200, 0 }, { 0x300, 0 } },
};

/* Asks it of a file that holds `t` behind 8 other bytes. */
static uint64_t next_in(const struct table *t, size_t bytes, uint64_t vaddr, uint64_t limit)
{
	struct elf_file f = { .fd = memfd_create("frames", MFD_CLOEXEC) };
	uint64_t next;

	assert_true(f.fd >= 0);
	assert_int_equal(fd_write_all(f.fd, "01234567", 8), 0);
	assert_int_equal(fd_write_all(f.fd, t, bytes), 0);
	f.size = 8 + bytes;
	f.frames_index = (struct elf_place){ .offset = 8, .bytes = sizeof(*t), .vaddr = VADDR };
	next = elf_frames_next(&f, vaddr, limit);
	close(f.fd);
	return next;
}

static void test_next(void **state)
{
	static const struct {
		uint64_t vaddr, limit, next;
	} cases[] = {
		{ VADDR - 0x81, 0x20000, VADDR - 0x80 },
		{ VADDR - 0x80, 0x20000, VADDR + 0x100 },
		{ VADDR + 0xff, 0x20000, VADDR + 0x100 },
		{ VADDR + 0x100, 0x20000, VADDR + 0x200 },
		{ VADDR + 0x101, 0x20000, VADDR + 0x200 },
		{ VADDR + 0x100, VADDR + 0x1ff, VADDR + 0x1ff },
		{ VADDR + 0x2ff, 0x20000, VADDR + 0x300 },
		{ VADDR + 0x300, 0x20000, 0x20000 },
		{ UINT64_MAX - 1, UINT64_MAX, UINT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t next = next_in(&good, sizeof(good), cases[i].vaddr, cases[i].limit);

		if (next != cases[i].next)
			fail_msg("behind 0x%lx: is 0x%lx, should be 0x%lx", cases[i].vaddr, next,
				 cases[i].next);
	}
}

static void test_no_table_that_we_read(void **state)
{
	struct table odd = good;

	(void)state;
	for (size_t i = 0; i < sizeof(odd.forms); i++) {
		odd = good;
		odd.forms[i] ^= 0x80;
		assert_int_equal(next_in(&odd, sizeof(odd), VADDR, 0x20000), 0x20000);
	}
	odd = good;
	odd.count = 5; /* one more than there is room for */
	assert_int_equal(next_in(&odd, sizeof(odd), VADDR, 0x20000), 0x20000);
	odd.count = 0;
	assert_int_equal(next_in(&odd, sizeof(odd), VADDR, 0x20000), 0x20000);
	/* A file that ends within the header, within the table. */
	assert_int_equal(next_in(&good, 11, VADDR, 0x20000), 0x20000);
	assert_int_equal(next_in(&good, 20, VADDR + 0x250, 0x20000), 0x20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_no_table_that_we_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
