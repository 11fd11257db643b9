// SPDX-License-Identifier: Apache-2.0
/*
 * slowburn symbolize: what the finder found, as llvm-symbolizer prints it: a function, a file and line, and again for
 * what that was inlined into; a blank line ends an address. The sources come last, each line of them begins
 * with "#".
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/dump/dumper.h"
#include "profiler/dump/finder.h"

#define MAX_TEXT_BYTES (64u << 20)
#define FLUSH_BYTES (1u << 20)

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

static const char *name_of(const struct writer *w, const struct finder_frame *f)
{
	return w->dumper->job.raw ? f->system_name : f->name;
}

/* ---- text ---- */

static void put_text(struct buffer *out, const char *s)
{
	if (!*s)
		s = "??";
	text_escape(out, s, strlen(s));
}

static void put_frame(struct writer *w, const struct finder_frame *f)
{
	put_text(&w->out, name_of(w, f));
	buffer_text(&w->out, "\n");
	put_text(&w->out, f->file);
	buffer_printf(&w->out, ":%u\n", f->line);
}

static void put_address(struct writer *w, uint64_t vaddr, const struct finder_frame *frames,
			uint32_t count)
{
	static const struct finder_frame unknown = { "", "", "", 0 };

	if (w->dumper->job.addressed)
		buffer_printf(&w->out, "0x%" PRIx64 "\n", vaddr);
	for (uint32_t i = 0; i < count; i++)
		put_frame(w, &frames[i]);
	if (!count)
		put_frame(w, &unknown);
	buffer_text(&w->out, "\n");
}

static void put_origins(struct writer *w)
{
	const struct finder *f = w->found;

	for (uint32_t i = 0; i < f->origin_count; i++)
		buffer_printf(&w->out, "# %s: %s\n", f->origins[i].what, f->origins[i].result);
}

/* ---- JSON ---- */

static void put_member(struct buffer *out, const char *key, const char *value)
{
	buffer_printf(out, "\"%s\": ", key);
	text_json(out, value, strlen(value));
}

static void put_frame_json(struct writer *w, const struct finder_frame *f)
{
	struct buffer *out = &w->out;

	buffer_text(out, "{");
	put_member(out, "function", f->name);
	buffer_text(out, ", ");
	put_member(out, "system_name", f->system_name);
	buffer_text(out, ", ");
	put_member(out, "file", f->file);
	buffer_printf(out, ", \"line\": %u}", f->line);
}

static void put_address_json(struct writer *w, uint64_t vaddr, const struct finder_frame *frames,
			     uint32_t count)
{
	buffer_printf(&w->out, "\t\t{\"address\": \"0x%" PRIx64 "\", \"frames\": [", vaddr);
	for (uint32_t i = 0; i < count; i++) {
		if (i)
			buffer_text(&w->out, ", ");
		put_frame_json(w, &frames[i]);
	}
	buffer_text(&w->out, "]}");
}

static void put_begin_json(struct writer *w)
{
	const struct finder *f = w->found;

	buffer_text(&w->out, "{\n\t");
	put_member(&w->out, "file", w->dumper->job.name);
	buffer_text(&w->out, ",\n\t\"sources\": [\n");
	for (uint32_t i = 0; i < f->origin_count; i++) {
		buffer_text(&w->out, "\t\t{");
		put_member(&w->out, "source", f->origins[i].what);
		buffer_text(&w->out, ", ");
		put_member(&w->out, "result", f->origins[i].result);
		buffer_text(&w->out, i + 1 < f->origin_count ? "},\n" : "}\n");
	}
	buffer_text(&w->out, "\t],\n\t\"addresses\": [\n");
}

/* ---- both ---- */

static void put_all(struct writer *w)
{
	const struct dump_job *job = &w->dumper->job;
	struct finder_frame frames[FINDER_MAX_FRAMES];

	if (job->json)
		put_begin_json(w);
	for (uint32_t i = 0; i < job->address_count && w->r == 0; i++) {
		uint32_t count = finder_frames(w->found, i, frames, FINDER_MAX_FRAMES);

		if (count && !job->inlines)
			count = 1;
		if (job->json) {
			put_address_json(w, job->addresses[i], frames, count);
			buffer_text(&w->out, i + 1 < job->address_count ? ",\n" : "\n");
		} else {
			put_address(w, job->addresses[i], frames, count);
		}
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
	struct writer w = { .dumper = d };
	struct finder found;
	int r;

	if (file < 0)
		return err_errno(err, -EPROTO, "there is no file to look at");
	r = finder_run(&found, d, file, err);
	if (r == 0) {
		w.found = &found;
		buffer_init(&w.out, MAX_TEXT_BYTES);
		put_all(&w);
		buffer_release(&w.out);
	}
	finder_release(&found);
	return r == 0 && w.r < 0 ? err_errno(err, w.r, "cannot print names") : r;
}
