// SPDX-License-Identifier: Apache-2.0
/*
 * A sorted array. Ids are 1, 2, 3 … in every file that was seen: then the first look is right, and nothing is
 * searched for.
 */
#include "profiler/decode/id_table.h"

#include <errno.h>
#include <stdlib.h>

int id_table_init(struct id_table *t, size_t count)
{
	if (count >= UINT32_MAX)
		return -E2BIG;
	t->slots = calloc(count + 1, sizeof(*t->slots));
	if (!t->slots)
		return -ENOMEM;
	t->count = (uint32_t)count;
	for (uint32_t i = 0; i < t->count; i++)
		t->slots[i].item = i;
	return 0;
}

void id_table_release(struct id_table *t)
{
	free(t->slots);
	*t = (struct id_table){ 0 };
}

static int compare_ids(const void *a, const void *b)
{
	const struct id_slot *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

int id_table_sort(struct id_table *t, uint64_t *ret_id)
{
	qsort(t->slots, t->count, sizeof(*t->slots), compare_ids);
	for (uint32_t i = 0; i < t->count; i++) {
		if (t->slots[i].id && (!i || t->slots[i].id != t->slots[i - 1].id))
			continue;
		*ret_id = t->slots[i].id;
		return -EINVAL;
	}
	return 0;
}

struct id_slot *id_table_find(const struct id_table *t, uint64_t id)
{
	const struct id_slot key = { .id = id };

	if (id && id <= t->count && t->slots[id - 1].id == id)
		return &t->slots[id - 1];
	return bsearch(&key, t->slots, t->count, sizeof(key), compare_ids);
}
