// SPDX-License-Identifier: Apache-2.0
/*
 * One pass over the sources. Samples are added up in a profile of its own, of which a window is written whenever the next
 * source window starts in another span. What can't be read is left out and counted, and the file is made of the rest: it
 * would be no more readable tomorrow. So every batch of files is rolled up once.
 *
 * The file has another name until it is whole and on the disk: what a kill leaves under that name is removed by the
 * next writer.
 *
 * Refused: a thread. Who writes is to be one that can't start anything; steps of some milliseconds delay nobody.
 */
#include "profiler/store/rollup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/model/merge.h"
#include "profiler/store/appender.h"
#include "profiler/store/level.h"
#include "profiler/store/packer.h"
#include "profiler/store/segment.h"

struct rollup {
	struct rollup_job job; /* its sources are ours */
	uint32_t next; /* source */
	struct segment *source; /* that is being read; NULL: none */
	struct profile_merge *merge; /* of it */
	bool is_loaded; /* a window of it, which is yet to be added */
	struct layout_frame loaded;
	struct appender *to;
	struct packer *packer;
	struct profile profile;
	struct catalog_file file;
	struct store_window window; /* that is being added up: end_ns is 0 while there is none */
	uint64_t sequence; /* of the last source window, or behind the last that was written */
	uint64_t bad;
	bool made;
};

/* Writes the window that was added up, if there is one. */
static int flush(struct rollup *x, struct err *err)
{
	struct counters *c = &x->profile.counters;
	size_t len = 0;
	void *frame;
	int r;

	if (!x->window.end_ns)
		return 0;
	r = packer_pack(x->packer, &x->profile, c, &x->window);
	frame = packer_frame(x->packer, &len);
	if (r == 0)
		r = x->job.room(x->job.ctx, appender_bytes(x->to) + len + LAYOUT_FRAME_BYTES);
	if (r == 0)
		r = appender_add(x->to, frame, len, x->sequence);
	if (r < 0)
		return err_errno(err, r, "cannot write what is rolled up");
	packer_keep(x->packer);
	profile_clear_samples(&x->profile);
	x->sequence++;
	*c = (struct counters){ 0 };
	x->profile.facts.duration_ns = 0;
	x->window = (struct store_window){ 0 };
	return 0;
}

/* The samples that were loaded. */
static int add(struct rollup *x, struct err *err)
{
	const struct profile *from = segment_profile(x->source);
	const struct layout_frame *f = &x->loaded;
	int r;

	if (!x->window.end_ns)
		x->window =
			(struct store_window){ f->start_ns, f->end_ns, f->monotonic_ns, NULL, 0 };
	if (f->end_ns > x->window.end_ns)
		x->window.end_ns = f->end_ns;
	if (f->start_ns < x->window.start_ns)
		x->window.start_ns = f->start_ns;
	/* Where clocks went back, sources are not in the order of their windows. */
	if (f->sequence > x->sequence)
		x->sequence = f->sequence;
	r = profile_merge_facts(&x->profile, &from->facts, &from->counters);
	for (uint32_t i = 0; r >= 0 && i < from->samples.count; i++) {
		const struct profile_sample *s = &from->samples.items[i];

		r = profile_merge_sample(x->merge, s->series, s->node, s->count, s->value);
		if (r == -E2BIG) {
			counter_add(&x->profile.counters, COUNTER_SAMPLES_DROPPED_MEMORY, s->count);
			r = 0;
		}
	}
	x->is_loaded = false;
	return r < 0 ? err_errno(err, r, "cannot roll up") : 0;
}

/* Does what was loaded begin another window: of another time, or with values of another kind? */
static bool begins_window(const struct rollup *x)
{
	uint64_t span_ns = store_levels[x->file.level].window_ns;

	return x->window.end_ns &&
	       (x->loaded.start_ns / span_ns != x->window.start_ns / span_ns ||
		!profile_merge_fits(&x->profile, &segment_profile(x->source)->facts));
}

static void close_source(struct rollup *x)
{
	profile_merge_free(x->merge);
	segment_free(x->source);
	x->merge = NULL;
	x->source = NULL;
	x->is_loaded = false;
}

static int open_source(struct rollup *x, const struct catalog_file *source, struct err *err)
{
	char name[CATALOG_NAME_BYTES];
	struct err why;
	int r, fd;

	catalog_name(source, name);
	fd = catalog_open(x->job.dirfd, name, &why);
	r = fd < 0 ? fd : segment_open(&x->source, fd, name, &x->job.limits, &why);
	if (r == -ENOMEM)
		return err_set(err, r, "%s", why.text);
	if (r < 0) {
		x->bad += r != -ESTALE;
		return 0;
	}
	r = profile_merge_new(&x->merge, &x->profile, segment_profile(x->source));
	return r < 0 ? err_errno(err, r, "cannot roll up") : 0;
}

/* The next window of the source; what can't be read is an end. */
static int load(struct rollup *x, struct err *err)
{
	struct err why;
	int r = segment_next(x->source, &x->loaded, &why);

	if (r == 1) {
		r = segment_load(x->source, LAYOUT_SAMPLES, &why);
		if (r == 0) {
			x->is_loaded = true;
			return 0;
		}
	}
	if (r == -ENOMEM)
		return err_set(err, r, "%s", why.text);
	if (r < 0)
		x->bad++;
	close_source(x);
	return 0;
}

/* The last sequence number: of a file at level 0 only its content says it. */
static uint64_t last_of(const struct rollup_job *x)
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

static int publish(struct rollup *x, struct err *err)
{
	char name[CATALOG_NAME_BYTES];
	int r = appender_close(x->to);

	if (r < 0)
		return err_errno(err, r, "cannot write what is rolled up");
	catalog_name(&x->file, name);
	x->file.bytes = rollup_bytes(x);
	r = appender_publish(x->job.dirfd, CATALOG_UNFINISHED, name, err);
	if (r < 0)
		return r;
	x->made = true;
	/* The name, too, is to survive a power cut; if not, the sources are still there. */
	(void)fsync(x->job.dirfd);
	return 0;
}

int rollup_step(struct rollup *x, struct catalog_file *ret, struct err *err)
{
	int r;

	if (x->is_loaded)
		r = begins_window(x) ? flush(x, err) : add(x, err);
	else if (x->source)
		r = load(x, err);
	else if (x->next < x->job.count)
		r = open_source(x, &x->job.sources[x->next++], err);
	else if (x->window.end_ns)
		r = flush(x, err);
	else {
		r = publish(x, err);
		if (r == 0)
			*ret = x->file;
		return r;
	}
	return r < 0 ? r : 1;
}

/* What it is to be called. */
static struct catalog_file file_of(const struct rollup_job *job)
{
	const struct catalog_file *from = job->sources;
	struct catalog_file f = { .level = from->level + 1,
				  .slot_ns = store_slot(from->level + 1, from->slot_ns),
				  .first = from->first,
				  .last = last_of(job) };

	for (uint32_t i = 0; i < job->count; i++)
		if (from[i].first < f.first)
			f.first = from[i].first;
	return f;
}

static int begin(struct rollup *x, const struct rollup_job *job, struct err *err)
{
	size_t bytes = job->count * sizeof(*job->sources);
	struct catalog_file *sources = malloc(bytes);
	struct layout_header header;
	int r = -ENOMEM;

	x->job = *job;
	x->job.sources = sources;
	if (sources) {
		memcpy(sources, job->sources, bytes);
		r = packer_new(&x->packer, PACKER_EFFORT_ROLLED_UP);
	}
	if (r == 0)
		r = profile_init(&x->profile, job->limits.text_bytes, job->limits.max_items);
	if (r < 0)
		return err_errno(err, r, "cannot roll up");
	x->file = file_of(job);
	header = (struct layout_header){ .level = x->file.level,
					 .slot_ns = x->file.slot_ns,
					 .window_ns = store_levels[x->file.level].window_ns,
					 .first = x->file.first,
					 .last = x->file.last,
					 .created_ns = job->created_ns };
	return appender_new(&x->to, job->dirfd, CATALOG_UNFINISHED, &header, err);
}

int rollup_new(struct rollup **ret, const struct rollup_job *job, struct err *err)
{
	struct rollup *x = calloc(1, sizeof(*x));
	int r;

	if (!x)
		return err_errno(err, -ENOMEM, "cannot roll up");
	r = begin(x, job, err);
	if (r < 0)
		rollup_free(x);
	else
		*ret = x;
	return r;
}

const struct catalog_file *rollup_file(const struct rollup *x)
{
	return &x->file;
}

uint64_t rollup_bytes(const struct rollup *x)
{
	struct stat st;

	return fstat(appender_fd(x->to), &st) < 0 ? appender_bytes(x->to) : catalog_bytes(&st);
}

uint64_t rollup_bad(const struct rollup *x)
{
	return x->bad;
}

void rollup_free(struct rollup *x)
{
	if (!x)
		return;
	if (x->to && !x->made)
		unlinkat(x->job.dirfd, CATALOG_UNFINISHED, 0);
	close_source(x);
	appender_free(x->to);
	packer_free(x->packer);
	profile_release(&x->profile);
	free((void *)x->job.sources);
	free(x);
}
