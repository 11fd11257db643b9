// SPDX-License-Identifier: Apache-2.0
/*
 * A file is written as ".slowburn-XXXXXX" in its target's folder and renamed. O_TMPFILE would leave
 * nothing even after kill -9, but not every file system has it, and linkat() can't replace: two ways
 * for one gain were refused. A unique name is taken by an empty file of ours made with O_EXCL, over
 * which we then rename, and no signal's handler runs between the two; RENAME_NOREPLACE is missing from
 * too many file systems.
 */
#include "profiler/command/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/command/interrupt.h"
#include "profiler/command/invoker.h"

#define PARTIAL_NAME ".slowburn-XXXXXX"
#define PPROF_SUFFIX ".pb.gz"
#define MAX_TRIES 1000

/* The names of unfinished files, where a signal handler finds them. */
static const char *volatile partials[OUTPUT_MAX];

static int partial_remember(const char *name)
{
	for (size_t i = 0; i < OUTPUT_MAX; i++) {
		if (!partials[i]) {
			partials[i] = name;
			return 0;
		}
	}
	return -EMFILE;
}

/* There is no such file, or no longer. */
static void partial_drop(struct output *o)
{
	for (size_t i = 0; i < OUTPUT_MAX; i++)
		if (o->partial && partials[i] == o->partial)
			partials[i] = NULL;
	free(o->partial);
	o->partial = NULL;
}

void output_abandon_all(void)
{
	for (size_t i = 0; i < OUTPUT_MAX; i++)
		if (partials[i])
			unlink(partials[i]);
}

/* What it leaves on failure is output_release()'s. */
static int partial_open(struct output *o, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t folder = slash ? (size_t)(slash - path) + 1 : 0;
	int r;

	o->partial = malloc(folder + sizeof(PARTIAL_NAME));
	if (!o->partial)
		return -ENOMEM;
	memcpy(o->partial, path, folder);
	memcpy(o->partial + folder, PARTIAL_NAME, sizeof(PARTIAL_NAME));
	/* Before there is a file: no signal must find one that isn't remembered. */
	r = partial_remember(o->partial);
	if (r < 0)
		return r;
	o->fd = mkostemp(o->partial, O_CLOEXEC); /* mode 0600 */
	if (o->fd < 0) {
		r = -errno;
		partial_drop(o); /* what has that name, if anything, isn't ours */
		return r;
	}
	return invoker_own(o->fd);
}

/* Is it what standard output is already? Then one writer is enough, and the same rules hold. */
static bool is_standard_output(const struct stat *st)
{
	struct stat out;

	if (fstat(STDOUT_FILENO, &out) < 0 || out.st_dev != st->st_dev || out.st_ino != st->st_ino)
		return false;
	/* Two writers don't meet in /dev/null; and it may be there to be read, for a closed one. */
	return !S_ISCHR(out.st_mode) || isatty(STDOUT_FILENO);
}

/* Of the folder that a path's last name is in. */
static int folder_stat(const char *path, size_t len, struct stat *ret)
{
	char folder[PATH_MAX];

	if (!len)
		return stat(".", ret);
	if (len >= sizeof(folder))
		return -1;
	memcpy(folder, path, len);
	folder[len] = '\0';
	return stat(folder, ret);
}

bool output_same_file(const char *a, const char *b)
{
	const char *slash_a = strrchr(a, '/'), *slash_b = strrchr(b, '/');
	size_t folder_a = slash_a ? (size_t)(slash_a - a) + 1 : 0;
	size_t folder_b = slash_b ? (size_t)(slash_b - b) + 1 : 0;
	struct stat x, y;

	if (!strcmp(a, "-") || !strcmp(b, "-"))
		return false;
	if (stat(a, &x) == 0 && stat(b, &y) == 0) {
		if (S_ISCHR(x.st_mode))
			return false;
	} else if (strcmp(a + folder_a, b + folder_b) != 0 || folder_stat(a, folder_a, &x) < 0 ||
		   folder_stat(b, folder_b, &y) < 0) {
		return false;
	}
	return x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* A FIFO is opened when it has a reader: until then a signal is to be heard. */
static int open_in_place(struct output *o, const char *path, bool fifo)
{
	static const struct timespec while_waiting = { .tv_nsec = 20 * 1000 * 1000 };
	int flags = O_WRONLY | O_NOCTTY | O_CLOEXEC | (fifo ? O_NONBLOCK : 0);

	while ((o->fd = open(path, flags)) < 0 && errno == ENXIO && fifo) {
		if (interrupt_came())
			return -EINTR;
		nanosleep(&while_waiting, NULL);
	}
	if (o->fd < 0 || (fifo && fcntl(o->fd, F_SETFL, O_WRONLY) < 0))
		return -errno;
	return 0;
}

static int open_by_kind(struct output *o, const char *path)
{
	struct stat link, target = { 0 };

	if (lstat(path, &link) < 0)
		return errno == ENOENT ? partial_open(o, path) : -errno;
	if (stat(path, &target) == 0) {
		if (is_standard_output(&target)) {
			o->standard = true;
			o->fd = STDOUT_FILENO;
			return 0;
		}
		if (S_ISDIR(target.st_mode))
			return -EISDIR;
	}
	if (S_ISREG(link.st_mode))
		return partial_open(o, path);
	return open_in_place(o, path, S_ISFIFO(target.st_mode));
}

int output_open(struct output *o, const char *path, bool binary, struct err *err)
{
	int r;

	*o = (struct output)OUTPUT_INIT;
	if (!*path)
		return err_set(err, -EINVAL, "the name of the output file is empty");
	o->path = strdup(path);
	if (!o->path)
		return err_errno(err, -ENOMEM, "cannot write \"%s\"", path);
	if (!strcmp(path, "-")) {
		o->standard = true;
		o->fd = STDOUT_FILENO;
	} else {
		r = open_by_kind(o, path);
		if (r < 0) {
			output_release(o);
			return err_errno(err, r, "cannot write \"%s\"", path);
		}
	}
	if (binary && isatty(o->fd)) {
		output_release(o);
		return err_set(err, -EINVAL,
			       "a terminal can't show this format: use -o FILE, a "
			       "pipe, or --format text");
	}
	return 0;
}

int output_open_unique(struct output *o, const char *path, struct err *err)
{
	int r;

	*o = (struct output)OUTPUT_INIT;
	o->path = strdup(path);
	o->unique = true;
	r = o->path ? partial_open(o, path) : -ENOMEM;
	if (r < 0) {
		output_release(o);
		return err_errno(err, r, "cannot write \"%s\" (-o FILE writes elsewhere)", path);
	}
	return 0;
}

int output_write(struct output *o, const void *bytes, size_t len, struct err *err)
{
	int r = fd_write_all(o->fd, bytes, len);

	if (r < 0 && o->standard)
		return err_errno(err, r, "cannot write to standard output");
	return r < 0 ? err_errno(err, r, "cannot write \"%s\"", o->path) : 0;
}

/* "a.pb.gz" → "a-2.pb.gz". */
static char *numbered(const char *path, uint32_t number)
{
	size_t len = strlen(path), suffix = strlen(PPROF_SUFFIX);
	char *name;

	if (number == 1)
		return strdup(path);
	if (len < suffix || strcmp(path + len - suffix, PPROF_SUFFIX) != 0)
		suffix = 0;
	len -= suffix;
	return asprintf(&name, "%.*s-%u%s", (int)len, path, number, path + len) < 0 ? NULL : name;
}

/* An empty file that is ours alone. */
static int make_empty(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* Makes one under the first name that is free, which becomes the target. */
static int take_name(struct output *o)
{
	for (uint32_t n = 1; n <= MAX_TRIES; n++) {
		char *name = numbered(o->path, n);
		int r = name ? make_empty(name) : -ENOMEM;

		if (r == 0) {
			free(o->path);
			o->path = name;
			return 0;
		}
		free(name);
		if (r != -EEXIST)
			return r;
	}
	return -EEXIST;
}

/* Behind a link lies an ordinary file, whose old content may be longer than ours. */
static int cut_old_content(int fd)
{
	struct stat st;
	off_t end;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	end = lseek(fd, 0, SEEK_CUR);
	return end < 0 || ftruncate(fd, end) < 0 ? -errno : 0;
}

/* The name that it has while it is unfinished becomes that of its target. */
static int give_name(struct output *o)
{
	sigset_t all, mask;
	int r;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	r = o->unique ? take_name(o) : 0;
	if (r == 0 && rename(o->partial, o->path) < 0) {
		r = -errno;
		if (o->unique)
			unlink(o->path);
	}
	if (r == 0)
		partial_drop(o);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return r;
}

static int finish_file(struct output *o)
{
	int r = o->partial ? 0 : cut_old_content(o->fd);
	int fd = take_fd(&o->fd);

	if (close(fd) < 0) /* network file systems tell of a full disk here */
		return -errno;
	return o->partial ? give_name(o) : r;
}

int output_finish(struct output *o, struct err *err)
{
	int r;

	if (o->standard)
		return 0;
	r = finish_file(o);
	return r < 0 ? err_errno(err, r, "cannot write \"%s\"", o->path) : 0;
}

void output_release(struct output *o)
{
	if (!o->standard)
		fd_close(&o->fd);
	if (o->partial)
		unlink(o->partial);
	partial_drop(o);
	free(o->path);
	*o = (struct output)OUTPUT_INIT;
}
