// SPDX-License-Identifier: Apache-2.0
/*
 * Reads each process's parent, sorts by it, and goes from the ancestors down: a list that grows at its
 * end while it is walked. A pid goes in once, so a circle, which a pid that was reused between two reads
 * can make, ends by itself. /proc/PID/task/TID/children was refused: it takes a read for each thread, it
 * is only there if the kernel was built for checkpoints, and it is exact only for stopped processes.
 */
#include "profiler/process/descendants.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "profiler/base/array.h"
#include "profiler/base/cleanup.h"
#include "profiler/process/stat.h"

#define MAX_PIDS_BYTES ((size_t)16 << 20)
#define MAX_STAT_BYTES 4096
#define MAX_PROCESSES (1U << 22) /* the kernel's own limit of pids */
#define NONE UINT32_MAX

struct birth {
	uint32_t parent, pid;
};

struct births {
	ARRAY(struct birth) list;
};

static void births_release(struct births *b)
{
	array_release(&b->list);
}

void descendants_init(struct descendants *d, uint32_t max)
{
	*d = (struct descendants){ .max = max };
}

void descendants_release(struct descendants *d)
{
	array_release(d);
	index_release(&d->by_pid);
}

static bool pid_equal(const void *owner, uint32_t item, const void *key)
{
	return ((const struct descendants *)owner)->items[item] == *(const uint32_t *)key;
}

int descendants_add(struct descendants *d, uint32_t pid)
{
	uint64_t hash = hash_bytes(&pid, sizeof(pid));
	uint32_t *item;

	if (index_find(&d->by_pid, hash, pid_equal, d, &pid) != NONE)
		return 0;
	item = array_push(d, d->max);
	if (!item)
		return d->count < d->max ? -ENOMEM : -E2BIG;
	*item = pid;
	if (index_add(&d->by_pid, hash, d->count - 1) == 0)
		return 0;
	d->count--;
	return -ENOMEM;
}

/* 0, or why its parent is not known: -ESRCH if it is gone. `stat` is for the text. */
static int parent_read(const struct process_source *source, uint32_t pid, struct buffer *stat,
		       uint32_t *ret_parent)
{
	int r;

	buffer_clear(stat);
	r = source->read(source->ctx, PROCESS_TEXT_STAT, pid, stat);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	return stat_parent_parse(stat->data, stat->len, ret_parent);
}

static int births_read(struct births *b, const struct process_source *source,
		       struct counters *counters)
{
	_cleanup_(buffer_release) struct buffer pids = BUFFER_INIT(MAX_PIDS_BYTES);
	_cleanup_(buffer_release) struct buffer stat = BUFFER_INIT(MAX_STAT_BYTES);
	uint32_t pid, parent;
	size_t at = 0;
	int r = source->read(source->ctx, PROCESS_TEXT_PIDS, 0, &pids);

	if (r < 0)
		return r;
	while (process_pids_next(&pids, &at, &pid)) {
		struct birth *birth;

		r = parent_read(source, pid, &stat, &parent);
		if (r == -ENOMEM)
			return r;
		if (r < 0 && r != -ESRCH)
			counter_add(counters, COUNTER_PROC_UNREADABLE, 1);
		if (r < 0)
			continue;
		birth = array_push(&b->list, MAX_PROCESSES);
		if (!birth)
			return b->list.count < MAX_PROCESSES ? -ENOMEM : -E2BIG;
		*birth = (struct birth){ .parent = parent, .pid = pid };
	}
	return 0;
}

static int by_parent(const void *one, const void *other)
{
	uint32_t a = ((const struct birth *)one)->parent;
	uint32_t b = ((const struct birth *)other)->parent;

	return (a > b) - (a < b);
}

/* Where the children of `parent` begin, if it has any. */
static uint32_t first_child(const struct births *b, uint32_t parent)
{
	uint32_t low = 0, high = b->list.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (b->list.items[middle].parent < parent)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int children_add(struct descendants *d, const struct births *b, uint32_t parent)
{
	int r = 0;

	for (uint32_t i = first_child(b, parent);
	     r == 0 && i < b->list.count && b->list.items[i].parent == parent; i++)
		r = descendants_add(d, b->list.items[i].pid);
	return r;
}

int descendants_find(struct descendants *d, const struct process_source *source,
		     struct counters *counters)
{
	_cleanup_(births_release) struct births births = { 0 };
	int r = births_read(&births, source, counters);

	if (r < 0)
		return r;
	if (births.list.count)
		qsort(births.list.items, births.list.count, sizeof(*births.list.items), by_parent);
	for (uint32_t i = 0; r == 0 && i < d->count; i++)
		r = children_add(d, &births, d->items[i]);
	return r;
}
