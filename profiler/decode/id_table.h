/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the ids of a file, any 64-bit numbers, to the items that have them, in the order of ids.
 */
#ifndef DECODE_ID_TABLE_H
#define DECODE_ID_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct id_slot {
	uint64_t id;
	uint32_t item; /* position in the file */
	uint32_t number; /* for the caller: what it became */
};

struct id_table {
	struct id_slot *slots; /* by id */
	uint32_t count;
};

/* `count` slots with the items numbered; the caller sets their ids. 0 or -ENOMEM, -E2BIG. */
int id_table_init(struct id_table *t, size_t count);
void id_table_release(struct id_table *t);

/* Sorts, when all ids are set. 0; -EINVAL, then *ret_id is 0 or an id that is there twice. */
int id_table_sort(struct id_table *t, uint64_t *ret_id);

/* NULL if there is no such id. */
struct id_slot *id_table_find(const struct id_table *t, uint64_t id);

#endif
