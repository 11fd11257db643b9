// SPDX-License-Identifier: Apache-2.0
/*
 * Samples by second and part of a second, from the moments that the finest level keeps: a thing that runs each 100 ms is
 * a line, and one that stands still is a hole, where a timeline has a mean.
 *
 * Where windows have been rolled up their moments are gone; that is told, and not drawn.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/encode/json.h"
#include "profiler/encode/page.h"
#include "profiler/reader/endpoint.h"
#include "profiler/reader/stretches.h"
#include "profiler/store/level.h"

#define DEFAULT_STEP_NS NS_PER_S
#define DEFAULT_BUCKET_NS (20 * NS_PER_MS)
#define TEXT_BUCKET_NS (100 * NS_PER_MS)
#define TEXT_COLUMNS 100
#define TEXT_MARGIN 8
#define TEXT_BLOCKS 10
#define MAX_CELLS (2u << 20)

struct heatmap {
	uint64_t from_ns, to_ns; /* the first column begins at a multiple of step_ns */
	uint64_t step_ns, bucket_ns;
	uint32_t columns, rows;
	uint32_t *counts; /* column by column */
	uint8_t *covered; /* columns with a window that has moments */
	struct stretches gone; /* windows without */
	uint64_t samples, most;
};

/* ---- reading ---- */

/* `most_columns`: as many of the last are shown, if nothing says from when. */
static int choose(struct heatmap *h, const struct inquiry *q, uint64_t bucket_ns,
		  uint32_t most_columns, struct err *err)
{
	struct moment_range range = inquiry_bounds(q, inquiry_range(q, 0));
	uint64_t columns;

	h->step_ns = parameter_number(&q->parameters, PARAMETER_STEP, DEFAULT_STEP_NS);
	h->bucket_ns = parameter_number(&q->parameters, PARAMETER_BUCKET, bucket_ns);
	if (h->bucket_ns % COLUMNS_SLOT_NS || h->step_ns % h->bucket_ns)
		return err_set(err, -EINVAL,
			       "a bucket is a multiple of 10 ms, and a step one of buckets");
	if (!inquiry_range(q, 0)->from_ns &&
	    (range.to_ns - range.from_ns) / h->step_ns >= most_columns)
		range.from_ns = range.to_ns - (most_columns - 1) * h->step_ns;
	h->from_ns = range.from_ns - range.from_ns % h->step_ns;
	h->to_ns = range.to_ns;
	h->rows = (uint32_t)(h->step_ns / h->bucket_ns);
	columns = (h->to_ns - 1 - h->from_ns) / h->step_ns + 1;
	if (columns > MAX_CELLS / h->rows)
		return err_set(err, -EINVAL,
			       "this range has %" PRIu64 " columns of %" PRIu32
			       " cells: ask for a shorter one, a longer step or larger buckets",
			       columns, h->rows);
	h->columns = (uint32_t)columns;
	h->counts = calloc((size_t)h->columns * h->rows, sizeof(*h->counts));
	h->covered = calloc(h->columns, 1);
	return h->counts && h->covered ? 0 : err_errno(err, -ENOMEM, "cannot make a heatmap");
}

static void cover(struct heatmap *h, const struct layout_frame *f)
{
	uint64_t from_ns = f->start_ns > h->from_ns ? f->start_ns : h->from_ns;

	for (uint64_t at = from_ns - (from_ns - h->from_ns) % h->step_ns;
	     at < f->end_ns && at < h->to_ns; at += h->step_ns)
		h->covered[(at - h->from_ns) / h->step_ns] = 1;
}

static void add_sample(struct heatmap *h, const struct layout_frame *f, const uint16_t *slots,
		       uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t at_ns = f->start_ns + slots[i] * COLUMNS_SLOT_NS, in_ns;
		uint32_t *cell;

		if (at_ns < h->from_ns || at_ns >= h->to_ns)
			continue;
		in_ns = at_ns - h->from_ns;
		cell = &h->counts[in_ns / h->step_ns * h->rows + in_ns % h->step_ns / h->bucket_ns];
		h->samples++;
		if (++*cell > h->most)
			h->most = *cell;
	}
}

static int add_window(void *ctx, const struct inquiry_window *w, struct err *err)
{
	const struct columns_slots *slots = segment_slots(w->segment);
	const struct profile *p = w->profile;
	struct heatmap *h = ctx;
	uint64_t used = 0;

	if (w->frame->end_ns <= h->from_ns || w->frame->start_ns >= h->to_ns)
		return 0;
	if (p->samples.count && !slots->slots.count)
		return stretches_add(&h->gone, w->frame->start_ns, w->frame->end_ns) < 0
			       ? err_errno(err, -ENOMEM, "cannot make a heatmap")
			       : 0;
	cover(h, w->frame);
	for (uint32_t i = 0; i < p->samples.count; i++) {
		const struct profile_sample *s = &p->samples.items[i];

		if (sieve_keeps(w->sieve, s->series, s->node))
			add_sample(h, w->frame, slots->slots.items + used, s->count);
		used += s->count;
	}
	return 0;
}

/* ---- JSON ---- */

static void put_json(struct buffer *out, const struct heatmap *h)
{
	buffer_printf(out,
		      "{\"from_ns\": %" PRIu64 ", \"step_ns\": %" PRIu64 ", \"bucket_ns\": %" PRIu64
		      ", \"columns\": %" PRIu32 ", \"rows\": %" PRIu32 ", \"samples\": %" PRIu64
		      ", \"most\": %" PRIu64 ",\n ",
		      h->from_ns, h->step_ns, h->bucket_ns, h->columns, h->rows, h->samples,
		      h->most);
	stretches_json(&h->gone, "gone", out);
	buffer_text(out, ",\n \"counts\": [");
	for (uint32_t c = 0; c < h->columns; c++) {
		buffer_text(out, c ? ",\n" : "\n");
		if (!h->covered[c]) {
			buffer_text(out, "null");
			continue;
		}
		for (uint32_t r = 0; r < h->rows; r++) {
			buffer_append(out, r ? "," : "[", 1);
			json_number(out, h->counts[(size_t)c * h->rows + r]);
		}
		buffer_append(out, "]", 1);
	}
	buffer_text(out, "]}\n");
}

/* ---- text ---- */

static void put_shade(struct buffer *out, const struct heatmap *h, uint32_t column, uint32_t row)
{
	static const char *const shades[] = { " ", "░", "▒", "▓", "█" };
	uint64_t n = h->counts[(size_t)column * h->rows + row];

	if (!h->covered[column])
		buffer_text(out, "·");
	else
		buffer_text(out, shades[(n * 4 + h->most - 1) / (h->most ? h->most : 1)]);
}

static void put_block(struct page *g, const struct heatmap *h, uint32_t first, uint32_t end)
{
	time_t at = (time_t)((h->from_ns + first * h->step_ns) / NS_PER_S);
	char when[40];
	struct tm tm;

	if (gmtime_r(&at, &tm) && strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm))
		buffer_text(g->out, when);
	page_end_row(g);
	for (uint32_t row = h->rows; row-- > 0;) {
		page_attribute(g, PAGE_DIM);
		buffer_printf(g->out, "%5.3g s ", (double)row * (double)h->bucket_ns / NS_PER_S);
		page_attribute(g, PAGE_PLAIN);
		for (uint32_t c = first; c < end; c++)
			put_shade(g->out, h, c, row);
		page_end_row(g);
	}
	buffer_text(g->out, "\n");
}

static uint32_t text_width(const struct text_options *look)
{
	return (look->columns ? look->columns : TEXT_COLUMNS) - TEXT_MARGIN;
}

static int put_text(struct buffer *out, const struct heatmap *h, const struct text_options *look,
		    struct err *err)
{
	uint32_t width = text_width(look);
	struct page page;
	int r;

	if (h->columns > width * TEXT_BLOCKS)
		return err_set(err, -EINVAL,
			       "a heatmap as text has at most %" PRIu32 " columns, not %" PRIu32
			       ": ask for a shorter range",
			       width * TEXT_BLOCKS, h->columns);
	page_init(&page, out, width + TEXT_MARGIN, look->color);
	for (uint32_t first = 0; first < h->columns; first += width)
		put_block(&page, h, first, h->columns - first < width ? h->columns : first + width);
	page_say(&page,
		 "A column is %.9g s, a row %.9g s of it; the darkest is %" PRIu64
		 " samples, of %" PRIu64 ". · has no moments.",
		 (double)h->step_ns / NS_PER_S, (double)h->bucket_ns / NS_PER_S, h->most,
		 h->samples);
	if (h->gone.items.count)
		page_say(&page, " Some windows were rolled up: their moments are gone.");
	page_paragraph(&page, 0);
	r = page_error(&page);
	page_release(&page);
	return r < 0 ? err_errno(err, r, "cannot make a heatmap") : 0;
}

/* ---- the answer ---- */

static void release(struct heatmap *h)
{
	free(h->counts);
	free(h->covered);
	stretches_release(&h->gone);
}

/* A window that began before the range may reach into it. */
static int read_moments(struct heatmap *h, struct inquiry *q, struct err *err)
{
	uint64_t window_ns = store_levels[0].window_ns;
	const struct moment_range range = {
		h->from_ns - (h->from_ns < window_ns ? h->from_ns : window_ns), h->to_ns
	};
	const struct inquiry_visitor visitor = {
		.ctx = h,
		.up_to = LAYOUT_MOMENTS,
		.window = add_window,
	};

	return inquiry_visit(q, &range, window_ns, &visitor, err);
}

int heatmap_answer(struct inquiry *q, struct buffer *out, struct err *err)
{
	const struct text_options look = inquiry_look(q);
	bool text = !strcmp(q->format, "text");
	struct heatmap h = { .columns = 0 };
	int r = choose(&h, q, text ? TEXT_BUCKET_NS : DEFAULT_BUCKET_NS,
		       text ? text_width(&look) : UINT32_MAX, err);

	if (r == 0)
		r = read_moments(&h, q, err);
	if (r == 0 && text)
		r = put_text(out, &h, &look, err);
	else if (r == 0)
		put_json(out, &h);
	release(&h);
	return r;
}
