// SPDX-License-Identifier: Apache-2.0
/*
 * Names need nobody; that files are found in the root of a process, and nowhere else, needs root: a child has another one
 * there.
 */
#include "profiler/process/debug_file.h"

#include <errno.h>
#include <fcntl.h>
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

#include "profiler/base/buffer.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const uint8_t id[] = { 0xab, 0xcd, 0xef, 0x01 };
#define BY_ID "/usr/lib/debug/.build-id/ab/cdef01.debug"

/* ---- names ---- */

static const struct {
	const char *path, *name;
	uint32_t id_bytes;
	bool alternate;
	const char *want; /* joined by spaces; "-": none with that number */
} names[] = {
	{ "/usr/bin/a", "a.debug", 4, false,
	  BY_ID " /usr/bin/a.debug /usr/bin/.debug/a.debug /usr/lib/debug/usr/bin/a.debug" },
	{ "/a", "a.debug", 4, false, BY_ID " /a.debug /.debug/a.debug /usr/lib/debug/a.debug" },
	{ "/usr/bin/a", "a.debug", 0, false,
	  "- /usr/bin/a.debug /usr/bin/.debug/a.debug /usr/lib/debug/usr/bin/a.debug" },
	{ "/usr/bin/a", "", 4, false, BY_ID " - - -" },
	{ "/usr/bin/a", "", 2, false, "/usr/lib/debug/.build-id/ab/cd.debug - - -" },
	{ "/usr/bin/a", "", 1, false, "- - - -" },
	{ "/usr/bin/a", "", 0, false, "- - - -" },
	{ "/usr/bin/a", "/usr/lib/debug/.dwz/x/a.debug", 4, true,
	  BY_ID " /usr/lib/debug/.dwz/x/a.debug - -" },
	{ "/usr/bin/a", "../../.dwz/a", 4, true, BY_ID " /usr/lib/debug/.dwz/a - -" },
	{ "/usr/bin/a", ".dwz/a", 4, true, BY_ID " /usr/lib/debug/.dwz/a - -" },
	{ "/usr/bin/a", "/etc/shadow", 4, true, BY_ID " - - -" },
	{ "/usr/bin/a", "/usr/lib/debug/../../etc/shadow", 4, true, BY_ID " - - -" },
	{ "/usr/bin/a", "/usr/lib/debug/a/..", 4, true, BY_ID " - - -" },
	{ "/usr/bin/a", "a/../../b", 4, true, BY_ID " - - -" },
	{ "/usr/bin/a", "../..", 4, true, BY_ID " - - -" },
	{ "/usr/bin/a", "..//etc/shadow", 4, true, BY_ID " - - -" },
	{ "/usr/bin/a", "/usr/lib/debugger/a", 4, true, BY_ID " - - -" },
	{ "/usr/bin/a", "a..b", 4, true, BY_ID " /usr/lib/debug/a..b - -" },
};

static void names_in_a_root(void **state)
{
	for (size_t i = 0; i < COUNT(names); i++) {
		const struct debug_place p = { .path = names[i].path,
					       .build_id = id,
					       .build_id_bytes = names[i].id_bytes,
					       .name = names[i].name,
					       .alternate = names[i].alternate };
		char got[1000] = "", name[300];
		size_t len = 0;

		for (uint32_t n = 0; n < DEBUG_FILE_NAMES; n++)
			len += (size_t)snprintf(got + len, sizeof(got) - len, "%s%s", n ? " " : "",
						debug_place_name(&p, n, name, sizeof(name)) ? name
											    : "-");
		assert_string_equal(got, names[i].want);
		assert_false(debug_place_name(&p, DEBUG_FILE_NAMES, name, sizeof(name)));
	}
}

static void a_name_that_is_too_long_is_none(void **state)
{
	const struct debug_place p = {
		.path = "/a", .build_id = id, .build_id_bytes = sizeof(id), .name = ""
	};
	char name[100];

	assert_true(debug_place_name(&p, 0, name, sizeof(BY_ID)));
	assert_false(debug_place_name(&p, 0, name, sizeof(BY_ID) - 1));
}

static const struct {
	const char *path, *name;
	uint32_t id_bytes;
	bool alternate, sound;
} places[] = {
	{ "/a", "a.debug", 20, false, true }, { "/a", "", 64, false, true },
	{ "/a", "", 65, false, false },       { "a", "", 4, false, false },
	{ "", "", 4, false, false },          { "/a", "a/b", 4, false, false },
	{ "/a", "/b", 4, false, false },      { "/a", "..", 4, false, false },
	{ "/a", ".", 4, false, false },       { "/a", "...", 4, false, true },
	{ "/a", "/a/b", 4, true, true },
};

static void what_a_sound_place_is(void **state)
{
	for (size_t i = 0; i < COUNT(places); i++) {
		const struct debug_place p = { .path = places[i].path,
					       .build_id = id,
					       .build_id_bytes = places[i].id_bytes,
					       .name = places[i].name,
					       .alternate = places[i].alternate };

		if (debug_place_is_sound(&p) != places[i].sound)
			fail_msg("\"%s\" \"%s\" %u: want %d", p.path, p.name, p.build_id_bytes,
				 places[i].sound);
	}
}

/* ---- files ---- */

struct roots {
	char folder[64]; /* the root of `pid`; empty: we are not root */
	pid_t pid;
};

static void make_folders(const char *path)
{
	char part[300];

	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		assert_true(mkdir(part, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
}

/* A file of that text in the child's root. */
static void put(const struct roots *r, const char *name, const char *text)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s%s", r->folder, name);
	make_folders(path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static int setup(void **state)
{
	struct roots *r = calloc(1, sizeof(*r));
	int ready[2];
	char byte;

	*state = r;
	assert_non_null(r);
	if (geteuid() != 0)
		return 0;
	snprintf(r->folder, sizeof(r->folder), "/tmp/debug_file.XXXXXX");
	assert_non_null(mkdtemp(r->folder));
	assert_int_equal(pipe(ready), 0);
	r->pid = fork();
	if (r->pid == 0) {
		close(ready[0]);
		if (chroot(r->folder) < 0 || chdir("/") < 0)
			_exit(1);
		close(ready[1]);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0);
	close(ready[0]);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static int teardown(void **state)
{
	struct roots *r = *state;

	if (r->pid) {
		kill(r->pid, SIGKILL);
		waitpid(r->pid, NULL, 0);
		assert_int_equal(nftw(r->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	}
	free(r);
	return 0;
}

/* "number text", or "-errno". */
static const char *found(const struct roots *r, const char *name, uint32_t first)
{
	static char said[100];
	const struct debug_place p = { .pid = (uint32_t)r->pid,
				       .path = "/bin/a",
				       .build_id = id,
				       .build_id_bytes = sizeof(id),
				       .name = name };
	char text[50] = "";
	uint32_t uid;
	int fd = -1, n = debug_file_open(&p, first, &fd, &uid);

	if (n >= 0) {
		assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
		close(fd);
	}
	snprintf(said, sizeof(said), "%d%s%s", n, *text ? " " : "", text);
	return said;
}

static void files_in_the_order_of_names(void **state)
{
	struct roots *r = *state;

	if (!r->pid)
		skip();
	assert_string_equal(found(r, "a.debug", 0), "-2");
	put(r, "/usr/lib/debug/bin/a.debug", "four");
	assert_string_equal(found(r, "a.debug", 0), "3 four");
	put(r, "/bin/.debug/a.debug", "three");
	assert_string_equal(found(r, "a.debug", 0), "2 three");
	put(r, "/bin/a.debug", "two");
	assert_string_equal(found(r, "a.debug", 0), "1 two");
	put(r, BY_ID, "one");
	assert_string_equal(found(r, "a.debug", 0), "0 one");
	assert_string_equal(found(r, "a.debug", 1), "1 two");
	assert_string_equal(found(r, "a.debug", 3), "3 four");
	assert_string_equal(found(r, "a.debug", 4), "-2");
	assert_string_equal(found(r, "a.debug", UINT32_MAX), "-2");
	assert_string_equal(found(r, "", 1), "-2");
}

static void what_is_no_regular_file(void **state)
{
	struct roots *r = *state;
	char path[300];

	if (!r->pid)
		skip();
	snprintf(path, sizeof(path), "%s%s", r->folder, BY_ID);
	make_folders(path);
	assert_int_equal(mkfifo(path, 0644), 0);
	assert_string_equal(found(r, "", 0), "-22");
	/* The next one is tried. */
	put(r, "/bin/a.debug", "two");
	assert_string_equal(found(r, "a.debug", 0), "1 two");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_string_equal(found(r, "", 0), "-22");
}

/* A link is followed, and never to a file of ours. */
static void links_stay_in_their_root(void **state)
{
	struct roots *r = *state;
	char path[300], ours[100];

	if (!r->pid)
		skip();
	put(r, "/theirs", "theirs");
	snprintf(path, sizeof(path), "%s%s", r->folder, BY_ID);
	make_folders(path);
	assert_int_equal(symlink("/theirs", path), 0);
	assert_string_equal(found(r, "", 0), "0 theirs");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("../../../../../../../../../theirs", path), 0);
	assert_string_equal(found(r, "", 0), "0 theirs");
	assert_int_equal(unlink(path), 0);
	/* Of this name there is a file of ours. */
	snprintf(ours, sizeof(ours), "%s/theirs", r->folder);
	assert_int_equal(symlink(ours, path), 0);
	assert_string_equal(found(r, "", 0), "-2");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(path, path), 0);
	assert_string_equal(found(r, "", 0), "-2");
	snprintf(path, sizeof(path), "%s/bin/a.debug", r->folder);
	make_folders(path);
	assert_int_equal(symlink("a.debug", path), 0);
	assert_string_equal(found(r, "a.debug", 0), "-40");
}

/* A process that is gone: its parent's root, which is ours here, and then has nothing. */
static void who_is_gone(void **state)
{
	struct roots *r = *state;
	struct roots gone = { .pid = 0 };

	if (!r->pid)
		skip();
	put(r, BY_ID, "one");
	gone.pid = fork();
	if (gone.pid == 0)
		_exit(0);
	waitpid(gone.pid, NULL, 0);
	assert_string_equal(found(&gone, "", 0), "-2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_in_a_root),
		cmocka_unit_test(a_name_that_is_too_long_is_none),
		cmocka_unit_test(what_a_sound_place_is),
		cmocka_unit_test_setup_teardown(files_in_the_order_of_names, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_regular_file, setup, teardown),
		cmocka_unit_test_setup_teardown(links_stay_in_their_root, setup, teardown),
		cmocka_unit_test_setup_teardown(who_is_gone, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
