// SPDX-License-Identifier: Apache-2.0
/*
 * A root with a dpkg of its own, entered by a child: lists as dpkg writes them, and what may be in their place.
 */
#include "profiler/process/package.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define TEMPLATE "/tmp/packages-XXXXXX"

static char root[] = TEMPLATE;

static void put(const char *name, const char *text)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/var/lib/dpkg/info/%s", root, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void make_folders(void)
{
	static const char *const folders[] = { "/var", "/var/lib", "/var/lib/dpkg",
					       "/var/lib/dpkg/info" };
	char path[512];

	for (size_t i = 0; i < COUNT(folders); i++) {
		snprintf(path, sizeof(path), "%s%s", root, folders[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
}

/* A process whose root that is, until it is killed. */
static pid_t enter(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (chroot(root) == 0 && write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void leave(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int setup(void **state)
{
	(void)state;
	if (geteuid() != 0)
		return 0;
	memcpy(root, TEMPLATE, sizeof(root));
	assert_non_null(mkdtemp(root));
	make_folders();
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	return geteuid() != 0 ? 0 : nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void test_names(void **state)
{
	static const char *const paths[] = { "/usr/bin/tool",       "/usr/lib/libone.so.1",
					     "/lib/libone.so.1",    "/usr/lib/nobodys.so",
					     "/opt/with space/bin", "/usr/share/doc",
					     "/usr/lib/libtwo.so",  "/usr/bin/tool" };
	struct buffer out = BUFFER_INIT(1 << 20);
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	put("tool.list", "/.\n/usr\n/usr/bin\n/usr/bin/tool\n/opt/with space/bin\n");
	put("libone1:amd64.list", "/.\n/lib/libone.so.1\n");
	put("libtwo-2.0+x.list", "/usr/lib/libtwo.so"); /* no newline at its end */
	put("tool.md5sums", "/usr/lib/nobodys.so\n");
	put("Bad_Name.list", "/usr/lib/nobodys.so\n");
	put(".list", "/usr/lib/nobodys.so\n");
	pid = enter();
	assert_int_equal(packages_find((uint32_t)pid, paths, COUNT(paths), &out), 0);
	assert_string_equal(buffer_cstr(&out), "tool\nlibone1\nlibone1\n\ntool\n\n\ntool\n");
	buffer_release(&out);
	leave(pid);
}

static void test_hostile(void **state)
{
	static const char *const paths[] = { "/etc/passwd", "/usr/bin/x", "/usr/bin/y" };
	struct buffer out = BUFFER_INIT(1 << 20);
	char path[512], *line = malloc(200001);
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(line);
	snprintf(path, sizeof(path), "%s/var/lib/dpkg/info/fifo.list", root);
	assert_int_equal(mkfifo(path, 0644), 0);
	snprintf(path, sizeof(path), "%s/var/lib/dpkg/info/link.list", root);
	assert_int_equal(symlink("/var/lib/dpkg/info/long.list", path), 0);
	snprintf(path, sizeof(path), "%s/var/lib/dpkg/info/folder.list", root);
	assert_int_equal(mkdir(path, 0755), 0);
	/* A line that is longer than what is looked at, and ends as a path does. */
	memset(line, '/', 200000);
	memcpy(line + 200000 - 11, "/usr/bin/y\n", 11);
	line[200000] = '\0';
	put("long.list", line);
	snprintf(path, sizeof(path), "%s/var/lib/dpkg/info/long.list", root);
	{
		FILE *file = fopen(path, "ae");

		assert_non_null(file);
		fputs("/usr/bin/x\n", file);
		fclose(file);
	}
	/* A terabyte of nothing. */
	put("huge.list", "/etc/passwd\n");
	snprintf(path, sizeof(path), "%s/var/lib/dpkg/info/huge.list", root);
	pid = enter();
	assert_int_equal(packages_find((uint32_t)pid, paths, COUNT(paths), &out), 0);
	assert_string_equal(buffer_cstr(&out), "huge\nlong\n\n");
	buffer_clear(&out);
	assert_int_equal(truncate(path, (off_t)1 << 40), 0);
	assert_int_equal(packages_find((uint32_t)pid, paths, COUNT(paths), &out), 0);
	buffer_release(&out);
	free(line);
	leave(pid);
}

static void test_none(void **state)
{
	static const char *const path = "/usr/bin/x";
	struct buffer out = BUFFER_INIT(1 << 20);
	char folder[512];
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	/* Out of the root, by a link: in it there is no such folder. */
	snprintf(folder, sizeof(folder), "%s/var/lib/dpkg/info", root);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(symlink("/proc/self/root/var/lib/dpkg/info", folder), 0);
	pid = enter();
	assert_int_equal(packages_find((uint32_t)pid, &path, 1, &out), -ENOENT);
	leave(pid);
	assert_int_equal(packages_find(4194305, &path, 1, &out), -ENOENT);
	assert_int_equal(packages_find((uint32_t)getpid(), &path, PACKAGE_MAX_PATHS + 1, &out),
			 -E2BIG);
	assert_int_equal(out.len, 0);
	buffer_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_none, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
