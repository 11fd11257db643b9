/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options --cache and --cache-limit, and the cache of line indexes that follows from them.
 */
#ifndef COMMAND_INDEX_CACHE_H
#define COMMAND_INDEX_CACHE_H

#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/cache/cache.h"
#include "profiler/command/options.h"
#include "profiler/role/supervisor.h"

struct index_cache {
	const char *where; /* as said; NULL: not said */
	uint64_t limit_bytes; /* 0: not said */
	struct cache *cache; /* NULL: there is none */
	struct err why; /* there is none */
};

extern const struct argp_option index_cache_options[];

/* Takes the option if it is one of ours. 0; 1 if it isn't; -EINVAL and a sentence. */
int index_cache_take(struct index_cache *x, int key, const char *arg, struct err *err);

/*
 * Opens it, as whoever we are. There being none is no failure; it is said if somebody named one, or if somebody else has a hand in
 * the one that would be ours.
 */
void index_cache_open(struct index_cache *x);

/* From then on it must stay until supervisor_free(). */
void index_cache_lend(const struct index_cache *x, struct supervisor *s);

void index_cache_release(struct index_cache *x);

#endif
