// SPDX-License-Identifier: Apache-2.0
/*
 * The window's prefix tree. A stack is walked from its root; each frame is one look-up of (parent, place)
 * in the node index, whose comparison goes through the node to its location. Only a frame that is new in
 * its place looks for its location as well. So a known stack of n frames costs n + 2 look-ups.
 *
 * Refused: hashing whole stacks. 96 in 100 stacks of a compile are distinct, but their outer halves are
 * the same few: the tree stores those once, and it is what names are found over later.
 */
#include "profiler/aggregate/window.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ITEMS (1U << 30) /* what an index can number */
#define NO_ITEM UINT32_MAX

static_assert(sizeof(struct window_series) == 56, "hashed as bytes: no padding");
static_assert(sizeof(struct window_location) == 16, "hashed as bytes: no padding");

struct node_key {
	uint64_t address;
	uint32_t space;
	uint32_t parent;
	uint32_t flags;
	uint32_t zero; /* hashed as bytes */
};

int window_init(struct window *w, const struct window_limits *limits)
{
	struct window_node *root;

	*w = (struct window){ .limits = *limits };
	root = array_push(&w->nodes, 1);
	if (!root)
		return -ENOMEM;
	/* Not indexed: nobody's child, and so never found as one. */
	*root = (struct window_node){ 0 };
	return 0;
}

void window_release(struct window *w)
{
	array_release(&w->series);
	array_release(&w->locations);
	array_release(&w->nodes);
	array_release(&w->samples);
	array_release(&w->moments);
	index_release(&w->series_index);
	index_release(&w->location_index);
	index_release(&w->node_index);
	index_release(&w->sample_index);
}

static bool series_equal(const void *owner, uint32_t item, const void *key)
{
	const struct window *w = owner;

	return !memcmp(&w->series.items[item], key, sizeof(struct window_series));
}

static bool location_equal(const void *owner, uint32_t item, const void *key)
{
	const struct window *w = owner;

	return !memcmp(&w->locations.items[item], key, sizeof(struct window_location));
}

static bool node_equal(const void *owner, uint32_t item, const void *key)
{
	const struct window *w = owner;
	const struct window_node *n = &w->nodes.items[item];
	const struct node_key *k = key;
	const struct window_location *l;

	if (n->parent != k->parent || n->flags != k->flags)
		return false;
	l = &w->locations.items[n->location];
	return l->address == k->address && l->space == k->space;
}

static bool sample_equal(const void *owner, uint32_t item, const void *key)
{
	const struct window *w = owner;

	return !memcmp(&w->samples.items[item], key, offsetof(struct window_sample, count));
}

/* Room for one more in `array`, and the index told of it; the caller then fills it and counts it. */
#define ROOM_FOR_ONE(w, array, by, hash, cost)                                                   \
	({                                                                                       \
		int room_r = (cost) > (w)->limits.bytes - (w)->used_bytes                        \
				     ? -E2BIG                                                    \
				     : array_reserve((void **)&(w)->array.items,                 \
						     &(w)->array.capacity, (w)->array.count + 1, \
						     sizeof(*(w)->array.items), MAX_ITEMS);      \
		if (room_r == 0)                                                                 \
			room_r = index_add(&(w)->by, (hash), (w)->array.count);                  \
		if (room_r == 0)                                                                 \
			(w)->used_bytes += (cost);                                               \
		room_r;                                                                          \
	})

static int find_series(struct window *w, const struct window_series *series, uint32_t *ret_id)
{
	uint64_t hash = hash_bytes(series, sizeof(*series));
	uint32_t id = index_find(&w->series_index, hash, series_equal, w, series);

	if (id == NO_ITEM) {
		int r = ROOM_FOR_ONE(w, series, series_index, hash, w->limits.series_bytes);

		if (r < 0)
			return r;
		id = w->series.count++;
		w->series.items[id] = *series;
	}
	*ret_id = id;
	return 0;
}

static int find_location(struct window *w, uint64_t address, uint32_t space, uint32_t *ret_id)
{
	const struct window_location key = { .address = address, .space = space };
	uint64_t hash = hash_bytes(&key, sizeof(key));
	uint32_t id = index_find(&w->location_index, hash, location_equal, w, &key);

	if (id == NO_ITEM) {
		int r = ROOM_FOR_ONE(w, locations, location_index, hash, w->limits.location_bytes);

		if (r < 0)
			return r;
		id = w->locations.count++;
		w->locations.items[id] = key;
	}
	*ret_id = id;
	return 0;
}

static int find_node(struct window *w, uint32_t parent, const struct window_frame *f,
		     uint32_t *ret_id)
{
	const struct node_key key = {
		.address = f->address, .space = f->space, .parent = parent, .flags = f->flags
	};
	uint64_t hash = hash_bytes(&key, sizeof(key));
	uint32_t id = index_find(&w->node_index, hash, node_equal, w, &key);

	if (id == NO_ITEM) {
		uint32_t location;
		int r = find_location(w, f->address, f->space, &location);

		if (r < 0)
			return r;
		r = ROOM_FOR_ONE(w, nodes, node_index, hash, w->limits.node_bytes);
		if (r < 0)
			return r;
		id = w->nodes.count++;
		w->nodes.items[id] = (struct window_node){ parent, location, f->flags };
	}
	*ret_id = id;
	return 0;
}

static int find_sample(struct window *w, uint32_t series, uint32_t node, uint32_t *ret_id)
{
	const struct window_sample key = { .series = series, .node = node };
	uint64_t hash = hash_bytes(&key, offsetof(struct window_sample, count));
	uint32_t id = index_find(&w->sample_index, hash, sample_equal, w, &key);

	if (id == NO_ITEM) {
		int r = ROOM_FOR_ONE(w, samples, sample_index, hash, w->limits.sample_bytes);

		if (r < 0)
			return r;
		id = w->samples.count++;
		w->samples.items[id] = key;
	}
	*ret_id = id;
	return 0;
}

/* 0, or -ENOMEM / -E2BIG: there is no room for another moment. */
static int moment_reserve(struct window *w)
{
	if (!w->limits.moment_bytes)
		return 0;
	/* Beside a sample that may be new. */
	if (w->limits.moment_bytes + w->limits.sample_bytes > w->limits.bytes - w->used_bytes)
		return -E2BIG;
	return array_reserve((void **)&w->moments.items, &w->moments.capacity, w->moments.count + 1,
			     sizeof(*w->moments.items), MAX_ITEMS);
}

/* Behind moment_reserve(). */
static void moment_note(struct window *w, uint32_t sample, uint64_t time_ns)
{
	uint64_t slot = time_ns > w->start_ns ? (time_ns - w->start_ns) / WINDOW_SLOT_NS : 0;

	if (!w->limits.moment_bytes)
		return;
	w->moments.items[w->moments.count++] =
		(struct window_moment){ sample, slot < UINT16_MAX ? (uint32_t)slot : UINT16_MAX };
	w->used_bytes += w->limits.moment_bytes;
}

void window_clear_samples(struct window *w, uint64_t start_ns)
{
	w->used_bytes -= (uint64_t)w->samples.count * w->limits.sample_bytes +
			 (uint64_t)w->moments.count * w->limits.moment_bytes;
	/* As few come again, mostly; what one burst took is not kept. */
	index_release(&w->sample_index);
	array_release(&w->samples);
	array_release(&w->moments);
	w->start_ns = start_ns;
}

bool window_knows(const struct window *w, uint64_t address, uint32_t space)
{
	const struct window_location key = { .address = address, .space = space };

	return index_find(&w->location_index, hash_bytes(&key, sizeof(key)), location_equal, w,
			  &key) != NO_ITEM;
}

int window_add(struct window *w, const struct window_series *series,
	       const struct window_frame *frames, uint32_t frame_count, uint64_t time_ns,
	       uint64_t value)
{
	uint32_t series_id, sample_id, node = 0;
	struct window_sample *s;
	int r;

	r = find_series(w, series, &series_id);
	if (r < 0)
		return r;
	for (uint32_t i = frame_count; i-- > 0;) {
		r = find_node(w, node, &frames[i], &node);
		if (r < 0)
			return r;
	}
	r = moment_reserve(w);
	if (r < 0)
		return r;
	r = find_sample(w, series_id, node, &sample_id);
	if (r < 0)
		return r;
	moment_note(w, sample_id, time_ns);
	s = &w->samples.items[sample_id];
	s->count++;
	/* A recording can hold any number: a sum that would wrap stays at its end. */
	if (__builtin_add_overflow(s->value, value, &s->value))
		s->value = UINT64_MAX;
	return 0;
}
