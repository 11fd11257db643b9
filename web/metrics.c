// SPDX-License-Identifier: Apache-2.0
/*
 * Counters of samples that are in no result are one metric by reason, so that their sum is what was lost; so are those of truncated stacks.
 * Others have a metric of their own. Refused: figures that aren't known as 0, which is a value.
 */
#include "web/metrics.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/text.h"
#include "profiler/base/truncation.h"

/* A line of either list. */
struct row {
	const char *metric, *labels, *help;
	bool counter;
	enum web_unit unit;
};

static const struct row figures[WEB_FIGURE_COUNT] = {
#define X(id, metric, labels, kind, unit, help) \
	{ metric, labels, help, (kind) == WEB_COUNTER, unit },
	WEB_FIGURES(X)
#undef X
};

/* The last ones are what there is now. */
static const struct row tallies[] = {
#define X(id, metric, labels, help) { metric, labels, help, true, WEB_ONE },
	TALLIES(X)
#undef X
		{ "http_connections", "", "connections now", false, WEB_ONE },
	{ "http_captures", "", "live captures now", false, WEB_ONE },
	{ "http_readers", "", "readers that are asked now", false, WEB_ONE },
	{ "http_questions", "", "questions that are waiting or being answered now", false,
	  WEB_ONE },
	{ "http_cache_bytes", "", "bytes of the cache of answers", false, WEB_ONE },
	{ "http_answer_bytes", "", "bytes of all answers in memory, those being sent too", false,
	  WEB_ONE },
};

#define TALLY_ROWS (sizeof(tallies) / sizeof(tallies[0]))

/* Of samples that are in no result: those of counters_lost(). */
static const struct {
	enum counter id;
	const char *reason;
} lost[] = {
	{ COUNTER_SAMPLES_LOST_RING, "ring buffer full" },
	{ COUNTER_SAMPLES_LOST_CPU, "cpu without a ring buffer" },
	{ COUNTER_SAMPLES_LOST_SCRATCH, "no scratch memory" },
	{ COUNTER_SAMPLES_MISSED, "passed over by the kernel" },
	{ COUNTER_SAMPLES_MALFORMED, "malformed" },
	{ COUNTER_SAMPLES_DROPPED_MEMORY, "memory" },
	{ COUNTER_SAMPLES_DROPPED_STORE, "store" },
};

static void value(uint64_t v, enum web_unit unit, struct buffer *out)
{
	if (unit == WEB_NANOSECONDS)
		buffer_printf(out, "%llu.%09llu", (unsigned long long)(v / NS_PER_S),
			      (unsigned long long)(v % NS_PER_S));
	else
		buffer_printf(out, "%llu", (unsigned long long)v);
}

static void head(const char *metric, const char *suffix, const char *help, bool counter,
		 struct buffer *out)
{
	buffer_printf(out, "# HELP slowburn_%s%s %s\n# TYPE slowburn_%s%s %s\n", metric, suffix,
		      help, metric, suffix, counter ? "counter" : "gauge");
}

static void rows(const struct row *list, size_t count, const uint64_t *values, struct buffer *out)
{
	const char *last = "";

	for (size_t i = 0; i < count; i++) {
		const struct row *row = &list[i];
		bool labels = *row->labels;

		if (values[i] == WEB_UNKNOWN)
			continue;
		if (strcmp(last, row->metric) != 0)
			head(row->metric, "", row->help, row->counter, out);
		last = row->metric;
		buffer_printf(out, "slowburn_%s%s%s%s ", row->metric, labels ? "{" : "",
			      row->labels, labels ? "}" : "");
		value(values[i], row->unit, out);
		buffer_text(out, "\n");
	}
}

static bool is_truncation(uint32_t id)
{
	return id >= (uint32_t)COUNTER_TRUNCATED_NO_ROW &&
	       id < (uint32_t)COUNTER_TRUNCATED_NO_ROW + TRUNCATION_COUNT;
}

static bool is_lost(uint32_t id)
{
	for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
		if (lost[i].id == (enum counter)id)
			return true;
	return false;
}

static void by_reason(const char *metric, const char *reason, uint64_t v, struct buffer *out)
{
	buffer_printf(out, "slowburn_%s_total{reason=\"%s\"} %llu\n", metric, reason,
		      (unsigned long long)v);
}

static void counters(const struct counters *c, struct buffer *out)
{
	head("lost_samples", "_total", "samples that are in no result", true, out);
	for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
		by_reason("lost_samples", lost[i].reason, c->value[lost[i].id], out);
	head("truncated_stacks", "_total", "user stacks without their outermost frame", true, out);
	for (uint32_t t = 0; t < TRUNCATION_COUNT; t++)
		by_reason("truncated_stacks", truncation_words((enum truncation)t),
			  c->value[COUNTER_TRUNCATED_NO_ROW + t], out);
	for (uint32_t id = 0; id < COUNTER_COUNT; id++) {
		const char *name = counter_name((enum counter)id);

		if (is_truncation(id) || is_lost(id))
			continue;
		head(name, "_total", counter_help((enum counter)id), true, out);
		buffer_printf(out, "slowburn_%s_total %llu\n", name,
			      (unsigned long long)c->value[id]);
	}
}

static void tally_values(const struct tally *t, uint64_t ret[TALLY_ROWS])
{
	const uint64_t now[] = { t->connections, t->captures,    t->readers,
				 t->questions,   t->cache_bytes, t->answer_bytes };

	_Static_assert(TALLY_ROWS == TALLY_COUNT + sizeof(now) / sizeof(now[0]),
		       "each has its line");
	memcpy(ret, t->count, sizeof(t->count));
	memcpy(ret + TALLY_COUNT, now, sizeof(now));
}

void metrics_write(const struct metrics *m, struct buffer *out)
{
	uint64_t values[TALLY_ROWS];

	head("build_info", "", "the version of slowburn", false, out);
	buffer_printf(out, "slowburn_build_info{version=\"%s\"} 1\n", m->version);
	if (m->status) {
		rows(figures, WEB_FIGURE_COUNT, m->status->figure, out);
		counters(&m->status->counters, out);
	}
	tally_values(m->tally, values);
	rows(tallies, TALLY_ROWS, values, out);
}

static void json_rows(const struct row *list, size_t count, const uint64_t *values,
		      const char **separator, struct buffer *out)
{
	for (size_t i = 0; i < count; i++) {
		char name[128];
		int len = snprintf(name, sizeof(name), *list[i].labels ? "%s{%s}" : "%s",
				   list[i].metric, list[i].labels);

		if (values[i] == WEB_UNKNOWN)
			continue;
		buffer_text(out, *separator);
		text_json(out, name, (size_t)len);
		buffer_text(out, ":");
		value(values[i], list[i].unit, out);
		*separator = ",";
	}
}

void metrics_write_json(const struct metrics *m, struct buffer *out)
{
	uint64_t values[TALLY_ROWS];
	const char *separator = "";

	buffer_text(out, "{\"version\":");
	text_json(out, m->version, strlen(m->version));
	buffer_printf(out, ",\"sequence\":%llu,\"lost_samples\":%llu,\"figures\":{",
		      m->status ? (unsigned long long)m->status->sequence : 0,
		      m->status ? (unsigned long long)counters_lost(&m->status->counters) : 0);
	if (m->status)
		json_rows(figures, WEB_FIGURE_COUNT, m->status->figure, &separator, out);
	tally_values(m->tally, values);
	json_rows(tallies, TALLY_ROWS, values, &separator, out);
	buffer_text(out, "},\"counters\":{");
	for (uint32_t id = 0; m->status && id < COUNTER_COUNT; id++)
		buffer_printf(out, "%s\"%s\":%llu", id ? "," : "", counter_name((enum counter)id),
			      (unsigned long long)m->status->counters.value[id]);
	buffer_text(out, "}}\n");
}
