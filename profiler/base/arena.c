// SPDX-License-Identifier: Apache-2.0
/*
 * A list of chunks, of which the first has the room. What needs more than a chunk gets one of its own.
 * Refused: freeing or growing single items; whoever needs that has array or buffer.
 */
#include "profiler/base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* gcc says it by a macro, clang by a feature. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(addr, size) ((void)(addr), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(addr, size) ((void)(addr), (void)(size))
#endif

#define CHUNK_BYTES ((size_t)64 << 10)

struct arena_chunk {
	struct arena_chunk *next;
	size_t size; /* of data[] */
	size_t used;
	alignas(max_align_t) unsigned char data[];
};

void arena_init(struct arena *a, size_t max_bytes)
{
	*a = (struct arena){ .max_bytes = max_bytes };
}

void arena_release(struct arena *a)
{
	struct arena_chunk *c = a->head;

	while (c) {
		struct arena_chunk *next = c->next;

		ASAN_UNPOISON_MEMORY_REGION(c->data, c->size);
		free(c);
		c = next;
	}
	a->head = NULL;
	a->used_bytes = 0;
}

/* As large as usual, as `need` asks for, or as the limit still allows. */
static struct arena_chunk *chunk_add(struct arena *a, size_t need)
{
	size_t left = a->max_bytes - a->used_bytes;
	size_t size = need > CHUNK_BYTES ? need : CHUNK_BYTES;
	struct arena_chunk *c;

	if (left < sizeof(*c) || need > left - sizeof(*c))
		return NULL;
	if (size > left - sizeof(*c))
		size = left - sizeof(*c);
	c = malloc(sizeof(*c) + size);
	if (!c)
		return NULL;
	c->next = a->head;
	c->size = size;
	c->used = 0;
	ASAN_POISON_MEMORY_REGION(c->data, c->size);
	a->head = c;
	a->used_bytes += sizeof(*c) + size;
	return c;
}

void *arena_alloc(struct arena *a, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct arena_chunk *c = a->head;
	size_t room;
	void *p;

	if (size > SIZE_MAX / 2)
		return NULL;
	room = (size + align - 1) & ~(align - 1);
	if (!c || room > c->size - c->used)
		c = chunk_add(a, room);
	if (!c)
		return NULL;
	p = c->data + c->used;
	c->used += room;
	ASAN_UNPOISON_MEMORY_REGION(p, size);
	return memset(p, 0, size);
}

char *arena_copy(struct arena *a, const char *s, size_t len)
{
	char *p = arena_alloc(a, len + 1);

	if (p)
		memcpy(p, s, len);
	return p;
}
