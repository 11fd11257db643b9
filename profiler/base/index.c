// SPDX-License-Identifier: Apache-2.0
/*
 * Linear probing in a power of two of 8-byte slots, at most three quarters full. What is hashed is often
 * somebody else's (symbol names, paths), and XXH3 without a seed can be run backwards: names made to
 * collide would turn every look-up into a walk. So each process has a seed of its own.
 *
 * Refused: removing (nothing that is interned here ever goes alone), and uthash in the sample path (a
 * pointer and a cache line more for each step of a chain).
 */
#include "profiler/base/index.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <xxhash.h>

/* A slot is free when item1 is 0. The folded hash gives both the home slot and the quick comparison. */
struct index_slot {
	uint32_t hash;
	uint32_t item1; /* item + 1 */
};

#define FIRST_CAPACITY 64U
#define MAX_CAPACITY (1U << 31)

static uint32_t fold(uint64_t hash)
{
	return (uint32_t)(hash ^ (hash >> 32));
}

void index_release(struct index *x)
{
	free(x->slots);
	*x = (struct index){ 0 };
}

uint32_t index_find(const struct index *x, uint64_t hash, index_equal_fn equal, const void *owner,
		    const void *key)
{
	uint32_t h = fold(hash);

	if (!x->capacity)
		return UINT32_MAX;
	for (uint32_t i = h;; i++) {
		const struct index_slot *s = &x->slots[i & (x->capacity - 1)];

		if (!s->item1)
			return UINT32_MAX;
		if (s->hash == h && equal(owner, s->item1 - 1, key))
			return s->item1 - 1;
	}
}

static void place(struct index *x, struct index_slot s)
{
	uint32_t i = s.hash;

	while (x->slots[i & (x->capacity - 1)].item1)
		i++;
	x->slots[i & (x->capacity - 1)] = s;
}

static int grow(struct index *x)
{
	struct index bigger = { .capacity = x->capacity ? x->capacity * 2 : FIRST_CAPACITY,
				.used = x->used };

	if (x->capacity >= MAX_CAPACITY)
		return -ENOMEM;
	bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < x->capacity; i++)
		if (x->slots[i].item1)
			place(&bigger, x->slots[i]);
	free(x->slots);
	*x = bigger;
	return 0;
}

int index_add(struct index *x, uint64_t hash, uint32_t item)
{
	/* At most three quarters full, so that every search ends at a free slot. */
	if (x->used >= x->capacity / 4 * 3) {
		int r = grow(x);

		if (r < 0)
			return r;
	}
	place(x, (struct index_slot){ .hash = fold(hash), .item1 = item + 1 });
	x->used++;
	return 0;
}

static uint64_t seed;

/* Before main, so before any thread. Early in a boot there may be no entropy yet: then none is used. */
__attribute__((constructor)) static void seed_choose(void)
{
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
		seed = 0;
}

uint64_t hash_bytes(const void *bytes, size_t len)
{
	return XXH3_64bits_withSeed(bytes, len, seed);
}
