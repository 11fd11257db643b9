// SPDX-License-Identifier: Apache-2.0
/*
 * slowburn symbolize FILE: what the finder found, in the order in which it was asked. The sources come last, in
 * JSON first.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/dump/dumper.h"
#include "profiler/dump/finder.h"
#include "profiler/dump/listing.h"

#define MAX_TEXT_BYTES (64u << 20)
#define FLUSH_BYTES (1u << 20)
#define GIVEN_FILE 0u /* the number of one that came with the job */

_Static_assert(DUMP_MAX_ADDRESSES <= SYMBOLS_MAX_ADDRESSES, "one request has them all");

struct writer {
	struct dumper *dumper;
	const struct finder *found;
	struct buffer out;
	int r; /* negative errno: nobody listens */
};

static void flush(struct writer *w)
{
	if (w->r == 0)
		w->r = dumper_flush(w->dumper, &w->out);
	buffer_clear(&w->out);
}

static void put_origins(struct writer *w)
{
	const struct dump_job *job = &w->dumper->job;
	const struct finder *f = w->found;

	for (uint32_t i = 0; i < f->origin_count; i++) {
		listing_put_origin(&w->out, job, NULL, &f->origins[i]);
		if (job->json)
			buffer_text(&w->out, i + 1 < f->origin_count ? ",\n" : "\n");
	}
}

static void put_begin_json(struct writer *w)
{
	const char *name = w->dumper->job.name;

	buffer_text(&w->out, "{\n\t\"file\": ");
	text_json(&w->out, name, strlen(name));
	buffer_text(&w->out, ",\n\t\"sources\": [\n");
	put_origins(w);
	buffer_text(&w->out, "\t],\n\t\"addresses\": [\n");
}

static void put_all(struct writer *w)
{
	const struct dump_job *job = &w->dumper->job;
	struct finder_frame frames[FINDER_MAX_FRAMES];

	if (job->json)
		put_begin_json(w);
	for (uint32_t i = 0; i < job->address_count && w->r == 0; i++) {
		struct listing_item item = { .addr = job->addresses[i],
					     .caller = job->callers[i],
					     .frames = frames };

		item.count = finder_frames(w->found, i, frames, FINDER_MAX_FRAMES);
		listing_put(&w->out, job, &item);
		if (job->json)
			buffer_text(&w->out, i + 1 < job->address_count ? ",\n" : "\n");
		if (w->out.len >= FLUSH_BYTES)
			flush(w);
	}
	if (job->json)
		buffer_text(&w->out, "\t]\n}\n");
	else
		put_origins(w);
	flush(w);
}

int dump_names(struct dumper *d, int file, struct err *err)
{
	_cleanup_(free_ptr) uint64_t *sought = NULL;
	struct finder_subject subject = {
		.fd = file,
		.file = GIVEN_FILE,
		.name = d->job.name,
		.place = { .pid = d->job.supervisor_pid, .path = d->job.path }, /* ours */
		.count = d->job.address_count,
		.patience_ns = FINDER_PATIENCE_NS,
	};
	struct writer w = { .dumper = d };
	struct finder found;
	int r;

	if (file < 0)
		return err_errno(err, -EPROTO, "there is no file to look at");
	sought = calloc(d->job.address_count + 1ul, sizeof(*sought));
	if (!sought)
		return err_errno(err, -ENOMEM, "cannot look up addresses");
	subject.addresses = sought;
	for (uint32_t i = 0; i < d->job.address_count; i++)
		sought[i] = dump_job_sought(&d->job, i);
	r = finder_run(&found, d->from.names, &subject, err);
	if (r == 0) {
		w.found = &found;
		buffer_init(&w.out, MAX_TEXT_BYTES);
		put_all(&w);
		buffer_release(&w.out);
	}
	finder_release(&found);
	return r == 0 && w.r < 0 ? err_errno(err, w.r, "cannot print names") : r;
}
