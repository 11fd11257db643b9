// SPDX-License-Identifier: Apache-2.0
/*
 * A list that is walked: 256 comparisons of a number are nothing beside a system call. What an entry takes is counted as twice its
 * answer, whose gzip'd form may come later. Refused: a hash table, and a list in the order of use.
 */
#include "web/cache.h"

#include <stdlib.h>
#include <string.h>

#include "profiler/base/index.h"

struct cache_entry {
	LIST_ENTRY(cache_entry) link;
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
	LIST_INIT(&c->list);
}

static void take_out(struct cache *c, struct cache_entry *e)
{
	LIST_REMOVE(e, link);
	c->tally->cache_bytes -= e->bytes;
	c->count--;
	answer_unref(e->answer);
	free(e);
}

void cache_release(struct cache *c)
{
	struct cache_entry *e, *following;

	for (e = LIST_FIRST(&c->list); e; e = following) {
		following = LIST_NEXT(e, link);
		take_out(c, e);
	}
}

static struct cache_entry *find(struct cache *c, const struct cache_key *key)
{
	uint64_t hash = hash_bytes(key->bytes, key->len);
	struct cache_entry *e;

	LIST_FOREACH(e, &c->list, link)
	if (e->hash == hash && e->len == key->len && !memcmp(e->key, key->bytes, e->len))
		return e;
	return NULL;
}

/* There is one. */
static struct cache_entry *oldest(const struct cache *c)
{
	struct cache_entry *e, *found = LIST_FIRST(&c->list);

	LIST_FOREACH(e, &c->list, link)
	if (e->used < found->used)
		found = e;
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
	struct cache_entry *e = find(c, key);

	if (!e)
		return NULL;
	if (!is_good(e, now)) {
		take_out(c, e);
		return NULL;
	}
	e->used = ++c->uses;
	return e->answer;
}

void cache_keep(struct cache *c, const struct cache_key *key, struct answer *a, bool settled,
		const struct cache_moment *asked)
{
	size_t bytes = sizeof(struct cache_entry) + key->len + 2 * answer_bytes(a);
	struct cache_entry *e = find(c, key);

	if (e)
		take_out(c, e);
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
		take_out(c, oldest(c));
	LIST_INSERT_HEAD(&c->list, e, link);
	c->tally->cache_bytes += bytes;
	c->count++;
}
