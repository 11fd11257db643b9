// SPDX-License-Identifier: Apache-2.0
/*
 * Our own perf map, and what may stand in its place.
 */
#include "profiler/process/perfmap.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/buffer.h"
#include "profiler/base/clock.h"
#include "profiler/process/source.h"
#include "profiler/process/stat.h"

#define NOBODY 12345

static char path[64], other[80];

static uint64_t own_start_ns(void)
{
	struct buffer text = BUFFER_INIT(16384);
	uint64_t ticks;

	assert_int_equal(
		process_source_live.read(NULL, PROCESS_TEXT_STAT, (uint32_t)getpid(), &text), 0);
	assert_int_equal(stat_start_parse(text.data, text.len, &ticks), 0);
	buffer_release(&text);
	return ticks * (NS_PER_S / 100);
}

static void clear(void)
{
	unlink(path);
	rmdir(path);
	unlink(other);
}

static int setup(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	snprintf(other, sizeof(other), "%s.other", path);
	clear();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	clear();
	return 0;
}

static void make_file(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, "1000 8 a\n", 9), 0);
	close(fd);
}

/* What opening gives; a descriptor is looked at. */
static int try(uint64_t start_ns)
{
	char text[16] = "";
	int fd = -1, r = perfmap_open((uint32_t)getpid(), start_ns, &fd);

	if (r < 0) {
		assert_int_equal(fd, -1);
		return r;
	}
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(read(fd, text, sizeof(text) - 1), 9);
	assert_string_equal(text, "1000 8 a\n");
	close(fd);
	return r;
}

static void test_own(void **state)
{
	uint64_t start_ns = own_start_ns();
	int fd = -1;

	(void)state;
	assert_int_equal(try(start_ns), -ENOENT);
	make_file(path);
	assert_int_equal(try(start_ns), 0);
	/* another process of this pid */
	assert_int_equal(try(start_ns + NS_PER_S), -ESRCH);
	assert_int_equal(perfmap_open(4194305, start_ns, &fd), -ESRCH);
}

/* The last one of this pid left it behind: it is none, until we write to it. */
static void test_left_behind(void **state)
{
	uint64_t start_ns = own_start_ns();
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_NOW } };

	(void)state;
	make_file(path);
	times[1] = (struct timespec){ .tv_sec = time(NULL) - 3600 };
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	assert_int_equal(try(start_ns), -ESTALE);
	times[1] = (struct timespec){ .tv_nsec = UTIME_NOW };
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	assert_int_equal(try(start_ns), 0);
}

static void test_stand_ins(void **state)
{
	uint64_t start_ns = own_start_ns();

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(try(start_ns), -EINVAL);
	clear();
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(try(start_ns), -EINVAL);
	clear();
	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_int_equal(try(start_ns), -ELOOP);
	clear();
	make_file(other);
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(try(start_ns), -ELOOP);
	unlink(path);
	assert_int_equal(link(other, path), 0);
	assert_int_equal(try(start_ns), -EPERM);
	unlink(other);
	assert_int_equal(try(start_ns), 0);
}

static void test_owners(void **state)
{
	uint64_t start_ns = own_start_ns();
	pid_t child;
	int status;

	(void)state;
	if (geteuid() != 0)
		skip();
	make_file(path);
	assert_int_equal(chown(path, NOBODY, NOBODY), 0);
	assert_int_equal(try(start_ns), -EPERM);
	/* It is a user's who is this process now; and so is root's. */
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		char own[64];
		int fd = -1, r = 1;

		snprintf(own, sizeof(own), "/tmp/perf-%d.map", (int)getpid());
		if (rename(path, own) == 0 && setresuid(NOBODY, NOBODY, 0) == 0) {
			uint64_t child_ns = own_start_ns();

			r = perfmap_open((uint32_t)getpid(), child_ns, &fd);
			if (seteuid(0) == 0 && chown(own, 0, 0) == 0 && chmod(own, 0644) == 0 &&
			    seteuid(NOBODY) == 0 && r == 0)
				r = perfmap_open((uint32_t)getpid(), child_ns, &fd);
			if (seteuid(0) == 0)
				unlink(own);
		}
		_exit(r == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_own, setup, teardown),
		cmocka_unit_test_setup_teardown(test_left_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stand_ins, setup, teardown),
		cmocka_unit_test_setup_teardown(test_owners, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
