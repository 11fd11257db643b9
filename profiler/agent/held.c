// SPDX-License-Identifier: Apache-2.0
/*
 * A short list. Refused: files in containers, whose mounts somebody wants to take down when they have ended; and those of slow
 * file systems, of which a copy takes memory.
 */
#include "profiler/agent/held.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"

void held_init(struct held *h)
{
	static const char *const places[HELD_DEVICES] = { "/", "/usr" };

	*h = (struct held){ 0 };
	for (uint32_t i = 0; i < HELD_DEVICES; i++) {
		struct stat st;

		if (stat(places[i], &st) == 0)
			h->devices[i] = st.st_dev;
	}
}

/* Not fstat(), of which libraries make a call with an empty path: a filter can't look at one. */
static bool has_name(int fd, struct stat *ret)
{
	return syscall(SYS_fstat, fd, ret) == 0 && ret->st_nlink;
}

bool held_allows(const struct held *h, int fd)
{
	struct stat st;

	if (!has_name(fd, &st))
		return false;
	for (uint32_t i = 0; i < HELD_DEVICES; i++)
		if (h->devices[i] && h->devices[i] == st.st_dev)
			return true;
	return false;
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

void held_review(struct held *h, struct counters *counters)
{
	for (uint32_t i = h->count; i-- > 0;) {
		struct stat st;

		if (has_name(h->items[i].fd, &st))
			continue;
		counter_add(counters, COUNTER_LINES_LET_GO, 1);
		close_all(&h->items[i]);
		h->items[i] = h->items[--h->count];
	}
}

void held_release(struct held *h)
{
	for (uint32_t i = 0; i < h->count; i++)
		close_all(&h->items[i]);
	h->count = 0;
}
