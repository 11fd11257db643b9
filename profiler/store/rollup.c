// SPDX-License-Identifier: Apache-2.0
/*
 * One pass over the sources. Samples are added up in a profile of its own, of which a window is written whenever the next
 * source window starts in another span. What can't be read is left out and counted, and the file is made of the rest: it
 * would be no more readable tomorrow. So every batch of files is rolled up once.
 *
 * The file has another name until it is whole and on the disk: what a kill leaves under that name is removed by the
 * next writer.
 */
#include "profiler/store/rollup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/model/merge.h"
#include "profiler/store/appender.h"
#include "profiler/store/level.h"
#include "profiler/store/segment.h"

/* Written once and read often, an hour after: worth more than a window of 10 s. */
#define EFFORT 12

struct making {
	struct rollup *x;
	struct appender *to;
	struct profile profile;
	struct catalog_file file;
	struct store_window window; /* that is being added up: end_ns is 0 while there is none */
	uint64_t sequence; /* of the last source window, or behind the last that was written */
	struct err *err;
};

static int flush(struct making *m)
{
	struct counters *c = &m->profile.counters;
	int r;

	if (!m->window.end_ns)
		return 0;
	r = appender_pack(m->to, &m->profile, c, &m->window);
	if (r == 0)
		r = m->x->room(m->x->ctx, appender_bytes(m->to) + appender_packed_bytes(m->to) +
						  LAYOUT_FRAME_BYTES);
	if (r == 0)
		r = appender_write(m->to, m->sequence);
	if (r < 0)
		return err_errno(m->err, r, "cannot write what is rolled up");
	profile_clear_samples(&m->profile);
	m->sequence++;
	*c = (struct counters){ 0 };
	m->profile.facts.duration_ns = 0;
	m->window = (struct store_window){ 0 };
	return 0;
}

/* The samples that were loaded. */
static int add(struct making *m, struct profile_merge *merge, const struct segment *s,
	       const struct layout_frame *f)
{
	const struct profile *from = segment_profile(s);
	int r;

	if (!m->window.end_ns)
		m->window =
			(struct store_window){ f->start_ns, f->end_ns, f->monotonic_ns, NULL, 0 };
	if (f->end_ns > m->window.end_ns)
		m->window.end_ns = f->end_ns;
	if (f->start_ns < m->window.start_ns)
		m->window.start_ns = f->start_ns;
	/* Where clocks went back, sources are not in the order of their windows. */
	if (f->sequence > m->sequence)
		m->sequence = f->sequence;
	r = profile_merge_facts(&m->profile, &from->facts, &from->counters);
	for (uint32_t i = 0; r >= 0 && i < from->samples.count; i++) {
		const struct profile_sample *x = &from->samples.items[i];

		r = profile_merge_sample(merge, x->series, x->node, x->count, x->value);
		if (r == -E2BIG) {
			counter_add(&m->profile.counters, COUNTER_SAMPLES_DROPPED_MEMORY, x->count);
			m->x->left_out += x->count;
			r = 0;
		}
	}
	return r < 0 ? err_errno(m->err, r, "cannot roll up") : 0;
}

static bool is_other_window(const struct making *m, uint64_t start_ns)
{
	uint64_t span_ns = store_levels[m->file.level].window_ns;

	return m->window.end_ns && start_ns / span_ns != m->window.start_ns / span_ns;
}

/* Stops for what can't be written; what can't be read is an end. */
static int add_windows(struct making *m, struct segment *s, struct profile_merge *merge)
{
	for (;;) {
		struct layout_frame f;
		struct err why;
		int r = segment_next(s, &f, &why);

		if (r == 1) {
			r = segment_load(s, LAYOUT_SAMPLES, &why);
			if (r == 0)
				r = 1;
		}
		if (r == -ENOMEM)
			return err_set(m->err, r, "%s", why.text);
		if (r < 0)
			m->x->bad++;
		if (r <= 0)
			return 0;
		r = is_other_window(m, f.start_ns) ? flush(m) : 0;
		if (r == 0)
			r = add(m, merge, s, &f);
		if (r < 0)
			return r;
	}
}

static int add_source(struct making *m, const struct catalog_file *source)
{
	char name[CATALOG_NAME_BYTES];
	struct profile_merge *merge = NULL;
	struct segment *s = NULL;
	struct err why;
	int r, fd;

	catalog_name(source, name);
	fd = catalog_open(m->x->dirfd, name, &why);
	r = fd < 0 ? fd : segment_open(&s, fd, name, &m->x->limits, &why);
	if (r == -ENOMEM)
		return err_set(m->err, r, "%s", why.text);
	if (r < 0) {
		m->x->bad++;
		return 0;
	}
	r = profile_merge_new(&merge, &m->profile, segment_profile(s));
	if (r < 0)
		err_errno(m->err, r, "cannot roll up");
	else
		r = add_windows(m, s, merge);
	profile_merge_free(merge);
	segment_free(s);
	return r;
}

/* The last sequence number: of a file at level 0 only its content says it. */
static uint64_t last_of(const struct rollup *x)
{
	uint64_t last = 0;

	for (uint32_t i = 0; i < x->count; i++) {
		char name[CATALOG_NAME_BYTES];
		struct layout_frame f;
		struct segment *s;
		int fd;

		if (x->sources[i].last > last)
			last = x->sources[i].last;
		if (x->sources[i].level)
			continue;
		catalog_name(&x->sources[i], name);
		fd = catalog_open(x->dirfd, name, NULL);
		if (fd < 0 || segment_open(&s, fd, name, &x->limits, NULL) < 0)
			continue;
		while (segment_next(s, &f, NULL) == 1)
			if (f.sequence > last)
				last = f.sequence;
		segment_free(s);
	}
	return last;
}

static int make(struct making *m)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < m->x->count; i++)
		r = add_source(m, &m->x->sources[i]);
	if (r == 0)
		r = flush(m);
	if (r < 0)
		return r;
	r = appender_close(m->to);
	return r < 0 ? err_errno(m->err, r, "cannot write what is rolled up") : 0;
}

static int publish(struct making *m)
{
	char name[CATALOG_NAME_BYTES];
	struct stat st;

	catalog_name(&m->file, name);
	if (renameat(m->x->dirfd, CATALOG_TEMPORARY, m->x->dirfd, name) < 0 ||
	    fstat(appender_fd(m->to), &st) < 0)
		return err_errno(m->err, -errno, "cannot write \"%s\"", name);
	m->file.bytes = catalog_bytes(&st);
	/* The name, too, is to survive a power cut; if not, the sources are still there. */
	(void)fsync(m->x->dirfd);
	return 0;
}

int rollup_run(struct rollup *x, struct catalog_file *ret, struct err *err)
{
	const struct catalog_file *from = x->sources;
	struct making m = { .x = x, .err = err };
	struct layout_header header;
	int r;

	m.file = (struct catalog_file){ .level = from->level + 1,
					.slot_ns = store_slot(from->level + 1, from->slot_ns),
					.first = from->first,
					.last = last_of(x) };
	for (uint32_t i = 0; i < x->count; i++)
		if (from[i].first < m.file.first)
			m.file.first = from[i].first;
	header = (struct layout_header){ .level = m.file.level,
					 .slot_ns = m.file.slot_ns,
					 .window_ns = store_levels[m.file.level].window_ns,
					 .first = m.file.first,
					 .last = m.file.last,
					 .created_ns = x->created_ns };
	r = profile_init(&m.profile, x->limits.text_bytes, x->limits.max_items);
	if (r < 0)
		return err_errno(err, r, "cannot roll up");
	r = appender_new(&m.to, x->dirfd, CATALOG_TEMPORARY, &header, EFFORT, err);
	if (r == 0)
		r = make(&m);
	if (r == 0)
		r = publish(&m);
	if (r < 0)
		unlinkat(x->dirfd, CATALOG_TEMPORARY, 0);
	else
		*ret = m.file;
	appender_free(m.to);
	profile_release(&m.profile);
	return r;
}
