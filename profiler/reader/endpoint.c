// SPDX-License-Identifier: Apache-2.0
/*
 * Name, parameters, ranges, then the answer as a whole in memory: its length and whether it failed are known before
 * its first byte leaves, so that no client is left with half an answer that looks like one.
 */
#include "profiler/reader/endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "profiler/base/clock.h"
#include "profiler/store/level.h"

/* A window is committed soon after it ends, and its file has an hour: one that is later than this is one that the disk held up. */
#define SETTLED_NS (60 * NS_PER_S)

#define BIT PARAMETER_BIT
#define RANGE (BIT(FROM) | BIT(TO))
#define SAMPLES                                                                                   \
	(RANGE | BIT(QUERY) | BIT(FOCUS) | BIT(IGNORE) | BIT(HIDE) | BIT(SHOW) | BIT(SHOW_FROM) | \
	 BIT(RECURSION) | BIT(FORMAT))
#define OTHER (BIT(COMPARE) | BIT(COMPARE_FROM) | BIT(COMPARE_TO) | BIT(COMPARE_QUERY))
#define LOOK (BIT(COLUMNS) | BIT(COLOR))

#define JSON "application/json"
#define TEXT "text/plain; charset=utf-8"
#define BYTES "application/octet-stream"

struct form {
	const char *format, *content_type, *suffix; /* no suffix: to be looked at, not saved */
};

struct endpoint {
	const char *name;
	uint32_t accepts;
	bool lenient; /* passes over what it doesn't know */
	struct form forms[4]; /* the first without `format` */
	int (*answer)(struct inquiry *q, struct buffer *out, struct err *err);
};

static const struct endpoint endpoints[] = {
	{ "profile",
	  SAMPLES | BIT(BY) | BIT(ROOT) | BIT(LIMIT) | LOOK,
	  false,
	  { { "pprof", BYTES, ".pb.gz" },
	    { "text", TEXT, NULL },
	    { "collapsed", TEXT, ".collapsed" },
	    { "json", JSON, NULL } },
	  profile_answer },
	/* The same as /debug/pprof/profile asks for it, whose other parameters are the web's. */
	{ "pprof",
	  (SAMPLES & ~BIT(FORMAT)) | BIT(ROOT),
	  true,
	  { { "pprof", BYTES, ".pb.gz" } },
	  profile_answer },
	{ "top",
	  SAMPLES | BIT(BY) | BIT(LIMIT) | LOOK,
	  false,
	  { { "json", JSON, NULL }, { "text", TEXT, NULL } },
	  top_answer },
	{ "flamegraph",
	  SAMPLES | OTHER | BIT(ROOT) | BIT(MAX_NODES) | BIT(MIN_SHARE) | BIT(MODE),
	  false,
	  { { "json", JSON, NULL } },
	  flamegraph_answer },
	{ "diff",
	  SAMPLES | OTHER | BIT(BY) | BIT(ROOT) | BIT(MODE) | BIT(LIMIT) | LOOK,
	  false,
	  { { "json", JSON, NULL },
	    { "text", TEXT, NULL },
	    { "pprof", BYTES, ".pb.gz" },
	    { "collapsed", TEXT, ".collapsed" } },
	  diff_answer },
	{ "timeline",
	  SAMPLES | BIT(BY) | BIT(STEP) | BIT(LIMIT) | LOOK,
	  false,
	  { { "json", JSON, NULL }, { "text", TEXT, NULL } },
	  timeline_answer },
	{ "heatmap",
	  SAMPLES | BIT(STEP) | BIT(BUCKET) | LOOK,
	  false,
	  { { "json", JSON, NULL }, { "text", TEXT, NULL } },
	  heatmap_answer },
	{ "labels",
	  SAMPLES | BIT(KEY) | BIT(LIMIT) | LOOK,
	  false,
	  { { "json", JSON, NULL }, { "text", TEXT, NULL } },
	  labels_answer },
	{ "series",
	  SAMPLES | BIT(BY) | BIT(LIMIT) | LOOK,
	  false,
	  { { "json", JSON, NULL }, { "text", TEXT, NULL } },
	  series_answer },
	{ "targets",
	  SAMPLES | BIT(BY) | BIT(LIMIT) | BIT(ADDRESS),
	  false,
	  { { "json", JSON, NULL } },
	  targets_answer },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct endpoint *find(const char *name)
{
	for (size_t i = 0; i < COUNT(endpoints); i++)
		if (!strcmp(endpoints[i].name, name))
			return &endpoints[i];
	return NULL;
}

static const struct form *choose_form(const struct endpoint *e, const struct parameters *p,
				      struct err *err)
{
	const char *format = p->texts[PARAMETER_FORMAT];

	if (!format)
		return &e->forms[0];
	for (size_t i = 0; i < COUNT(e->forms) && e->forms[i].format; i++)
		if (!strcmp(e->forms[i].format, format))
			return &e->forms[i];
	err_set(err, -EINVAL, "%s is not answered in the format \"%.40s\"", e->name, format);
	return NULL;
}

static uint32_t status_of(int r)
{
	switch (r) {
	case -EINVAL:
	case -E2BIG:
	case -ELOOP:
		return 400;
	case -ENOENT:
	case -ENODATA:
		return 404;
	case -ENOMEM:
		return 503;
	default:
		return 500;
	}
}

/* "slowburn-20261122-164501.pb.gz": when it begins. */
static void name_file(char *ret, size_t size, const char *suffix, uint64_t from_ns)
{
	time_t at = (time_t)(from_ns / NS_PER_S);
	struct tm tm;
	char when[32];

	if (!suffix || !gmtime_r(&at, &tm) || !strftime(when, sizeof(when), "%Y%m%d-%H%M%S", &tm))
		return;
	snprintf(ret, size, "slowburn-%s%s", when, suffix);
}

/* Lines of what was sampled may come as long as its file is written: until its hour ends. */
static bool is_over(uint64_t to_ns, uint64_t now_ns)
{
	uint64_t last_ns = to_ns ? to_ns - 1 : 0;

	return to_ns <= now_ns &&
	       now_ns - store_slot(0, last_ns) >= store_levels[0].span_ns + SETTLED_NS;
}

static bool is_settled(const struct reader_request *request, const struct reader_ranges *ranges)
{
	for (uint32_t i = 0; i < ranges->count; i++)
		if (!is_over(ranges->items[i].to_ns, request->now_ns))
			return false;
	return true;
}

static int answer(struct inquiry *q, const struct endpoint *e, const struct reader_request *request,
		  struct reader_reply *reply, struct buffer *out, struct err *err)
{
	const struct form *form = choose_form(e, &q->parameters, err);
	int r;

	if (!form)
		return -EINVAL;
	r = reader_request_ranges(request, &q->ranges, err);
	if (r < 0)
		return r;
	q->format = form->format;
	r = e->answer(q, out, err);
	if (r == 0 && buffer_error(out) < 0)
		r = buffer_error(out) == -E2BIG
			    ? err_set(err, -E2BIG,
				      "the answer is larger than %zu MiB: ask for less",
				      out->max >> 20)
			    : err_errno(err, buffer_error(out), "cannot make the answer");
	if (r < 0)
		return r;
	reply->settled = is_settled(request, &q->ranges);
	reply->bytes = out->len;
	memcpy(reply->content_type, form->content_type, strlen(form->content_type) + 1);
	name_file(reply->file_name, sizeof(reply->file_name), form->suffix,
		  inquiry_range(q, 0)->from_ns);
	if (q->result.bad)
		snprintf(reply->sentence, sizeof(reply->sentence), "%s", q->result.damage.text);
	return 0;
}

void endpoint_answer(const struct reader_request *request, struct handed *store,
		     struct reader_reply *reply, struct buffer *out)
{
	const struct endpoint *e = find(request->endpoint);
	struct inquiry q = { .store = store };
	struct err err = { "" };
	int r = -ENOENT;

	*reply = (struct reader_reply){ .status = 200 };
	if (out->max > request->max_answer_bytes)
		out->max = request->max_answer_bytes;
	if (!e) {
		err_set(&err, r, "there is no \"%.40s\" to ask for", request->endpoint);
	} else {
		r = parameters_read(&q.parameters, request, e->accepts, e->lenient, &err);
		if (r == 0)
			r = answer(&q, e, request, reply, out, &err);
		parameters_release(&q.parameters);
	}
	if (r == 0)
		return;
	*reply = (struct reader_reply){ .status = status_of(r) };
	snprintf(reply->sentence, sizeof(reply->sentence), "%s", err.text);
	buffer_clear(out);
}
