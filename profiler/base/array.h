/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing array of plain items with a maximum given when it grows. The owner keeps three fields:
 * items, count and capacity; `array_push(&x, max)` makes room for one more and returns it.
 */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/*
 * Makes room for `need` items of `size` bytes. Returns 0, -ENOMEM, or -E2BIG when need > max; the
 * array is unchanged on failure.
 */
int array_reserve(void **items, uint32_t *capacity, uint64_t need, size_t size, uint32_t max);

/* `struct { T *items; uint32_t count, capacity; }` */
#define ARRAY(type)                       \
	struct {                          \
		type *items;              \
		uint32_t count, capacity; \
	}

/* Room for one more item: a pointer to it (its bytes are not set), or NULL. */
#define array_push(a, max)                                                      \
	(array_reserve((void **)&(a)->items, &(a)->capacity, (a)->count + 1ULL, \
		       sizeof(*(a)->items), (max)) < 0                          \
		 ? NULL                                                         \
		 : &(a)->items[(a)->count++])

#define array_release(a)           \
	do {                       \
		free((a)->items);  \
		(a)->items = NULL; \
		(a)->count = 0;    \
		(a)->capacity = 0; \
	} while (0)

#endif
