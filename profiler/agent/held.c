// SPDX-License-Identifier: Apache-2.0
/*
 * A short list. A container's files are held while one of its processes lives, whose mappings keep its mounts as well. Refused:
 * to hold them longer, as then somebody wants to take these down; files of slow file systems, of which a copy takes memory.
 */
#include "profiler/agent/held.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"

void held_init(struct held *h, const struct file_table *files, struct counters *counters)
{
	static const char *const places[HELD_DEVICES] = { "/", "/usr" };

	*h = (struct held){ .files = files, .counters = counters };
	for (uint32_t i = 0; i < HELD_DEVICES; i++) {
		struct stat st;

		if (stat(places[i], &st) == 0)
			h->devices[i] = st.st_dev;
	}
}

bool held_allows(const struct held *h, int fd)
{
	struct stat st;

	/* Not fstat(), of which libraries make a call with an empty path: a filter can't look at one. */
	if (syscall(SYS_fstat, fd, &st) < 0 || !st.st_nlink)
		return false;
	for (uint32_t i = 0; i < HELD_DEVICES; i++)
		if (h->devices[i] && h->devices[i] == st.st_dev)
			return true;
	return file_table_uses_device(h->files, st.st_dev);
}

void held_refused(const struct held *h)
{
	if (h->counters)
		counter_add(h->counters, COUNTER_LINES_LET_GO, 1);
}

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

bool held_is_full(const struct held *h)
{
	return h->count == HELD_MAX;
}

void held_add(struct held *h, const struct held_file *file, const uint64_t *heat)
{
	struct held_file added = *file, *coldest = &added;

	if (!held_is_full(h)) {
		h->items[h->count++] = added;
		return;
	}
	held_refused(h);
	for (uint32_t i = 0; i < h->count; i++)
		if (heat[h->items[i].file] < heat[coldest->file])
			coldest = &h->items[i];
	close_all(coldest);
	*coldest = added;
}

static void remove_at(struct held *h, uint32_t i)
{
	close_all(&h->items[i]);
	h->items[i] = h->items[--h->count];
}

void held_review(struct held *h, uint64_t now_ns)
{
	for (uint32_t i = h->count; i-- > 0;) {
		const struct held_file *f = &h->items[i];

		if (f->until_ns ? now_ns < f->until_ns : held_allows(h, f->fd))
			continue;
		held_refused(h);
		remove_at(h, i);
	}
}

void held_drop(struct held *h, uint32_t file)
{
	const struct held_file *f = held_find(h, file);

	if (f)
		remove_at(h, (uint32_t)(f - h->items));
}

void held_release(struct held *h)
{
	for (uint32_t i = 0; i < h->count; i++)
		close_all(&h->items[i]);
	h->count = 0;
}
