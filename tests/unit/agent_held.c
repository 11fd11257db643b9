// SPDX-License-Identifier: Apache-2.0
/*
 * More files than may be held: the coldest goes, and its descriptors with it.
 */
#include "profiler/agent/held.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define FILES (HELD_MAX + 4)

static int null_open(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static struct held_file file_make(uint32_t file)
{
	return (struct held_file){ .file = file,
				   .fd = null_open(),
				   .lines = { .dwarf = null_open(), .alternate = null_open() } };
}

static void the_coldest_goes(void **state)
{
	struct held h = { .count = 0 };
	struct counters counters = { 0 };
	uint64_t heat[FILES];
	struct held_file first = file_make(7), cold;

	(void)state;
	for (uint32_t i = 0; i < FILES; i++)
		heat[i] = 100 + i;
	heat[7] = 5;
	held_add(&h, &first, heat, &counters);
	for (uint32_t i = 10; h.count < HELD_MAX; i++) {
		struct held_file f = file_make(i % FILES == 7 ? 8 : i % FILES);

		held_add(&h, &f, heat, &counters);
	}
	assert_int_equal(counter_get(&counters, COUNTER_LINES_LET_GO), 0);

	/* The new one is colder than all of them. */
	heat[8] = 1;
	cold = file_make(8);
	held_add(&h, &cold, heat, &counters);
	assert_int_equal(counter_get(&counters, COUNTER_LINES_LET_GO), 1);
	assert_false(is_open(cold.fd) || is_open(cold.lines.dwarf) ||
		     is_open(cold.lines.alternate));
	assert_non_null(held_find(&h, 7));

	/* It is not. */
	heat[9] = 50;
	cold = file_make(9);
	held_add(&h, &cold, heat, &counters);
	assert_int_equal(counter_get(&counters, COUNTER_LINES_LET_GO), 2);
	assert_null(held_find(&h, 7));
	assert_false(is_open(first.fd));
	assert_int_equal(held_find(&h, 9)->fd, cold.fd);
	assert_true(is_open(cold.fd));
	held_release(&h);
	assert_false(is_open(cold.fd));
	assert_int_equal(h.count, 0);
}

/* On another file system it is in somebody's way, or could be; and without a name it takes room on a disk. */
static void what_may_be_held(void **state)
{
	int root = open("/", O_RDONLY | O_CLOEXEC),
	    proc = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	int memory = memfd_create("held", MFD_CLOEXEC);
	struct counters counters = { 0 };
	struct held_file file;
	struct held h;

	(void)state;
	held_init(&h);
	assert_true(held_allows(&h, root));
	assert_false(held_allows(&h, proc));
	assert_false(held_allows(&h, memory));

	file = (struct held_file){ .file = 1, .fd = root, .lines = LINE_FILES_NONE };
	held_add(&h, &file, (const uint64_t[]){ 0, 1, 2 }, &counters);
	file = (struct held_file){ .file = 2, .fd = memory, .lines = LINE_FILES_NONE };
	held_add(&h, &file, (const uint64_t[]){ 0, 1, 2 }, &counters);
	held_review(&h, &counters);
	assert_non_null(held_find(&h, 1));
	assert_null(held_find(&h, 2));
	assert_false(is_open(memory));
	assert_int_equal(counter_get(&counters, COUNTER_LINES_LET_GO), 1);
	held_release(&h);
	close(proc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_coldest_goes),
		cmocka_unit_test(what_may_be_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
