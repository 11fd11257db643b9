// SPDX-License-Identifier: Apache-2.0
/*
 * A catalog, and a descriptor for each of its files. What a file is called is made anew from what came, so that nobody's
 * name gets into a sentence.
 *
 * Refused: a table by name. A store has some hundred files, and each is asked for once.
 */
#include "profiler/store/handed.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/store/level.h"

int handed_take(struct handed *h, const void *bytes, size_t len, int *fd)
{
	struct handed_file *file;
	struct catalog_file f, again;
	char name[CATALOG_NAME_BYTES];
	int r;

	if (len != sizeof(f) || *fd < 0)
		return -EPROTO;
	memcpy(&f, bytes, sizeof(f));
	if (f.level >= STORE_LEVELS)
		return -EPROTO;
	catalog_name(&f, name);
	if (!catalog_parse(name, &again))
		return -EPROTO;
	r = array_reserve((void **)&h->files.items, &h->files.capacity, h->files.count + 1,
			  sizeof(*h->files.items), HANDED_MAX_FILES);
	if (r == 0)
		r = catalog_add(&h->catalog, &f);
	if (r < 0)
		return r;
	file = &h->files.items[h->files.count++];
	file->fd = take_fd(fd);
	memcpy(file->name, name, sizeof(name));
	return 0;
}

void handed_release(struct handed *h)
{
	for (uint32_t i = 0; i < h->files.count; i++)
		fd_close(&h->files.items[i].fd);
	array_release(&h->files);
	catalog_release(&h->catalog);
}

static int open_file(void *ctx, const char *name, struct err *err)
{
	struct handed *h = ctx;

	for (uint32_t i = 0; i < h->files.count; i++) {
		int fd;

		if (strcmp(h->files.items[i].name, name) != 0)
			continue;
		fd = fcntl(h->files.items[i].fd, F_DUPFD_CLOEXEC, 0);
		return fd < 0 ? err_errno(err, -errno, "cannot read \"%s\"", name) : fd;
	}
	return err_set(err, -ENOENT, "\"%s\" was given up", name);
}

struct store_source handed_source(struct handed *h)
{
	return (struct store_source){ &h->catalog, open_file, h, STORE_LIMITS_DEFAULT };
}
