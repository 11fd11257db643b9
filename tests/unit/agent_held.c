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

#include "profiler/base/clock.h"

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

/* On a file system that is neither that of / nor that of /usr. */
#define OTHER "/dev/shm/slowburn-test-held-other"
#define ENDED "/dev/shm/slowburn-test-held-ended"

static int path_open(void *ctx, const struct file_place *place, int *ret_fd)
{
	(void)ctx;
	*ret_fd = open(place->path, O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

static struct file_table *table_make(struct counters *counters)
{
	static const struct process_source source = { .open = path_open };
	struct file_table *t;

	assert_int_equal(file_table_new(&t, &source, counters, 8, 8), 0);
	return t;
}

static void the_coldest_goes(void **state)
{
	struct counters counters = { 0 };
	struct held h = { .counters = &counters };
	uint64_t heat[FILES];
	struct held_file first = file_make(7), cold;

	(void)state;
	for (uint32_t i = 0; i < FILES; i++)
		heat[i] = 100 + i;
	heat[7] = 5;
	held_add(&h, &first, heat);
	for (uint32_t i = 10; h.count < HELD_MAX; i++) {
		struct held_file f = file_make(i % FILES == 7 ? 8 : i % FILES);

		held_add(&h, &f, heat);
	}
	assert_int_equal(counter_get(&counters, COUNTER_LINES_LET_GO), 0);

	/* The new one is colder than all of them. */
	heat[8] = 1;
	cold = file_make(8);
	held_add(&h, &cold, heat);
	assert_int_equal(counter_get(&counters, COUNTER_LINES_LET_GO), 1);
	assert_false(is_open(cold.fd) || is_open(cold.lines.dwarf) ||
		     is_open(cold.lines.alternate));
	assert_non_null(held_find(&h, 7));

	/* It is not. */
	heat[9] = 50;
	cold = file_make(9);
	held_add(&h, &cold, heat);
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
	struct file_table *table = table_make(&counters);
	struct held_file file;
	struct held h;

	(void)state;
	held_init(&h, table, &counters);
	assert_true(held_allows(&h, root));
	assert_false(held_allows(&h, proc));
	assert_false(held_allows(&h, memory));

	file = (struct held_file){ .file = 1, .fd = root, .lines = LINE_FILES_NONE };
	held_add(&h, &file, NULL);
	file = (struct held_file){ .file = 2, .fd = memory, .lines = LINE_FILES_NONE };
	held_add(&h, &file, NULL);
	held_review(&h, 0);
	assert_non_null(held_find(&h, 1));
	assert_null(held_find(&h, 2));
	assert_false(is_open(memory));
	assert_int_equal(counter_get(&counters, COUNTER_LINES_LET_GO), 1);
	held_release(&h);
	file_table_free(table);
	close(proc);
}

/* A container's program that has ended, and another one of it: as long as that is mapped, no longer. */
static void while_its_file_system_is_used(void **state)
{
	struct counters counters = { 0 };
	struct file_table *table = table_make(&counters);
	struct file_place place = { .pid = 1, .path = OTHER, .ino = 2 };
	uint64_t root = ROOT_UNASKED;
	struct held_file file;
	struct held h;
	int other = open(OTHER, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	file = (struct held_file){ .fd = open(ENDED, O_RDWR | O_CREAT | O_CLOEXEC, 0600),
				   .lines = LINE_FILES_NONE };
	assert_true(other >= 0 && file.fd >= 0);
	held_init(&h, table, NULL);
	file_table_stale(table, NS_PER_S);
	assert_false(held_allows(&h, file.fd));
	assert_int_equal(file_table_intern(table, &place, &root), 0);
	file_table_mapped(table, 0, 2 * NS_PER_S);
	file_table_stale(table, 2 * NS_PER_S);
	assert_false(held_allows(&h, file.fd)); /* nobody has opened it: who knows where it is? */

	assert_int_equal(file_table_pin(table, 0, &place, &root), 0);
	file_table_mapped(table, 0, 3 * NS_PER_S);
	file_table_stale(table, 3 * NS_PER_S);
	assert_true(held_allows(&h, file.fd));
	held_add(&h, &file, NULL);
	held_review(&h, 0);
	assert_true(is_open(file.fd));
	file_table_stale(table, 4 * NS_PER_S);
	held_review(&h, 0);
	assert_false(is_open(file.fd));
	assert_int_equal(h.count, 0);

	file_table_free(table);
	close(other);
	unlink(OTHER);
	unlink(ENDED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_coldest_goes),
		cmocka_unit_test(what_may_be_held),
		cmocka_unit_test(while_its_file_system_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
