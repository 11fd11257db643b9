// SPDX-License-Identifier: Apache-2.0
/*
 * One listing, then file by file: opened, sent, closed, so that a store of any size takes one descriptor here.
 */
#include "profiler/command/store_files.h"

#include <errno.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/role/socket.h"
#include "profiler/store/catalog.h"
#include "profiler/store/handed.h"
#include "profiler/store/level.h"

#define PATIENCE_NS (60 * NS_PER_S)

static int send_file(int dirfd, const struct catalog_file *f, int socket, uint32_t type,
		     struct err *err)
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
			clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS);
	return r < 0 ? err_errno(err, r, "cannot hand over \"%s\"", name) : 0;
}

/* Nothing is opened that the range has no part in. */
static bool has_part(const struct catalog_file *f, uint64_t from_ns, uint64_t to_ns)
{
	return f->slot_ns < to_ns && f->slot_ns + store_levels[f->level].span_ns > from_ns;
}

int store_files_send(int dirfd, uint64_t from_ns, uint64_t to_ns, int socket, uint32_t type,
		     struct err *err)
{
	_cleanup_(catalog_release) struct catalog c = { 0 };
	int r = catalog_read(&c, dirfd, err);

	if (r == 0 && c.files.count > HANDED_MAX_FILES)
		r = err_set(err, -E2BIG, "the store has %u files: at most %u can be read",
			    c.files.count, HANDED_MAX_FILES);
	for (uint32_t i = 0; r == 0 && i < c.files.count; i++)
		if (has_part(&c.files.items[i], from_ns, to_ns))
			r = send_file(dirfd, &c.files.items[i], socket, type, err);
	return r;
}
