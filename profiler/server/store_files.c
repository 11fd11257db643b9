// SPDX-License-Identifier: Apache-2.0
/*
 * One listing, then file by file: opened, sent, closed, so that a store of any size takes one
 * descriptor here.
 */
#include "profiler/server/store_files.h"

#include <errno.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/role/socket.h"
#include "profiler/store/catalog.h"
#include "profiler/store/handed.h"
#include "profiler/store/level.h"

#define PATIENCE_NS (60 * NS_PER_S)

static int send_file(int dirfd, const struct catalog_file *f, int socket, uint32_t type,
		     uint64_t patience_ns, struct err *err)
{
	_cleanup_(fd_close) int fd = -1;
	char name[CATALOG_NAME_BYTES];
	int r;

	catalog_name(f, name);
	fd = catalog_open(dirfd, name, err);
	/* The writer gave it up since. */
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	r = socket_send(socket, type, f, sizeof(*f), &fd, 1,
			clock_ns(CLOCK_MONOTONIC) + patience_ns);
	return r < 0 ? err_errno(err, r, "cannot hand over \"%s\"", name) : 0;
}

/* Nothing is opened that no range has a part in. */
static bool has_part(const struct catalog_file *f, const struct store_files_range *ranges,
		     uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (f->slot_ns < ranges[i].to_ns &&
		    f->slot_ns + store_levels[f->level].span_ns > ranges[i].from_ns)
			return true;
	return false;
}

int store_files_send_ranges(int dirfd, const struct store_files_range *ranges, uint32_t count,
			    int socket, uint32_t type, uint64_t patience_ns, struct err *err)
{
	_cleanup_(catalog_release) struct catalog c = { 0 };
	int r = catalog_read(&c, dirfd, err);

	if (r == 0 && c.files.count > HANDED_MAX_FILES)
		r = err_set(err, -E2BIG, "the store has %u files: at most %u can be read",
			    c.files.count, HANDED_MAX_FILES);
	for (uint32_t i = 0; r == 0 && i < c.files.count; i++)
		if (has_part(&c.files.items[i], ranges, count))
			r = send_file(dirfd, &c.files.items[i], socket, type, patience_ns, err);
	return r;
}

int store_files_send(int dirfd, uint64_t from_ns, uint64_t to_ns, int socket, uint32_t type,
		     struct err *err)
{
	const struct store_files_range range = { from_ns, to_ns };

	return store_files_send_ranges(dirfd, &range, 1, socket, type, PATIENCE_NS, err);
}
