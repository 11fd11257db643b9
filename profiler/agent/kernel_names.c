// SPDX-License-Identifier: Apache-2.0
/*
 * Places sorted by address, which don't overlap: what the symbolizer says of a kernel's function reaches from its symbol to the next
 * one. New ones are sorted in once for each reply.
 *
 * The kernel's code is asked about ahead, a part of 2 MiB with each cut: reading the list costs the same for one address and for
 * 30,000. Without that a machine that builds and tests runs into some new functions every ten seconds, for an hour and more.
 */
#include "profiler/agent/kernel_names.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/agent/entry.h"
#include "profiler/base/arena.h"
#include "profiler/base/array.h"

#define MAX_NAME_BYTES ((size_t)5 << 20)
#define MAX_MODULE_NAME 128

/* A function of so many bytes is found by the grid, and three in four of the smaller ones. */
#define GRID_BYTES 64u

/* The kernel, or a module. */
struct home {
	const char *name; /* "[kernel.kallsyms]", "[ext4]" */
	struct profile_mapping mapping; /* without texts */
	uint32_t entered; /* in the profile + 1; 0: it isn't */
	bool is_module;
};

struct place {
	uint64_t start, end; /* kernel addresses */
	uint64_t base; /* that addresses of a profile are relative to */
	const char *name, *system_name;
	uint32_t home;
	uint32_t entered; /* the function's number in the profile + 1 */
};

struct kernel_names {
	ARRAY(struct place) places; /* by start */
	ARRAY(struct home) homes;
	struct arena texts;
	uint64_t kernel; /* where its code begins; 0: not known */
	uint64_t kernel_bytes; /* up to its end, data included */
	uint64_t grid; /* up to where it was learnt ahead */
	uint32_t ahead; /* places that there were before the last part of it; UINT32_MAX: that was the last */
};

int kernel_names_new(struct kernel_names **ret)
{
	struct kernel_names *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	arena_init(&k->texts, MAX_NAME_BYTES);
	*ret = k;
	return 0;
}

static void forget(struct kernel_names *k)
{
	array_release(&k->places);
	array_release(&k->homes);
	arena_release(&k->texts);
}

void kernel_names_free(struct kernel_names *k)
{
	if (!k)
		return;
	forget(k);
	free(k);
}

/* Among the first `count`, which are sorted. */
static struct place *place_find(struct kernel_names *k, uint32_t count, uint64_t address)
{
	uint32_t low = 0, high = count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (k->places.items[middle].end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low < count && k->places.items[low].start <= address ? &k->places.items[low] : NULL;
}

/* ---- learning ---- */

static int home_get(struct kernel_names *k, const struct symbols *s, const struct symbol_module *m,
		    uint32_t *ret)
{
	const char *said = s->strings + m->name;
	char name[MAX_MODULE_NAME] = "[kernel.kallsyms]";
	struct home *h;

	if (*said)
		snprintf(name, sizeof(name), "[%s]", said);
	for (uint32_t i = 0; i < k->homes.count; i++) {
		h = &k->homes.items[i];
		if (!strcmp(h->name, name) && h->mapping.start == m->start &&
		    h->mapping.limit == m->limit) {
			*ret = i;
			return 0;
		}
	}
	h = array_push(&k->homes, KERNEL_NAMES_MAX);
	if (!h)
		return -ENOMEM;
	*h = (struct home){
		.name = arena_copy(&k->texts, name, strlen(name)),
		.mapping = { .start = m->start,
			     .limit = m->limit,
			     .offset = m->offset,
			     .kind = PROFILE_MAPPING_KERNEL },
		.is_module = *said != '\0',
	};
	if (!h->name)
		k->homes.count--;
	*ret = k->homes.count - 1;
	return h->name ? 0 : -E2BIG;
}

/* Is it among the first `count` already, as it is? */
static bool place_is_known(struct kernel_names *k, uint32_t count, const struct symbols *s,
			   const struct symbol_answer *a, uint64_t address)
{
	const struct symbol_function *f = &s->functions[a->function];
	const struct place *p = place_find(k, count, address);

	return p && p->start == address - a->vaddr + f->start && p->end - p->start == f->size &&
	       !strcmp(p->system_name, s->strings + f->system_name);
}

/* 0, or -ENOMEM, -E2BIG: there is no room. */
static int place_add(struct kernel_names *k, const struct symbols *s, const struct symbol_answer *a,
		     uint64_t address)
{
	const struct symbol_function *f = &s->functions[a->function];
	const char *name = s->strings + f->name, *system_name = s->strings + f->system_name;
	uint64_t base = address - a->vaddr;
	struct place *p, place = { .start = base + f->start,
				   .end = base + f->start + f->size,
				   .base = base };
	int r = home_get(k, s, &s->modules[a->module], &place.home);

	if (r < 0)
		return r;
	if (!k->homes.items[place.home].is_module) {
		k->kernel = base;
		k->kernel_bytes = k->homes.items[place.home].mapping.limit;
	}
	place.name = arena_copy(&k->texts, name, strlen(name));
	place.system_name = f->name == f->system_name
				    ? place.name
				    : arena_copy(&k->texts, system_name, strlen(system_name));
	p = array_push(&k->places, KERNEL_NAMES_MAX);
	if (!p || !place.name || !place.system_name) {
		k->places.count -= p != NULL;
		return -E2BIG;
	}
	*p = place;
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* What overlaps, as a module has gone meanwhile, is the one or the other's: nobody's. */
static void overlaps_drop(struct kernel_names *k)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < k->places.count; i++) {
		struct place *p = &k->places.items[i],
			     *last = kept ? &k->places.items[kept - 1] : NULL;

		if (last && last->end > p->start) {
			if (p->end > last->end)
				last->end = p->end;
			last->name = NULL;
			continue;
		}
		k->places.items[kept++] = *p;
	}
	k->places.count = kept;
	for (uint32_t i = kept = 0; i < k->places.count; i++)
		if (k->places.items[i].name)
			k->places.items[kept++] = k->places.items[i];
	k->places.count = kept;
}

static bool is_bpf(const struct symbols *s, const struct symbol_answer *a)
{
	return strcmp(s->strings + s->modules[a->module].name, "bpf") == 0;
}

void kernel_names_learn(struct kernel_names *k, const struct symbols *s, const uint64_t *addresses,
			uint32_t count)
{
	uint32_t before = k->places.count;
	int r = 0;

	for (uint32_t i = 0; i < count && r == 0; i++) {
		const struct symbol_answer *a = &s->answers[i];

		/* Neighbours have the same one, which is known only when it was sorted in. */
		if (a->module == SYMBOLS_NONE || a->function == SYMBOLS_NONE || is_bpf(s, a) ||
		    (i && s->answers[i - 1].function == a->function))
			continue;
		if (!s->functions[a->function].size ||
		    place_is_known(k, before, s, a, addresses[i]))
			continue;
		r = place_add(k, s, a, addresses[i]);
	}
	if (r < 0) {
		forget(k);
		return;
	}
	if (k->places.count == before)
		return;
	qsort(k->places.items, k->places.count, sizeof(*k->places.items), by_start);
	overlaps_drop(k);
}

uint32_t kernel_names_grid(struct kernel_names *k, uint64_t ret_addresses[KERNEL_NAMES_GRID])
{
	uint32_t count = 0;

	/* Behind the code there is nothing to be learnt. */
	if (!k->kernel || k->ahead == UINT32_MAX)
		return 0;
	if (k->ahead == k->places.count || k->places.count > KERNEL_NAMES_MAX / 4 * 3 ||
	    k->texts.used_bytes > MAX_NAME_BYTES / 4 * 3) {
		k->ahead = UINT32_MAX;
		return 0;
	}
	k->ahead = k->places.count;
	while (count < KERNEL_NAMES_GRID && k->grid < k->kernel_bytes) {
		ret_addresses[count++] = k->kernel + k->grid;
		k->grid += GRID_BYTES;
	}
	return count;
}

/* ---- finding ---- */

static int home_enter(struct home *h, struct profile *p)
{
	int r = h->entered ? (int)h->entered - 1 : entry_mapping(p, h->name, "", h->mapping);

	if (r >= 0)
		h->entered = (uint32_t)r + 1;
	return r;
}

int kernel_names_find(struct kernel_names *k, struct profile *p, uint64_t address, struct site *ret)
{
	struct place *place = place_find(k, k->places.count, address);
	int mapping, function;

	if (!place || (!place->entered && entry_names_are_full(p)))
		return 0;
	mapping = home_enter(&k->homes.items[place->home], p);
	if (mapping < 0)
		return mapping;
	function = place->entered ? (int)place->entered - 1
				  : entry_function(p, place->name, place->system_name, "");
	if (function < 0)
		return function;
	place->entered = (uint32_t)function + 1;
	*ret = (struct site){ .address = address - place->base,
			      .mapping = (uint32_t)mapping,
			      .named = 1,
			      .id = (uint32_t)function };
	return 1;
}

void kernel_names_turn(struct kernel_names *k)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < k->places.count; i++) {
		struct place *p = &k->places.items[i];

		if (k->homes.items[p->home].is_module)
			continue;
		p->entered = 0;
		k->places.items[kept++] = *p;
	}
	k->places.count = kept;
	for (uint32_t i = 0; i < k->homes.count; i++)
		k->homes.items[i].entered = 0;
}
