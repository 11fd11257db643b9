/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that were given, by what was asked, within a number of bytes; who was not asked for longest goes first. An answer that can still
 * change is good until the store has another window.
 */
#ifndef WEB_CACHE_H
#define WEB_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "web/answer.h"

#define CACHE_MAX_ENTRIES 256

struct cache_entry;

struct cache {
	struct tally *tally; /* borrowed; has its size */
	uint64_t max_bytes;
	uint64_t uses; /* a number for each, that rises */
	uint32_t count;
	struct cache_entry *items[CACHE_MAX_ENTRIES]; /* owned */
};

/* What is asked: bytes that are equal if the questions are. */
struct cache_key {
	const void *bytes;
	size_t len;
};

/* The state of the store as far as it is known. */
struct cache_moment {
	uint64_t sequence; /* of its last window */
	uint64_t now_ns; /* CLOCK_MONOTONIC */
	uint64_t window_ns; /* when another one comes at the latest */
};

void cache_init(struct cache *c, uint64_t max_bytes, struct tally *tally);
void cache_release(struct cache *c);

/* Borrowed until the next call, or NULL. */
struct answer *cache_find(struct cache *c, const struct cache_key *key,
			  const struct cache_moment *now);

/* `asked`: the state when the question was asked. Without memory, or if it is too large, it isn't kept. */
void cache_keep(struct cache *c, const struct cache_key *key, struct answer *a, bool settled,
		const struct cache_moment *asked);

#endif
