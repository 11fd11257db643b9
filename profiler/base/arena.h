/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that is dropped whole: what a window or a profile builds lives in one arena. Chunks come from
 * malloc; nothing is freed alone. Under AddressSanitizer unused bytes are poisoned.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *head;
	size_t used_bytes; /* what was asked of malloc so far, ≤ max_bytes */
	size_t max_bytes;
};

void arena_init(struct arena *a, size_t max_bytes);
/* Frees everything; the arena can be used again. */
void arena_release(struct arena *a);

/*
 * `size` bytes, zeroed and aligned for any type; NULL when memory or the limit is exhausted (the arena
 * stays usable).
 */
void *arena_alloc(struct arena *a, size_t size);

/* A NUL-terminated copy of `len` bytes. */
char *arena_copy(struct arena *a, const char *s, size_t len);

#endif
