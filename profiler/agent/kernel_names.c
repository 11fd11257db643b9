// SPDX-License-Identifier: Apache-2.0
/*
 * Places sorted by address, which don't overlap: what the symbolizer says of a kernel's function reaches from its symbol to the next
 * one. New ones are sorted in once for each reply.
 *
 * Once all larger functions are asked about, since reading the list costs the same for one; then, whenever one was met that wasn't known,
 * some of what lies between those that are. Left to those that are met it never ends: a busy machine meets a few small ones in each window, and
 * the readings were half of what the symbolizer cost.
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
#include "profiler/base/buffer.h"

#define MAX_NAME_BYTES ((size_t)4 << 20)
#define MAX_MODULE_NAME 128
#define MAX_HOME_BYTES (1u << 20)

/* A function of so many bytes is found by the grid; most kernels' code ends before it does. */
#define GRID_BYTES 768u
/* Between two that are known; and how often in an epoch, as some addresses are no function's. */
#define GAP_BYTES 128u
#define GAP_ROUNDS 12u
#define AHEAD_MAX (KERNEL_NAMES_MAX / 8 * 7) /* room for what is met */

/* The kernel, or a module. */
struct home {
	const char *name; /* "[kernel.kallsyms]", "[ext4]" */
	struct profile_mapping mapping; /* without texts */
	uint64_t base; /* that addresses of a profile are relative to */
	uint32_t entered; /* in the profile + 1; 0: it isn't */
	bool is_module;
};

/* There may be 120,000 of them. */
struct place {
	uint64_t start; /* a kernel address */
	uint32_t bytes;
	uint32_t name, system_name; /* in `texts`; NAMELESS: nobody's */
	uint32_t home;
	uint32_t entered; /* the function's number in the profile + 1 */
};
#define NAMELESS UINT32_MAX

struct kernel_names {
	ARRAY(struct place) places; /* by start */
	ARRAY(struct home) homes;
	struct buffer texts; /* each with its NUL */
	struct arena home_names;
	uint64_t kernel; /* where its code begins; 0: not known */
	uint64_t kernel_bytes; /* up to its end, data included */
	bool grid_taken, missed;
	uint32_t gap_rounds;
	uint64_t gap_from; /* where the next round begins */
};

static uint64_t place_end(const struct place *p)
{
	return p->start + p->bytes;
}

static const char *text(const struct kernel_names *k, uint32_t off)
{
	return k->texts.data + off;
}

int kernel_names_new(struct kernel_names **ret)
{
	struct kernel_names *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	buffer_init(&k->texts, MAX_NAME_BYTES);
	arena_init(&k->home_names, MAX_HOME_BYTES);
	*ret = k;
	return 0;
}

static void forget(struct kernel_names *k)
{
	array_release(&k->places);
	array_release(&k->homes);
	buffer_release(&k->texts);
	buffer_init(&k->texts, MAX_NAME_BYTES);
	arena_release(&k->home_names);
	k->grid_taken = false;
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

		if (place_end(&k->places.items[middle]) > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low < count && k->places.items[low].start <= address ? &k->places.items[low] : NULL;
}

/* ---- learning ---- */

static int home_get(struct kernel_names *k, const struct symbols *s, const struct symbol_module *m,
		    uint64_t base, uint32_t *ret)
{
	const char *said = s->strings + m->name;
	char name[MAX_MODULE_NAME] = "[kernel.kallsyms]";
	struct home *h;

	if (*said)
		snprintf(name, sizeof(name), "[%s]", said);
	for (uint32_t i = 0; i < k->homes.count; i++) {
		h = &k->homes.items[i];
		if (!strcmp(h->name, name) && h->base == base && h->mapping.start == m->start &&
		    h->mapping.limit == m->limit) {
			*ret = i;
			return 0;
		}
	}
	h = array_push(&k->homes, KERNEL_NAMES_MAX);
	if (!h)
		return -ENOMEM;
	*h = (struct home){
		.name = arena_copy(&k->home_names, name, strlen(name)),
		.base = base,
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

	return p && p->start == address - a->vaddr + f->start && p->bytes == f->size &&
	       !strcmp(text(k, p->system_name), s->strings + f->system_name);
}

/* 0; -ENOMEM, -E2BIG. */
static int text_add(struct kernel_names *k, const char *name, uint32_t *ret)
{
	*ret = (uint32_t)k->texts.len;
	buffer_append(&k->texts, name, strlen(name) + 1);
	return buffer_error(&k->texts);
}

/* 0, or -ENOMEM, -E2BIG: there is no room. */
static int place_add(struct kernel_names *k, const struct symbols *s, const struct symbol_answer *a,
		     uint64_t address)
{
	const struct symbol_function *f = &s->functions[a->function];
	uint64_t base = address - a->vaddr;
	struct place *p, place = { .start = base + f->start, .bytes = (uint32_t)f->size };
	int r = home_get(k, s, &s->modules[a->module], base, &place.home);

	if (r < 0)
		return r;
	if (!k->homes.items[place.home].is_module) {
		k->kernel = base;
		k->kernel_bytes = k->homes.items[place.home].mapping.limit;
	}
	r = text_add(k, s->strings + f->name, &place.name);
	place.system_name = place.name;
	if (r == 0 && f->name != f->system_name)
		r = text_add(k, s->strings + f->system_name, &place.system_name);
	if (r < 0)
		return r;
	p = array_push(&k->places, KERNEL_NAMES_MAX);
	if (!p)
		return -E2BIG;
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

		if (last && place_end(last) > p->start) {
			if (place_end(p) > place_end(last))
				last->bytes = (uint32_t)(place_end(p) - last->start);
			last->name = NAMELESS;
			continue;
		}
		k->places.items[kept++] = *p;
	}
	k->places.count = kept;
	for (uint32_t i = kept = 0; i < k->places.count; i++)
		if (k->places.items[i].name != NAMELESS)
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
		    s->functions[a->function].size > UINT32_MAX / 2 ||
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

static uint32_t grid(struct kernel_names *k, uint64_t *addresses)
{
	uint32_t count = 0;

	k->grid_taken = true;
	while (count < KERNEL_NAMES_AHEAD && count * GRID_BYTES < k->kernel_bytes) {
		addresses[count] = k->kernel + count * GRID_BYTES;
		count++;
	}
	return count;
}

/* What lies between two of the kernel's own that are known. */
static uint32_t gaps(struct kernel_names *k, uint64_t *addresses, uint32_t most)
{
	uint64_t from = k->gap_from;
	uint32_t count = 0;

	k->gap_rounds++;
	k->gap_from = 0;
	for (uint32_t i = 0; i + 1 < k->places.count; i++) {
		const struct place *p = &k->places.items[i];
		uint64_t at = place_end(p), end = p[1].start;

		if (k->homes.items[p->home].is_module || k->homes.items[p[1].home].is_module)
			continue;
		for (at = at < from ? from : at; at < end; at += GAP_BYTES) {
			if (count == most) {
				k->gap_from = at;
				return count;
			}
			addresses[count++] = at;
		}
	}
	return count;
}

uint32_t kernel_names_ahead(struct kernel_names *k, uint64_t ret_addresses[KERNEL_NAMES_AHEAD])
{
	uint32_t room = k->places.count < AHEAD_MAX ? AHEAD_MAX - k->places.count : 0;

	if (!k->kernel || !k->missed)
		return 0;
	k->missed = false;
	if (!k->grid_taken)
		return grid(k, ret_addresses);
	if (k->gap_rounds == GAP_ROUNDS || k->texts.len > MAX_NAME_BYTES / 8 * 7)
		return 0;
	return gaps(k, ret_addresses, room < KERNEL_NAMES_AHEAD ? room : KERNEL_NAMES_AHEAD);
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

	k->missed |= !place;
	if (!place || (!place->entered && entry_names_are_full(p)))
		return 0;
	mapping = home_enter(&k->homes.items[place->home], p);
	if (mapping < 0)
		return mapping;
	function = place->entered ? (int)place->entered - 1
				  : entry_function(p, text(k, place->name),
						   text(k, place->system_name), "");
	if (function < 0)
		return function;
	place->entered = (uint32_t)function + 1;
	*ret = (struct site){ .address = address - k->homes.items[place->home].base,
			      .mapping = (uint32_t)mapping,
			      .named = 1,
			      .id = (uint32_t)function };
	return 1;
}

void kernel_names_turn(struct kernel_names *k)
{
	uint32_t kept = 0;

	k->gap_rounds = 0;
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
