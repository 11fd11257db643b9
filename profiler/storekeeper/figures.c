// SPDX-License-Identifier: Apache-2.0
/*
 * Sums over the catalog, which the writer keeps in memory, and one fstatfs(2).
 */
#include "profiler/storekeeper/figures.h"

#include <sys/vfs.h>

void commits_add(struct commits *c, uint64_t took_ns)
{
	c->total_ns += took_ns;
	if (took_ns > c->longest_ns)
		c->longest_ns = took_ns;
}

static void sum_levels(const struct catalog *c, struct keeper_figures *f)
{
	for (uint32_t i = 0; i < c->files.count; i++) {
		const struct catalog_file *file = &c->files.items[i];
		uint64_t end_ns = file->slot_ns + store_levels[file->level].span_ns;

		if (!f->levels[file->level].files++ ||
		    file->slot_ns < f->levels[file->level].from_ns)
			f->levels[file->level].from_ns = file->slot_ns;
		if (end_ns > f->levels[file->level].to_ns)
			f->levels[file->level].to_ns = end_ns;
		f->levels[file->level].bytes += file->bytes;
	}
}

void figures_of(const struct store_writer *w, int dirfd, uint64_t max_bytes,
		const struct commits *commits, struct keeper_figures *ret)
{
	const struct store_writer_stats *s = store_writer_stats(w);
	struct layout_frame last = { 0 };
	struct statfs disk = { 0 };

	(void)fstatfs(dirfd, &disk); /* all zero then: not known */
	(void)store_writer_last(w, &last);
	*ret = (struct keeper_figures){
		.bytes = store_writer_bytes(w),
		.max_bytes = max_bytes,
		.disk_free_bytes = (uint64_t)disk.f_bavail * (uint64_t)disk.f_bsize,
		.disk_bytes = (uint64_t)disk.f_blocks * (uint64_t)disk.f_bsize,
		.windows = s->windows,
		.samples = s->samples,
		.bytes_written = s->bytes,
		.windows_dropped = s->windows_dropped,
		.samples_dropped = s->samples_dropped,
		.expired_by_age = s->expired_by_age,
		.expired_by_bytes = s->expired_by_bytes,
		.rolled_up = s->rolled_up,
		.roll_ups_failed = s->roll_ups_failed,
		.sources_bad = s->sources_bad,
		.syncs_failed = s->syncs_failed,
		.refused = commits->refused,
		.commit_ns = commits->total_ns,
		.commit_max_ns = commits->longest_ns,
		.last_start_ns = last.start_ns,
		.last_end_ns = last.end_ns,
	};
	sum_levels(store_writer_catalog(w), ret);
}
