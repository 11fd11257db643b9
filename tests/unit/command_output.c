// SPDX-License-Identifier: Apache-2.0
#include "profiler/command/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MAX_NAMES 4096

static char home[] = "/tmp/slowburn-output-XXXXXX";

static int enter_home(void **state)
{
	(void)state;
	return mkdtemp(home) && chdir(home) == 0 ? 0 : -1;
}

static int leave_home(void **state)
{
	(void)state;
	return chdir("/") < 0 || rmdir(home) < 0 ? -1 : 0;
}

/* Of the files that are here: those that are empty or hidden. All go. */
static int count_unfinished(int *ret_all)
{
	DIR *d = opendir(".");
	const struct dirent *e;
	int unfinished = 0, all = 0;

	assert_non_null(d);
	while ((e = readdir(d))) {
		struct stat st;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		assert_int_equal(lstat(e->d_name, &st), 0);
		unfinished += st.st_size == 0 || e->d_name[0] == '.';
		all++;
		assert_int_equal(remove(e->d_name), 0);
	}
	closedir(d);
	*ret_all = all;
	return unfinished;
}

static void same_file(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "new", "new", true },
		{ "new", "./new", true },
		{ ".//folder/../new", "new", true },
		{ "folder/new", "link/new", true },
		{ "new", "folder/new", false },
		{ "new", "newer", false },
		{ "nowhere/new", "nowhere/new", false }, /* can't be opened at all */
		{ "old", "./old", true },
		{ "old", "link/../old", true },
		{ "old", "to-old", true },
		{ "old", "older", false },
		{ "old", "new", false },
		{ "old", "folder/old", false },
		{ "fifo", "./fifo", true },
		{ "-", "-", false },
		{ "-", "./-", false },
		{ "./-", "folder/../-", true },
		{ "/dev/null", "/dev/null", false },
		{ "", "new", false },
	};
	int all;

	(void)state;
	assert_int_equal(mkdir("folder", 0700), 0);
	assert_int_equal(symlink("folder", "link"), 0);
	assert_int_equal(symlink("old", "to-old"), 0);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	close(creat("old", 0600));
	close(creat("older", 0600));
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool same = output_same_file(rows[i].a, rows[i].b);

		if (same != rows[i].same || same != output_same_file(rows[i].b, rows[i].a))
			fail_msg("\"%s\" and \"%s\": %d, want %d", rows[i].a, rows[i].b, same,
				 rows[i].same);
	}
	count_unfinished(&all);
}

static void on_signal(int number)
{
	(void)number;
	output_abandon_all();
	_exit(0);
}

/* One file after the other under the name "a" or "a-N", until a signal ends it. */
_Noreturn static void write_files(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGTERM, &action, NULL);
	for (int n = 0; n < MAX_NAMES; n++) {
		struct output o;
		struct err err;
		char name[32];

		snprintf(name, sizeof(name), "%d", n);
		if (output_open_unique(&o, name, &err) < 0 || output_write(&o, "x", 1, &err) < 0 ||
		    output_finish(&o, &err) < 0)
			_exit(1);
		output_release(&o);
	}
	pause();
	_exit(1);
}

/* A signal that ends us at any time leaves whole files only. */
static void abandoned_at_any_time(void **state)
{
	int finished = 0, all;

	(void)state;
	for (int round = 0; round < 300; round++) {
		const struct timespec time = { .tv_nsec = 300000 + round * 7919 % 1000000 };
		pid_t pid = fork();
		int status, unfinished;

		assert_true(pid >= 0);
		if (pid == 0)
			write_files();
		nanosleep(&time, NULL);
		assert_int_equal(kill(pid, SIGTERM), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		unfinished = count_unfinished(&all);
		if (unfinished)
			fail_msg("round %d: %d of %d files are unfinished, status 0x%x", round,
				 unfinished, all, status);
		finished += all;
	}
	assert_true(finished > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_file),
		cmocka_unit_test(abandoned_at_any_time),
	};

	return cmocka_run_group_tests(tests, enter_home, leave_home);
}
