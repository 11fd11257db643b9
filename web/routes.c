// SPDX-License-Identifier: Apache-2.0
/*
 * One table of addresses. Those under /debug/pprof behave as Go's net/http/pprof does, down to what is wrong and nevertheless answered (a bad
 * `seconds` is 30), since their clients rely on it; those under /api say what is wrong.
 *
 * Refused: an endpoint that lists or ends captures: they end by themselves, or when their client goes.
 */
#include "web/routes.h"

#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/number.h"
#include "web/pages.h"
#include "web/server.h"

#define PPROF_SECONDS 30
#define STALE_NS (10 * NS_PER_S)
#define MAX_BODY ((size_t)1 << 20)

static struct answer *page(struct request *q, const char *type,
			   void (*write)(const struct server *s, struct buffer *out))
{
	_cleanup_(buffer_release) struct buffer body = BUFFER_INIT(MAX_BODY);

	write(q->server, &body);
	return request_body(q, type, &body);
}

static struct answer *home(struct request *q)
{
	return page(q, ANSWER_HTML, page_home);
}

static struct answer *healthz(struct request *q)
{
	return request_text(q, 200, "ok");
}

static struct answer *readyz(struct request *q)
{
	const struct server *s = q->server;
	/* One comes each second. */
	bool up = s->has_status && clock_ns(CLOCK_MONOTONIC) - s->status_ns < STALE_NS &&
		  s->status.figure[WEB_FIGURE_AGENT_UP] == 1 &&
		  s->status.figure[WEB_FIGURE_KEEPER_UP] == 1;

	return up ? request_text(q, 200, "ready") : request_text(q, 503, "not ready");
}

static void write_metrics(const struct server *s, struct buffer *out)
{
	const struct metrics m = { s->has_status ? &s->status : NULL, &s->tally, s->job.version };

	metrics_write(&m, out);
}

static void write_status(const struct server *s, struct buffer *out)
{
	const struct metrics m = { s->has_status ? &s->status : NULL, &s->tally, s->job.version };

	metrics_write_json(&m, out);
}

static struct answer *metrics(struct request *q)
{
	return page(q, METRICS_TYPE, write_metrics);
}

static struct answer *status(struct request *q)
{
	return page(q, ANSWER_JSON, write_status);
}

/* ---- questions ---- */

static struct answer *ask(struct request *q)
{
	const struct question_form form = {
		.endpoint = route_find(q->target.path)->endpoint,
		.parameters = q->target.parameters,
		.count = q->target.count,
		.of_pprof = q->of_pprof,
	};

	return request_ask(q, &form);
}

/* More than nothing; 0: it isn't that. */
static uint64_t seconds_of(const struct request *q)
{
	const char *text = target_find(&q->target, "seconds");
	uint64_t seconds = 0;

	if (text && number_parse(text, strlen(text), INT64_MAX, &seconds) < 0)
		return 0;
	return seconds;
}

/* Targets are to be scraped where they were asked for. */
static struct answer *targets(struct request *q)
{
	const char *host = MHD_lookup_connection_value(q->mhd, MHD_HEADER_KIND, "Host");

	if (!target_find(&q->target, "address") && q->target.count < READER_MAX_PARAMETERS)
		q->target.parameters[q->target.count++] =
			(struct reader_parameter){ "address", host };
	return ask(q);
}

static bool names_range(const struct request *q)
{
	return target_find(&q->target, "from") || target_find(&q->target, "to");
}

static struct answer *two_ways(const struct request *q)
{
	return request_text(
		q, 400,
		"\"seconds\" is from now on, \"from\" and \"to\" are a range of what was: "
		"give one of the two");
}

static struct answer *api_profile(struct request *q)
{
	uint64_t seconds = seconds_of(q);

	if (!target_find(&q->target, "seconds"))
		return ask(q);
	if (names_range(q))
		return two_ways(q);
	if (!seconds || seconds > q->server->job.limits.capture_seconds)
		return request_text(q, 400,
				    "\"seconds\" is not a whole number from 1 to the longest "
				    "capture (3600, if it wasn't changed)");
	return request_capture(q, seconds);
}

/* ---- as net/http/pprof ---- */

static struct answer *pprof_index(struct request *q)
{
	return page(q, ANSWER_HTML, page_pprof);
}

static struct answer *pprof_folder(struct request *q)
{
	struct answer *a = request_text(q, 301, "it is " PPROF_PREFIX);

	if (a)
		answer_add(a, "Location", PPROF_PREFIX);
	return a;
}

static struct answer *pprof_profile(struct request *q)
{
	uint64_t seconds = seconds_of(q);

	if (names_range(q))
		return target_find(&q->target, "seconds") ? two_ways(q) : ask(q);
	seconds = seconds ? seconds : PPROF_SECONDS;
	if (seconds > q->server->job.limits.capture_seconds)
		return request_text(q, 400, "profile duration exceeds server's WriteTimeout");
	return request_capture(q, seconds);
}

/* The arguments with a NUL between them. */
static struct answer *pprof_cmdline(struct request *q)
{
	_cleanup_(buffer_release) struct buffer body =
		BUFFER_INIT(sizeof(q->server->job.command_line));
	const char *line = q->server->job.command_line;
	const char *end = line + sizeof(q->server->job.command_line);

	for (const char *at = line; at < end && *at; at += strlen(at) + 1) {
		if (at > line)
			buffer_append(&body, "", 1);
		buffer_text(&body, at);
	}
	return request_body(q, ANSWER_TEXT, &body);
}

/* Addresses stay here: profiles come with their names. */
static struct answer *pprof_symbol(struct request *q)
{
	return request_text(q, 200, "num_symbols: 0");
}

static const struct route routes[] = {
	{ "/", false, false, home, NULL },
	{ "/healthz", true, false, healthz, NULL },
	{ "/readyz", true, false, readyz, NULL },
	{ "/metrics", false, false, metrics, NULL },
	{ "/api/v1/status", false, false, status, NULL },
	{ "/api/v1/profile", false, false, api_profile, "profile" },
	{ "/api/v1/flamegraph", false, false, ask, "flamegraph" },
	{ "/api/v1/timeline", false, false, ask, "timeline" },
	{ "/api/v1/heatmap", false, false, ask, "heatmap" },
	{ "/api/v1/labels", false, false, ask, "labels" },
	{ "/api/v1/series", false, false, ask, "series" },
	{ "/api/v1/diff", false, false, ask, "diff" },
	{ "/api/v1/targets", false, false, targets, "targets" },
	{ "/api/v1/top", false, false, ask, "top" },
	{ "/debug/pprof", false, false, pprof_folder, NULL },
	{ PPROF_PREFIX, false, false, pprof_index, NULL },
	{ PPROF_PREFIX "profile", false, false, pprof_profile, "pprof" },
	{ PPROF_PREFIX "cmdline", false, false, pprof_cmdline, NULL },
	{ PPROF_PREFIX "symbol", false, true, pprof_symbol, NULL },
};

size_t route_count(void)
{
	return sizeof(routes) / sizeof(routes[0]);
}

const struct route *route_at(size_t i)
{
	return &routes[i];
}

const struct route *route_find(const char *path)
{
	for (size_t i = 0; i < route_count(); i++)
		if (!strcmp(routes[i].path, path))
			return &routes[i];
	return NULL;
}
