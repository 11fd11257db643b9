// SPDX-License-Identifier: Apache-2.0
/*
 * One sorted array in one block with its count of users. A tree would insert faster into thousands of
 * mappings, but a look-up happens for each frame of each sample and an insertion for each mmap: the
 * array gives the fewest cache misses, and a child of fork costs one addition.
 */
#include "profiler/process/mapping_list.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct mapping_list {
	struct mapping_budget *budget;
	uint32_t users;
	uint32_t count;
	uint32_t capacity;
	struct mapping items[];
};

struct mapping_list *mapping_list_share(struct mapping_list *l)
{
	if (l)
		l->users++;
	return l;
}

void mapping_list_drop(struct mapping_list *l)
{
	if (!l || --l->users > 0)
		return;
	l->budget->used -= l->capacity;
	free(l);
}

uint32_t mapping_list_count(const struct mapping_list *l)
{
	return l ? l->count : 0;
}

const struct mapping *mapping_list_at(const struct mapping_list *l, uint32_t i)
{
	return &l->items[i];
}

void mapping_list_settle(struct mapping_list *l, uint32_t i, enum mapping_kind kind, uint32_t file)
{
	l->items[i].kind = kind;
	l->items[i].file = file;
}

/* The first mapping that ends beyond `addr`; count if there is none. */
static uint32_t first_beyond(const struct mapping_list *l, uint64_t addr)
{
	uint32_t low = 0, high = mapping_list_count(l);

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (l->items[middle].end > addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

uint32_t mapping_list_find(const struct mapping_list *l, uint64_t addr, uint32_t hint)
{
	uint32_t i;

	if (!l)
		return UINT32_MAX;
	if (hint < l->count && addr >= l->items[hint].start && addr < l->items[hint].end)
		return hint;
	i = first_beyond(l, addr);
	return i < l->count && addr >= l->items[i].start ? i : UINT32_MAX;
}

/* A list of our own with room for `need` mappings, which are at least those that it has. */
static int make_own(struct mapping_list **l, struct mapping_budget *budget, uint32_t need)
{
	struct mapping_list *old = *l, *own;
	bool shared = old && old->users > 1;
	uint32_t capacity = need + need / 2 + 4;
	uint32_t given_back = old && !shared ? old->capacity : 0;

	if (old && !shared && need <= old->capacity)
		return 0;
	if (capacity - given_back > budget->max - budget->used)
		return -E2BIG;
	own = realloc(shared ? NULL : old, sizeof(*own) + capacity * sizeof(own->items[0]));
	if (!own)
		return -ENOMEM;
	if (!old)
		own->count = 0;
	if (shared) {
		own->count = old->count;
		memcpy(own->items, old->items, old->count * sizeof(own->items[0]));
		old->users--;
	}
	own->budget = budget;
	own->users = 1;
	own->capacity = capacity;
	budget->used += capacity - given_back;
	*l = own;
	return 0;
}

static bool mapping_equal(const struct mapping *a, const struct mapping *b)
{
	return a->start == b->start && a->end == b->end && a->offset == b->offset &&
	       a->file == b->file && a->kind == b->kind;
}

/* Where both are, they are the same. */
static bool mapping_agrees(const struct mapping *a, const struct mapping *b)
{
	if (a->kind != b->kind || a->file != b->file)
		return false;
	return a->kind == MAPPING_ANONYMOUS || a->offset - a->start == b->offset - b->start;
}

/* When `m`, put in over these, took the place of something else. */
static uint64_t replaced_when(const struct mapping *m, const struct mapping *under, uint32_t count)
{
	uint64_t latest = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (!mapping_agrees(&under[i], m))
			return m->replaced_ns;
		if (under[i].replaced_ns > latest)
			latest = under[i].replaced_ns;
	}
	return latest;
}

/* What is left of `m` from `start` on. */
static struct mapping mapping_tail(const struct mapping *m, uint64_t start)
{
	struct mapping tail = *m;

	tail.start = start;
	if (m->kind == MAPPING_FILE || m->kind == MAPPING_VDSO)
		tail.offset += start - m->start;
	return tail;
}

int mapping_list_insert(struct mapping_list **l, struct mapping_budget *budget,
			const struct mapping *m)
{
	uint32_t count = mapping_list_count(*l);
	uint32_t first = first_beyond(*l, m->start), last = first; /* [first, last) overlap m */
	struct mapping pieces[3], *items;
	uint32_t n = 0, after;
	int r;

	while (last < count && (*l)->items[last].start < m->end)
		last++;
	if (last == first + 1 && mapping_equal(&(*l)->items[first], m))
		return 0;
	if (last > first && (*l)->items[first].start < m->start) {
		pieces[n] = (*l)->items[first];
		pieces[n++].end = m->start;
	}
	pieces[n] = *m;
	pieces[n++].replaced_ns = last > first ? replaced_when(m, &(*l)->items[first], last - first)
					       : 0;
	if (last > first && (*l)->items[last - 1].end > m->end)
		pieces[n++] = mapping_tail(&(*l)->items[last - 1], m->end);

	after = count - (last - first) + n;
	if (after > PROCESS_MAX_MAPPINGS && after > count)
		return -E2BIG;
	r = make_own(l, budget, after > count ? after : count);
	if (r < 0)
		return r;
	items = (*l)->items;
	memmove(items + first + n, items + last, (count - last) * sizeof(*items));
	memcpy(items + first, pieces, n * sizeof(*items));
	(*l)->count = after;
	return 0;
}
