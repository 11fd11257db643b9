// SPDX-License-Identifier: Apache-2.0
/*
 * The file is opened first, by who may still go where it lies, and executed by its descriptor: a user of the role's own need not be
 * able to reach it. A later version in its place is a matter of the conversation, which begins with the version.
 *
 * Refused: exec in child.c, between fork and exec: giving up privileges is no async-signal-safe matter, and the loader of
 * another program with other people's libraries would run with all of them.
 */
#include "profiler/role/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/role/child.h"
#include "profiler/role/sandbox.h"

static int path_beside_us(const char *name, char *ret_path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", ret_path, size);
	size_t len = strlen(name) + 1;
	char *slash;

	if (n < 0)
		return -errno;
	slash = memrchr(ret_path, '/', (size_t)n);
	if (!slash)
		return -ENOENT;
	if (len > size - (size_t)(slash + 1 - ret_path))
		return -ENAMETOOLONG;
	memcpy(slash + 1, name, len);
	return 0;
}

int program_become(const struct role *role, struct err *err)
{
	char path[PATH_MAX];
	char *argv[] = { path, NULL };
	_cleanup_(fd_close) int program = -1;
	int r = path_beside_us(role->program, path, sizeof(path));

	if (r < 0)
		return err_errno(err, r, "the program %s cannot be looked for", role->program);
	program = open(path, O_PATH | O_CLOEXEC);
	if (program < 0)
		return err_errno(err, -errno, "cannot open \"%s\"", path);
	r = sandbox_demote(role, err);
	if (r < 0)
		return r;
	if (fcntl(ROLE_CHILD_SOCKET, F_SETFD, 0) < 0)
		return err_errno(err, -errno, "the %s has no socket", role->name);
	execveat(program, "", argv, environ, AT_EMPTY_PATH);
	return err_errno(err, -errno, "cannot execute \"%s\"", path);
}
