// SPDX-License-Identifier: Apache-2.0
/*
 * An array that is walked: 256 comparisons of a number are nothing beside a system call. What an entry takes is counted as twice its
 * answer, whose gzip'd form may come later. Refused: a hash table, and a list in the order of use.
 */
#include "web/cache.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/index.h"

struct cache_entry {
	uint64_t used; /* the number of its last use */
	struct answer *answer;
	uint64_t hash;
	bool settled;
	struct cache_moment asked;
	size_t bytes; /* as counted */
	size_t len;
	char key[];
};

void cache_init(struct cache *c, uint64_t max_bytes, struct tally *tally)
{
	*c = (struct cache){ .tally = tally, .max_bytes = max_bytes };
}

static void drop(struct cache *c, uint32_t i)
{
	struct cache_entry *e = c->items[i];

	c->items[i] = c->items[--c->count];
	c->tally->cache_bytes -= e->bytes;
	answer_unref(e->answer);
	free(e);
}

void cache_release(struct cache *c)
{
	while (c->count)
		drop(c, c->count - 1);
}

/* Its place, or where there is none. */
static uint32_t find(const struct cache *c, const struct cache_key *key)
{
	uint64_t hash = hash_bytes(key->bytes, key->len);
	uint32_t i;

	for (i = 0; i < c->count; i++) {
		const struct cache_entry *e = c->items[i];

		if (e->hash == hash && e->len == key->len && !memcmp(e->key, key->bytes, e->len))
			break;
	}
	return i;
}

static uint32_t oldest(const struct cache *c)
{
	uint32_t found = 0;

	for (uint32_t i = 1; i < c->count; i++)
		if (c->items[i]->used < c->items[found]->used)
			found = i;
	return found;
}

static bool is_good(const struct cache_entry *e, const struct cache_moment *now)
{
	return e->settled || (e->asked.sequence == now->sequence &&
			      now->now_ns - e->asked.now_ns < now->window_ns);
}

struct answer *cache_find(struct cache *c, const struct cache_key *key,
			  const struct cache_moment *now)
{
	uint32_t i = find(c, key);

	if (i == c->count)
		return NULL;
	if (!is_good(c->items[i], now)) {
		drop(c, i);
		return NULL;
	}
	c->items[i]->used = ++c->uses;
	return c->items[i]->answer;
}

void cache_keep(struct cache *c, const struct cache_key *key, struct answer *a, bool settled,
		const struct cache_moment *asked)
{
	size_t bytes = sizeof(struct cache_entry) + key->len + 2 * answer_bytes(a);
	uint32_t before = find(c, key);
	struct cache_entry *e;

	if (before < c->count)
		drop(c, before);
	if (bytes > c->max_bytes / 2)
		return;
	e = malloc(sizeof(*e) + key->len);
	if (!e)
		return;
	*e = (struct cache_entry){
		.answer = answer_ref(a),
		.used = ++c->uses,
		.hash = hash_bytes(key->bytes, key->len),
		.settled = settled,
		.asked = *asked,
		.bytes = bytes,
		.len = key->len,
	};
	memcpy(e->key, key->bytes, key->len);
	while (c->count == CACHE_MAX_ENTRIES ||
	       (c->count && c->tally->cache_bytes + bytes > c->max_bytes))
		drop(c, oldest(c));
	c->items[c->count++] = e;
	c->tally->cache_bytes += bytes;
}
