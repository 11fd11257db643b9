// SPDX-License-Identifier: Apache-2.0
/*
 * A short list. Refused: files of slow file systems. A copy of one takes memory, not just a descriptor.
 */
#include "profiler/agent/held.h"

#include "profiler/base/cleanup.h"

struct held_file *held_find(struct held *h, uint32_t file)
{
	for (uint32_t i = 0; i < h->count; i++)
		if (h->items[i].file == file)
			return &h->items[i];
	return NULL;
}

static void close_all(struct held_file *f)
{
	fd_close(&f->fd);
	line_files_close(&f->lines);
}

void held_add(struct held *h, const struct held_file *file, const uint64_t *heat,
	      struct counters *counters)
{
	struct held_file added = *file, *coldest = &added;

	if (h->count < HELD_MAX) {
		h->items[h->count++] = added;
		return;
	}
	counter_add(counters, COUNTER_LINES_LET_GO, 1);
	for (uint32_t i = 0; i < h->count; i++)
		if (heat[h->items[i].file] < heat[coldest->file])
			coldest = &h->items[i];
	close_all(coldest);
	*coldest = added;
}

void held_release(struct held *h)
{
	for (uint32_t i = 0; i < h->count; i++)
		close_all(&h->items[i]);
	h->count = 0;
}
