/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a test in a folder of its own, and what the live source makes of them.
 */
#ifndef TESTS_UNIT_PROCESS_PLACES_H
#define TESTS_UNIT_PROCESS_PLACES_H

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/process/maps.h"
#include "profiler/process/source.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct process_source *const live = &process_source_live;
static char dir[64];
static char found_path[MAPS_MAX_PATH + 1];

static inline int dir_make(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/process_source.XXXXXX");
	/* An open that hangs would hang for ever. */
	alarm(60);
	/* What the tests mount is ours alone, and goes with us. */
	if (geteuid() == 0 &&
	    (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0))
		return -1;
	return mkdtemp(dir) ? 0 : -1;
}

static inline int dir_remove(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		execlp("rm", "rm", "-rf", dir, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	return 0;
}

static inline const char *in_dir(const char *name)
{
	static char paths[4][256];
	static int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static inline const char *make_file(const char *name, const char *text)
{
	const char *path = in_dir(name);
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return path;
}

/* The file at `path`, in no mapping. */
static inline struct file_place place_of_path(const char *path, uint32_t pid)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (struct file_place){ .pid = pid,
				    .start = 0x1000,
				    .end = 0x2000,
				    .ino = st.st_ino,
				    .major = major(st.st_dev),
				    .minor = minor(st.st_dev),
				    .path = path };
}

/* The first executable mapping of a file whose path holds `part`. */
static inline bool place_in_maps(uint32_t pid, const char *part, struct file_place *ret)
{
	struct buffer text = BUFFER_INIT(1 << 20);
	struct maps_line line;
	bool found = false;

	assert_int_equal(live->read(live->ctx, PROCESS_TEXT_MAPS, pid, &text), 0);
	for (size_t at = 0, used; at < text.len && !found; at += used) {
		if (maps_line_parse(text.data + at, text.len - at, &line, &used) < 0 ||
		    !line.executable || !strstr(line.path, part))
			continue;
		snprintf(found_path, sizeof(found_path), "%s", line.path);
		*ret = (struct file_place){ .pid = pid,
					    .start = line.start,
					    .end = line.end,
					    .ino = line.ino,
					    .major = line.major,
					    .minor = line.minor,
					    .path = found_path };
		found = true;
	}
	buffer_release(&text);
	return found;
}

/* `kind`: enum process_file_kind bits. */
static inline void expect_kind(const char *what, const struct file_place *place, const char *text,
			       int kind)
{
	char got[16] = "";
	struct stat st;
	int fd = -1, r = live->open(live->ctx, place, &fd);

	if (r < 0)
		fail_msg("%s: %s", what, strerror(-r));
	if (r != kind)
		fail_msg("%s: got kind %d, want %d", what, r, kind);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_ino, place->ino);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(pread(fd, got, strlen(text), 0) == (ssize_t)strlen(text));
	assert_string_equal(got, text);
	close(fd);
}

static inline void expect_open(const char *what, const struct file_place *place, const char *text)
{
	expect_kind(what, place, text, 0);
}

/* Not opened, and without waiting for anybody. */
static inline void expect_slow(const char *what, const struct file_place *place)
{
	int fd = -77, r = live->open(live->ctx, place, &fd);

	if (r < 0 || !(r & PROCESS_FILE_SLOW) || fd != -1)
		fail_msg("%s: got %d (fd %d), want slow", what, r, fd);
}

/* A copy of all of `content`, that nobody can change. */
static inline void expect_fetched(const char *what, const struct file_place *place,
				  const struct buffer *content)
{
	struct buffer got = BUFFER_INIT(PROCESS_MAX_COPY_BYTES);
	int fd = -1, r = live->fetch(live->ctx, place, &fd);

	if (r != 0)
		fail_msg("%s: %s", what, strerror(-r));
	assert_int_equal(buffer_read_fd(&got, fd), 0);
	assert_int_equal(got.len, content->len);
	assert_memory_equal(got.data, content->data, got.len);
	assert_int_equal(fcntl(fd, F_GET_SEALS),
			 F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(write(fd, "x", 1) < 0);
	buffer_release(&got);
	close(fd);
}

static inline void expect_refused(const char *what, const struct file_place *place, int want)
{
	int fd = -77, r = live->open(live->ctx, place, &fd);

	if (r != want || fd != -77)
		fail_msg("%s: got %d (fd %d), want %d", what, r, fd, want);
}

static inline void read_root(uint32_t pid, struct buffer *out)
{
	buffer_clear(out);
	assert_int_equal(live->read(live->ctx, PROCESS_TEXT_ROOT, pid, out), 0);
	assert_non_null(buffer_cstr(out));
}

#endif
