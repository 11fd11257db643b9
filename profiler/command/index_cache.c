// SPDX-License-Identifier: Apache-2.0
/*
 * Opened before anything is given up, and kept by the supervisor alone. A place that can't be made, for somebody without
 * a home, is no news; one that others can write to is.
 */
#include "profiler/command/index_cache.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/number.h"
#include "profiler/cache/place.h"

enum {
	OPTION_CACHE = 0xa00,
	OPTION_CACHE_LIMIT,
};

const struct argp_option index_cache_options[] = {
	{ "cache", OPTION_CACHE, "DIR", 0,
	  "keep what was read of binaries' lines and inlined functions in this folder, for the next time; "
	  "\"none\": keep nothing. Without it root's is /var/cache/slowburn, others' "
	  "$XDG_CACHE_HOME/slowburn or ~/.cache/slowburn, a service's $CACHE_DIRECTORY",
	  22 },
	{ "cache-limit", OPTION_CACHE_LIMIT, "SIZE", 0,
	  "the most that is kept there, such as 512M, the default; what was not used for longest goes first",
	  22 },
	{ 0 },
};

_Static_assert(CACHE_DEFAULT_BYTES == 512 << 20 && CACHE_LEAST_BYTES == 1 << 20,
	       "the help and a message say so");

static int take_limit(struct index_cache *x, const char *arg, struct err *err)
{
	uint64_t bytes;

	if (size_parse(arg, &bytes) < 0)
		return err_set(err, -EINVAL, "cache limit \"%s\" is not a size such as 512M or 1G",
			       arg);
	if (bytes < CACHE_LEAST_BYTES)
		return err_set(err, -EINVAL,
			       "cache limit \"%s\" is too little: 1M is the least, or --cache none",
			       arg);
	x->limit_bytes = bytes;
	return 0;
}

int index_cache_take(struct index_cache *x, int key, const char *arg, struct err *err)
{
	switch (key) {
	case OPTION_CACHE:
		if (!*arg)
			return err_set(err, -EINVAL, "an empty word is no folder for the cache");
		x->where = arg;
		return 0;
	case OPTION_CACHE_LIMIT:
		return take_limit(x, arg, err);
	default:
		return 1;
	}
}

static int open_at(struct index_cache *x, const char *path)
{
	return cache_open(&x->cache, path, x->limit_bytes ? x->limit_bytes : CACHE_DEFAULT_BYTES,
			  &x->why);
}

void index_cache_open(struct index_cache *x)
{
	char path[PATH_MAX];
	int r;

	if (x->where && strcmp(x->where, "none") == 0) {
		err_set(&x->why, 0, "--cache none");
		return;
	}
	if (x->where) {
		r = open_at(x, x->where);
	} else {
		r = cache_place(geteuid(), path, sizeof(path));
		r = r < 0 ? err_set(&x->why, r, "there is no place for a cache") : open_at(x, path);
	}
	if (r < 0 && (x->where || r == -EPERM || r == -ENOTDIR))
		command_say("%s, nothing is kept", x->why.text);
}

void index_cache_lend(const struct index_cache *x, struct supervisor *s)
{
	supervisor_keep_cache(s, x->cache, x->why.text);
}

void index_cache_release(struct index_cache *x)
{
	cache_free(x->cache);
	x->cache = NULL;
}
