// SPDX-License-Identifier: Apache-2.0
/*
 * Text is what llvm-symbolizer prints: a function, a file and line, and again for what that was inlined into; a blank line
 * ends an address. Of a process the address comes first, and where it is. Sources are lines that begin with "#".
 */
#include "profiler/dump/listing.h"

#include <inttypes.h>
#include <string.h>

#include "profiler/base/text.h"

/* ---- text ---- */

static void put_text(struct buffer *out, const char *s)
{
	if (!*s)
		s = "??";
	text_escape(out, s, strlen(s));
}

static void put_frame(struct buffer *out, const struct dump_job *job, const struct finder_frame *f)
{
	put_text(out, job->raw ? f->system_name : f->name);
	buffer_text(out, "\n");
	put_text(out, f->file);
	buffer_printf(out, ":%u\n", f->line);
}

static void put_item(struct buffer *out, const struct dump_job *job, const struct listing_item *x,
		     uint32_t count)
{
	static const struct finder_frame unknown = { "", "", "", 0 };

	if (x->place || job->addressed)
		buffer_printf(out, "0x%" PRIx64, x->addr);
	if (x->place)
		buffer_printf(out, " %s", x->place);
	if (x->caller && (x->place || job->addressed))
		buffer_text(out, ", the call before");
	if (x->place || job->addressed)
		buffer_text(out, "\n");
	for (uint32_t i = 0; i < count; i++)
		put_frame(out, job, &x->frames[i]);
	if (!count)
		put_frame(out, job, &unknown);
	buffer_text(out, "\n");
}

/* ---- JSON ---- */

static void put_member(struct buffer *out, const char *key, const char *value)
{
	buffer_printf(out, "\"%s\": ", key);
	text_json(out, value, strlen(value));
}

static void put_frame_json(struct buffer *out, const struct finder_frame *f)
{
	buffer_text(out, "{");
	put_member(out, "function", f->name);
	buffer_text(out, ", ");
	put_member(out, "system_name", f->system_name);
	buffer_text(out, ", ");
	put_member(out, "file", f->file);
	buffer_printf(out, ", \"line\": %u}", f->line);
}

static void put_item_json(struct buffer *out, const struct listing_item *x, uint32_t count)
{
	buffer_printf(out, "\t\t{\"address\": \"0x%" PRIx64 "\", ", x->addr);
	if (x->caller)
		buffer_text(out, "\"caller\": true, ");
	if (x->place) {
		put_member(out, "place", x->place);
		buffer_text(out, ", ");
	}
	if (x->path) {
		put_member(out, "mapping", x->path);
		buffer_text(out, ", ");
	}
	if (x->vaddr)
		buffer_printf(out, "\"file_address\": \"0x%" PRIx64 "\", ", *x->vaddr);
	buffer_text(out, "\"frames\": [");
	for (uint32_t i = 0; i < count; i++) {
		if (i)
			buffer_text(out, ", ");
		put_frame_json(out, &x->frames[i]);
	}
	buffer_text(out, "]}");
}

/* ---- both ---- */

void listing_put(struct buffer *out, const struct dump_job *job, const struct listing_item *item)
{
	uint32_t count = item->count && !job->inlines ? 1 : item->count;

	if (job->json)
		put_item_json(out, item, count);
	else
		put_item(out, job, item, count);
}

void listing_put_origin(struct buffer *out, const struct dump_job *job, const char *whose,
			const struct origin *origin)
{
	if (!job->json) {
		buffer_text(out, "# ");
		if (whose) {
			text_escape(out, whose, strlen(whose));
			buffer_text(out, ": ");
		}
		buffer_printf(out, "%s: %s\n", origin->what, origin->result);
		return;
	}
	buffer_text(out, "\t\t{");
	if (whose) {
		put_member(out, "mapping", whose);
		buffer_text(out, ", ");
	}
	put_member(out, "source", origin->what);
	buffer_text(out, ", ");
	put_member(out, "result", origin->result);
	buffer_text(out, "}");
}
