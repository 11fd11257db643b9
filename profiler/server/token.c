// SPDX-License-Identifier: Apache-2.0
/*
 * A new file has its name only once it is whole: made under another, and linked, so that of two
 * servers that start at once both have the one that was first. Digits of a secret are no place for
 * a repair: what isn't a token is an error.
 */
#include "profiler/server/token.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"

#define FILE_MODE 0640
#define FOLDER_MODE 0755

/* ---- its place ---- */

static int place(char *ret_path, size_t size, const char *folder, const char *file)
{
	int n = snprintf(ret_path, size, "%s%s", folder, file);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int token_place(uid_t uid, char *ret_path, size_t size)
{
	const char *folder = getenv("RUNTIME_DIRECTORY");

	if (access("/etc/slowburn/token", F_OK) == 0)
		return place(ret_path, size, "/etc/slowburn", "/token");
	if (folder && folder[0] == '/')
		return place(ret_path, size, folder, "/token");
	if (uid == 0)
		return place(ret_path, size, "/run/slowburn", "/token");
	folder = getenv("XDG_RUNTIME_DIR");
	return folder && folder[0] == '/' ? place(ret_path, size, folder, "/slowburn/token")
					  : -ENOENT;
}

/* ---- reading ---- */

static bool is_token(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr("0123456789abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ-._~",
			    s[i]) ||
		    !s[i])
			return false;
	return len >= TOKEN_LEAST_BYTES && len <= TOKEN_MAX_BYTES;
}

static int check_owner(int fd, const char *path, bool *ret_open, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno(err, -errno, "cannot read the token file \"%s\"", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "the token file \"%s\" is not a regular file", path);
	if (st.st_mode & S_IWOTH)
		return err_set(
			err, -EPERM,
			"the token file \"%s\" (mode %04o) can be written by everybody: chmod "
			"0640",
			path, (unsigned int)(st.st_mode & 07777));
	*ret_open = (st.st_mode & S_IROTH) != 0;
	return 0;
}

static int read_file(struct token *ret, const char *path, struct err *err)
{
	_cleanup_(fd_close) int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	_cleanup_(buffer_release) struct buffer text = BUFFER_INIT(TOKEN_MAX_BYTES + 1);
	struct token token = { .made = false };
	int r;

	if (fd < 0)
		return err_errno(err, -errno, "cannot read the token file \"%s\"", path);
	r = check_owner(fd, path, &token.open, err);
	if (r < 0)
		return r;
	r = buffer_read_fd(&text, fd);
	if (r < 0 && r != -E2BIG)
		return err_errno(err, r, "cannot read the token file \"%s\"", path);
	if (r == 0 && text.len && text.data[text.len - 1] == '\n')
		text.len--;
	if (r < 0 || !is_token(text.data, text.len))
		return err_set(
			err, -EINVAL,
			"the token file \"%s\" is not one line of %u to %u letters, digits and "
			"-._~",
			path, TOKEN_LEAST_BYTES, TOKEN_MAX_BYTES);
	memcpy(token.text, text.data, text.len);
	*ret = token;
	return 0;
}

/* ---- making ---- */

static int folder_make(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];

	if (!slash || slash == path || (size_t)(slash - path) >= sizeof(folder))
		return 0;
	memcpy(folder, path, (size_t)(slash - path));
	folder[slash - path] = '\0';
	return mkdir(folder, FOLDER_MODE) < 0 && errno != EEXIST ? -errno : 0;
}

static int line_make(char ret_line[TOKEN_MADE_BYTES + 2])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[TOKEN_MADE_BYTES / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return -EIO;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		ret_line[2 * i] = digits[bytes[i] >> 4];
		ret_line[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret_line[TOKEN_MADE_BYTES] = '\n';
	ret_line[TOKEN_MADE_BYTES + 1] = '\0';
	return 0;
}

static int file_fill(int fd, gid_t group)
{
	char line[TOKEN_MADE_BYTES + 2];
	int r = line_make(line);

	if (r == 0)
		r = fd_write_all(fd, line, strlen(line));
	/* The group before the mode: until then it is its owner's only. */
	if (r == 0 && group != (gid_t)-1 && fchown(fd, (uid_t)-1, group) < 0)
		r = -errno;
	if (r == 0 && fchmod(fd, FILE_MODE) < 0)
		r = -errno;
	return r;
}

/* 0 also if another one was faster. */
static int file_make(const char *path, gid_t group)
{
	_cleanup_(fd_close) int fd = -1;
	char temporary[PATH_MAX];
	int r = folder_make(path);

	if (r < 0)
		return r;
	if (snprintf(temporary, sizeof(temporary), "%s.%d", path, (int)getpid()) >=
	    (int)sizeof(temporary))
		return -ENAMETOOLONG;
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = file_fill(fd, group);
	if (r == 0 && link(temporary, path) < 0 && errno != EEXIST)
		r = -errno;
	unlink(temporary);
	return r;
}

int token_load(struct token *ret, const char *path, gid_t group, struct err *err)
{
	int r = read_file(ret, path, err);

	if (r != -ENOENT)
		return r;
	r = file_make(path, group);
	if (r < 0)
		return err_errno(err, r, "cannot make the token file \"%s\"", path);
	r = read_file(ret, path, err);
	if (r == 0)
		ret->made = true;
	return r;
}
