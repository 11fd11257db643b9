// SPDX-License-Identifier: Apache-2.0
/*
 * A directory that is somebody's is taken over only if there is nothing in it but a store's files: `--store /var/lib` is a mistake that must
 * not give /var/lib away. A file is given away by its descriptor, and only if it has one name: another one may be
 * somebody's /etc/shadow.
 *
 * Refused: making the directories above. A mistyped path would be a store.
 */
#include "profiler/storekeeper/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/role/role.h"
#include "profiler/role/sandbox.h"
#include "profiler/store/catalog.h"
#include "profiler/store/writer.h"
#include "profiler/storekeeper/protocol.h"

#define MODE 0750

static bool is_ours(const char *name)
{
	struct catalog_file f;

	return catalog_parse(name, &f) || !strcmp(name, STORE_LOCK) ||
	       !strcmp(name, CATALOG_UNFINISHED) || !strcmp(name, CATALOG_BEGUN);
}

static void close_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* For each entry: 0, or what ends it. */
static int each(int dirfd, int (*visit)(int dirfd, const char *name, const struct identity *to),
		const struct identity *to)
{
	_cleanup_(close_dir) DIR *dir = NULL;
	_cleanup_(fd_close) int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *e;
	int r = 0;

	dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir)
		return -errno;
	(void)take_fd(&fd); /* the stream's now */
	while (r == 0 && (errno = 0, e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = visit(dirfd, e->d_name, to);
	return r == 0 && errno ? -errno : r;
}

static int expect_ours(int dirfd, const char *name, const struct identity *to)
{
	(void)dirfd;
	(void)to;
	return is_ours(name) ? 0 : -ENOTEMPTY;
}

static int give(int dirfd, const char *name, const struct identity *to)
{
	_cleanup_(fd_close) int fd =
		is_ours(name) ? openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1 ||
	    st.st_uid == to->uid)
		return 0;
	return fchownat(fd, "", to->uid, to->gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static int take_over(int dirfd, const char *path, struct err *err)
{
	const struct identity to = sandbox_identity(role_find(STOREKEEPER_ROLE));
	struct stat st;
	int r = 0;

	if (fstat(dirfd, &st) < 0)
		return err_errno(err, -errno, "cannot open the store \"%s\"", path);
	if (st.st_uid != to.uid) {
		r = each(dirfd, expect_ours, &to);
		if (r == -ENOTEMPTY)
			return err_set(
				err, r,
				"\"%s\" is no store: other files are in it, and it is another user's",
				path);
		if (r == 0 && fchown(dirfd, to.uid, to.gid) < 0)
			r = -errno;
	}
	if (r == 0)
		r = each(dirfd, give, &to);
	return r < 0 ? err_errno(err, r, "cannot give the store \"%s\" to the storekeeper", path)
		     : 0;
}

int directory_open(const char *path, struct err *err)
{
	_cleanup_(fd_close) int fd = -1;
	int r;

	if (mkdir(path, MODE) < 0 && errno != EEXIST)
		return err_errno(err, -errno, "cannot make the store \"%s\"", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, -errno, "cannot open the store \"%s\"", path);
	r = take_over(fd, path, err);
	return r < 0 ? r : take_fd(&fd);
}
