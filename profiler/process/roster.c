// SPDX-License-Identifier: Apache-2.0
/*
 * Slots don't move, so that the sample path may keep a pointer. The index has no removal: a removed
 * process leaves an item whose slot no longer answers to the pid, and the index is built anew when
 * such items outnumber the living, which costs each removal a constant share. uthash was refused for
 * the sample path: one allocation and three cache misses a process.
 */
#include "profiler/process/roster.h"

#include <errno.h>
#include <stdlib.h>

#define NONE UINT32_MAX
/* Stale index items that are no reason to build it anew. */
#define STALE_ALLOWED 1024

int roster_init(struct roster *r, uint32_t max)
{
	*r = (struct roster){ .max = max, .free = NONE, .longest_dead = NONE, .latest_dead = NONE };
	r->slots = calloc(max, sizeof(*r->slots));
	return r->slots ? 0 : -ENOMEM;
}

void roster_release(struct roster *r)
{
	for (uint32_t i = 0; i < r->high; i++)
		mapping_list_drop(r->slots[i].mappings);
	free(r->slots);
	index_release(&r->by_pid);
	*r = (struct roster){ 0 };
}

static uint32_t number_of(const struct roster *r, const struct process *p)
{
	return (uint32_t)(p - r->slots);
}

static uint64_t hash_pid(uint32_t pid)
{
	return hash_bytes(&pid, sizeof(pid));
}

static bool pid_equal(const void *owner, uint32_t item, const void *key)
{
	const struct process *p = &((const struct roster *)owner)->slots[item];

	return p->used && p->pid == *(const uint32_t *)key;
}

struct process *roster_find(struct roster *r, uint32_t pid)
{
	uint32_t i;

	if (r->last_found && r->last_found->used && r->last_found->pid == pid)
		return r->last_found;
	i = index_find(&r->by_pid, hash_pid(pid), pid_equal, r, &pid);
	if (i == NONE)
		return NULL;
	r->last_found = &r->slots[i];
	return r->last_found;
}

/* An index without stale items; the old one stays if there is no memory. */
static void index_renew(struct roster *r)
{
	struct index fresh = { 0 };

	for (uint32_t i = 0; i < r->high; i++) {
		if (r->slots[i].used && index_add(&fresh, hash_pid(r->slots[i].pid), i) < 0) {
			index_release(&fresh);
			return;
		}
	}
	index_release(&r->by_pid);
	r->by_pid = fresh;
}

struct process *roster_add(struct roster *r, uint32_t pid)
{
	uint32_t i = r->free != NONE ? r->free : r->high;
	struct process *p;

	if (i >= r->max)
		return NULL;
	if (r->by_pid.used - r->live > r->live + STALE_ALLOWED)
		index_renew(r);
	if (index_add(&r->by_pid, hash_pid(pid), i) < 0)
		return NULL;
	p = &r->slots[i];
	if (i == r->free)
		r->free = p->next;
	else
		r->high++;
	*p = (struct process){ .pid = pid, .used = true };
	r->live++;
	return p;
}

void roster_remove(struct roster *r, struct process *p)
{
	roster_revive(r, p);
	mapping_list_drop(p->mappings);
	*p = (struct process){ .next = r->free };
	r->free = number_of(r, p);
	r->live--;
}

void roster_bury(struct roster *r, struct process *p, uint64_t time_ns)
{
	uint32_t number = number_of(r, p);

	if (p->dead && p->dead_ns >= time_ns)
		return;
	roster_revive(r, p);
	p->dead = true;
	p->dead_ns = time_ns;
	p->next = NONE;
	p->previous = r->latest_dead;
	*(r->latest_dead == NONE ? &r->longest_dead : &r->slots[r->latest_dead].next) = number;
	r->latest_dead = number;
}

void roster_revive(struct roster *r, struct process *p)
{
	if (!p->dead)
		return;
	p->dead = false;
	*(p->previous == NONE ? &r->longest_dead : &r->slots[p->previous].next) = p->next;
	*(p->next == NONE ? &r->latest_dead : &r->slots[p->next].previous) = p->previous;
}

struct process *roster_longest_dead(struct roster *r)
{
	return r->longest_dead == NONE ? NULL : &r->slots[r->longest_dead];
}

struct process *roster_next(struct roster *r, struct process *p)
{
	for (uint32_t i = p ? number_of(r, p) + 1 : 0; i < r->high; i++)
		if (r->slots[i].used)
			return &r->slots[i];
	return NULL;
}
