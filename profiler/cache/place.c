// SPDX-License-Identifier: Apache-2.0
/*
 * The environment's word counts, as it is the user's own: sudo clears it, and $HOME of a root who kept another's would
 * fill that with root's files, so it is not looked at. A path that doesn't begin at the root is none (XDG Base Directory
 * Specification).
 */
#include "profiler/cache/place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char *absolute(const char *variable)
{
	const char *value = getenv(variable);

	return value && value[0] == '/' ? value : NULL;
}

static int put(char *ret_path, size_t size, const char *folder, const char *rest)
{
	int n = snprintf(ret_path, size, "%s%s", folder, rest);

	return n >= 0 && (size_t)n < size ? 0 : -ENAMETOOLONG;
}

int cache_place(uid_t uid, char *ret_path, size_t size)
{
	const char *given = absolute("CACHE_DIRECTORY"), *xdg = absolute("XDG_CACHE_HOME");
	const char *home = absolute("HOME");
	int r;

	if (given)
		return put(ret_path, size, given, "");
	if (uid == 0)
		return put(ret_path, size, "/var/cache", "/slowburn");
	if (xdg)
		return put(ret_path, size, xdg, "/slowburn");
	if (!home)
		return -ENOENT;
	r = put(ret_path, size, home, "/.cache");
	if (r < 0)
		return r;
	(void)mkdir(ret_path,
		    0700); /* if it isn't there and can't be made, nor can what is in it */
	return put(ret_path, size, home, "/.cache/slowburn");
}
