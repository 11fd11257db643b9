// SPDX-License-Identifier: Apache-2.0
/*
 * A timeline as columns of numbers, null where nothing was sampled; or as rows of blocks for a terminal, each row of its own
 * height, with its figures beside it: a process with a hundredth of the time has a shape, too.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/text.h"
#include "profiler/encode/json.h"
#include "profiler/encode/page.h"
#include "profiler/reader/endpoint.h"
#include "profiler/reader/timeline.h"

#define JSON_STEPS 300
#define JSON_GROUPS 10
#define TEXT_GROUPS 15
#define TEXT_COLUMNS 100
#define NAME_COLUMNS 20
#define FIGURE_COLUMNS 18 /* mean and peak, behind the name */

/* ---- JSON ---- */

static void put_values(struct buffer *out, const struct timeline *t, const uint64_t *values)
{
	buffer_text(out, "[");
	for (uint32_t i = 0; i < t->step_count; i++) {
		if (i)
			buffer_append(out, ",", 1);
		if (t->steps[i].covered_ns)
			json_number(out, values ? values[i] : 0);
		else
			buffer_text(out, "null");
	}
	buffer_text(out, "]");
}

static void put_steps(struct buffer *out, const struct timeline *t)
{
	static const struct {
		const char *name;
		size_t offset;
	} columns[] = {
		{ "covered_ns", offsetof(struct timeline_step, covered_ns) },
		{ "lost_samples", offsetof(struct timeline_step, lost) },
		{ "machine_ns", offsetof(struct timeline_step, machine_ns) },
		{ "busy_ns", offsetof(struct timeline_step, busy_ns) },
	};

	for (size_t c = 0; c < sizeof(columns) / sizeof(columns[0]); c++) {
		buffer_printf(out, ",\n \"%s\": [", columns[c].name);
		for (uint32_t i = 0; i < t->step_count; i++) {
			uint64_t n;

			memcpy(&n, (const char *)&t->steps[i] + columns[c].offset, sizeof(n));
			if (i)
				buffer_append(out, ",", 1);
			json_number(out, n);
		}
		buffer_text(out, "]");
	}
}

static void put_json(struct buffer *out, const struct timeline *t, const struct inquiry *q)
{
	buffer_text(out, "{\"type\": ");
	text_json(out, q->type, strlen(q->type));
	buffer_text(out, ", \"unit\": ");
	text_json(out, q->unit, strlen(q->unit));
	buffer_printf(out,
		      ", \"from_ns\": %" PRIu64 ", \"step_ns\": %" PRIu64 ", \"steps\": %" PRIu32
		      ", \"windows\": %" PRIu32 ", \"value\": %" PRIu64,
		      t->from_ns, t->step_ns, t->step_count, q->result.windows, t->value);
	put_steps(out, t);
	buffer_text(out, ",\n ");
	stretches_json(&t->coarse, "coarse", out);
	buffer_text(out, ",\n \"groups\": [");
	for (uint32_t i = 0; i < t->shown; i++) {
		buffer_text(out, i ? ",\n  {\"labels\": " : "\n  {\"labels\": ");
		grouping_json(&t->grouping, t->ranks[i].group, out);
		buffer_printf(out, ", \"value\": %" PRIu64 ", \"values\": ", t->ranks[i].value);
		put_values(out, t, t->values.items[t->ranks[i].group]);
		buffer_text(out, "}");
	}
	buffer_printf(out,
		      "],\n \"group_count\": %" PRIu32 ",\n \"other\": {\"value\": %" PRIu64
		      ", \"values\": ",
		      grouping_count(&t->grouping) - (t->grouping.keys->count ? 1 : 0),
		      t->other_value);
	put_values(out, t, t->other);
	buffer_text(out, "}}\n");
}

/* ---- text ---- */

struct sheet {
	const struct timeline *t;
	struct page page;
	bool is_time;
};

/* Of a step: in cores, or by second. */
static double level(const struct timeline *t, uint32_t step, uint64_t value)
{
	uint64_t covered_ns = t->steps[step].covered_ns;

	return covered_ns ? (double)value / (double)covered_ns : 0;
}

static void put_blocks(struct sheet *s, const uint64_t *values, double peak)
{
	static const char *const blocks[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };

	for (uint32_t i = 0; i < s->t->step_count; i++) {
		double x = level(s->t, i, values[i]);
		int height = peak > 0 ? (int)(x / peak * 8 + 0.5) : 0;

		if (!s->t->steps[i].covered_ns)
			buffer_text(s->page.out, "·");
		else
			/* Something is never nothing. */
			buffer_text(s->page.out, blocks[values[i] && height < 1 ? 1
							: height > 8            ? 8
										: height]);
	}
}

static void put_row(struct sheet *s, const char *name, size_t len, const uint64_t *values,
		    uint64_t sum)
{
	const struct timeline *t = s->t;
	double peak = 0, unit = s->is_time ? 1 : (double)NS_PER_S;
	uint64_t covered_ns = 0;

	for (uint32_t i = 0; i < t->step_count; i++) {
		double x = level(t, i, values[i]);

		peak = x > peak ? x : peak;
		covered_ns += t->steps[i].covered_ns;
	}
	text_fit(s->page.out, name, len, NAME_COLUMNS, true);
	buffer_printf(s->page.out, " %7.*f %7.*f  ", s->is_time ? 3 : 0,
		      covered_ns ? (double)sum / (double)covered_ns * unit : 0, s->is_time ? 3 : 0,
		      peak * unit);
	put_blocks(s, values, peak);
	page_end_row(&s->page);
}

static void put_moment(struct buffer *out, uint64_t ns)
{
	time_t at = (time_t)(ns / NS_PER_S);
	char text[40];
	struct tm tm;

	if (gmtime_r(&at, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm))
		buffer_text(out, text);
}

static void headline(struct sheet *s)
{
	const struct timeline *t = s->t;
	uint64_t to_ns = t->from_ns + t->step_count * t->step_ns;
	struct buffer *sentence = &s->page.sentence;

	put_moment(sentence, t->from_ns);
	page_say(&s->page, " to ");
	put_moment(sentence, to_ns);
	page_say(&s->page, " UTC, a column is %.9g s; %s", (double)t->step_ns / NS_PER_S,
		 s->is_time ? "cores" : "a second");
	page_attribute(&s->page, PAGE_BOLD);
	page_paragraph(&s->page, 0);
	page_attribute(&s->page, PAGE_PLAIN);
	page_attribute(&s->page, PAGE_DIM);
	page_spaces(&s->page, NAME_COLUMNS);
	buffer_text(s->page.out, "    mean    peak  each row to its own peak");
	page_attribute(&s->page, PAGE_PLAIN);
	page_end_row(&s->page);
}

/* The sum of all rows, where there is more than one. */
static int put_all(struct sheet *s)
{
	const struct timeline *t = s->t;
	uint64_t *all = calloc(t->step_count, sizeof(*all));

	if (!all)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->values.count; i++)
		for (uint32_t step = 0; step < t->step_count; step++)
			all[step] += t->values.items[i][step];
	put_row(s, "all", 3, all, t->value);
	free(all);
	return 0;
}

static void remarks(struct sheet *s)
{
	const struct timeline *t = s->t;
	uint64_t gaps = 0, lost = 0;

	for (uint32_t i = 0; i < t->step_count; i++) {
		gaps += !t->steps[i].covered_ns;
		lost += t->steps[i].lost;
	}
	buffer_text(s->page.out, "\n");
	if (gaps)
		page_say(&s->page, "· no window was there (%" PRIu64 " of %" PRIu32 "). ", gaps,
			 t->step_count);
	if (lost)
		page_say(&s->page, "%" PRIu64 " samples were lost, and are in none of this. ",
			 lost);
	if (t->coarse.items.count)
		page_say(&s->page,
			 "Some windows are longer than a column: they are spread evenly.");
	page_paragraph(&s->page, 0);
}

static int put_text(struct buffer *out, const struct timeline *t, const struct inquiry *q)
{
	const struct text_options look = inquiry_look(q);
	struct sheet s = { .t = t, .is_time = !strcmp(q->unit, "nanoseconds") };
	int r;

	page_init(&s.page, out, look.columns ? look.columns : TEXT_COLUMNS, look.color);
	headline(&s);
	r = put_all(&s);
	for (uint32_t i = 0; i < t->shown && t->grouping.keys->count; i++) {
		_cleanup_(buffer_release) struct buffer name = BUFFER_INIT(64 << 10);

		grouping_text(&t->grouping, t->ranks[i].group, &name);
		if (!buffer_error(&name))
			put_row(&s, name.data ? name.data : "", name.len,
				t->values.items[t->ranks[i].group], t->ranks[i].value);
	}
	if (t->other_value)
		put_row(&s, "(others)", 8, t->other, t->other_value);
	remarks(&s);
	if (r == 0)
		r = page_error(&s.page);
	page_release(&s.page);
	return r;
}

int timeline_answer(struct inquiry *q, struct buffer *out, struct err *err)
{
	const struct text_options look = inquiry_look(q);
	bool text = !strcmp(q->format, "text");
	uint32_t columns =
		(look.columns ? look.columns : TEXT_COLUMNS) - NAME_COLUMNS - FIGURE_COLUMNS;
	struct timeline t;
	int r = timeline_read(&t, q, text ? columns : JSON_STEPS,
			      (uint32_t)parameter_number(&q->parameters, PARAMETER_LIMIT,
							 text ? TEXT_GROUPS : JSON_GROUPS),
			      err);

	if (r < 0)
		return r;
	if (text)
		r = put_text(out, &t, q);
	else
		put_json(out, &t, q);
	timeline_release(&t);
	return r < 0 ? err_errno(err, r, "cannot make a timeline") : 0;
}
