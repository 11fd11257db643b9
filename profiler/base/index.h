/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open-addressing hash index: from a hash to the number of an item in an array that the caller
 * owns. It stores no keys: the caller's callback compares. One cache line for most look-ups, which is
 * why the sample path uses it; cold tables may use uthash.
 */
#ifndef BASE_INDEX_H
#define BASE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct index_slot;

struct index {
	struct index_slot *slots;
	uint32_t capacity; /* a power of two, or 0 */
	uint32_t used;
};

/* Is item `item` of `owner` the one that `key` names? */
typedef bool (*index_equal_fn)(const void *owner, uint32_t item, const void *key);

void index_release(struct index *x);

/* The item, or UINT32_MAX if there is none. */
uint32_t index_find(const struct index *x, uint64_t hash, index_equal_fn equal, const void *owner,
		    const void *key);

/* Adds an item that is not there yet. 0 or -ENOMEM. Items number at most 2^30. */
int index_add(struct index *x, uint64_t hash, uint32_t item);

/* 64 bits that no one outside can foresee: another process gives others. Not for files or sockets. */
uint64_t hash_bytes(const void *bytes, size_t len);

#endif
