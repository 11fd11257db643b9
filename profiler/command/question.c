// SPDX-License-Identifier: Apache-2.0
/*
 * Options become parameters by their names: what they mean, and what is wrong with them, is said by the reader, as it
 * is to whoever asks by HTTP.
 */
#include "profiler/command/question.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/clock.h"

enum { ENDPOINT_FIRST = 0xc00, WORD_FIRST = 0xc40, OPTION_TOP = 0xc80, OPTION_VALUES };

static const char *const endpoints[] = { "timeline", "heatmap", "labels", "series", "flamegraph" };

static const char *const words[] = { "compare", "compare_from", "compare_to", "compare_query",
				     "step",    "bucket",       "limit",      "max_nodes" };

const struct argp_option question_options[] = {
	{ NULL, 0, NULL, 0, "What of a store (without these: a profile):", 15 },
	{ "timeline", ENDPOINT_FIRST, NULL, 0, "how much ran when, by --by", 15 },
	{ "heatmap", ENDPOINT_FIRST + 1, NULL, 0,
	  "samples by second and part of a second, while their moments are kept", 15 },
	{ "labels", ENDPOINT_FIRST + 2, NULL, 0, "which labels there are", 15 },
	{ "values", OPTION_VALUES, "LABEL", 0, "the values of a label", 15 },
	{ "series", ENDPOINT_FIRST + 3, NULL, 0,
	  "which sets of labels there are, or of those of --by", 15 },
	{ "top", OPTION_TOP, "N", 0, "the profile as text, N rows a table", 15 },
	{ "flamegraph", ENDPOINT_FIRST + 4, NULL, 0, "the tree of a flame graph, as JSON", 15 },
	{ "compare", WORD_FIRST, "AGO", 0,
	  "what changed since the same range so long before: 1d, 1w", 15 },
	{ "compare-from", WORD_FIRST + 1, "TIME", 0, "or since this range", 15 },
	{ "compare-to", WORD_FIRST + 2, "TIME", 0, "to here", 15 },
	{ "compare-query", WORD_FIRST + 3, "MATCHERS", 0,
	  "or against other samples: these, in the place of --query", 15 },
	{ "step", WORD_FIRST + 4, "DURATION", 0, "of a timeline's or a heatmap's columns", 15 },
	{ "bucket", WORD_FIRST + 5, "DURATION", 0, "of a heatmap's rows: 10ms and more", 15 },
	{ "limit", WORD_FIRST + 6, "N", 0, "at most so many rows", 15 },
	{ "max-nodes", WORD_FIRST + 7, "N", 0, "of a flame graph: so many, the rest is merged",
	  15 },
	{ 0 },
};

static int take_endpoint(struct question *q, const char *endpoint, struct err *err)
{
	if (q->endpoint)
		return err_set(err, -EINVAL, "one question at a time: %s or %s", q->endpoint,
			       endpoint);
	q->endpoint = endpoint;
	return 0;
}

int question_say(struct question *q, const char *name, const char *value, struct err *err)
{
	if (q->count == QUESTION_MAX_WORDS)
		return err_set(err, -EINVAL, "%s is one option too many", name);
	q->words[q->count++] = (struct reader_parameter){ name, value };
	return 0;
}

bool question_has(const struct question *q, const char *name)
{
	for (uint32_t i = 0; i < q->count; i++)
		if (!strcmp(q->words[i].name, name))
			return true;
	return false;
}

int question_take(struct question *q, int key, const char *arg, struct err *err)
{
	int r;

	if (key >= ENDPOINT_FIRST && key < WORD_FIRST)
		return take_endpoint(q, endpoints[key - ENDPOINT_FIRST], err);
	if (key >= WORD_FIRST && key < OPTION_TOP)
		return question_say(q, words[key - WORD_FIRST], arg, err);
	if (key != OPTION_TOP && key != OPTION_VALUES)
		return 1;
	r = take_endpoint(q, key == OPTION_TOP ? "top" : "labels", err);
	return r < 0 ? r : question_say(q, key == OPTION_TOP ? "limit" : "key", arg, err);
}

int question_check(struct question *q, struct err *err)
{
	if (q->endpoint || !q->count)
		return 0;
	if (strncmp(q->words[0].name, "compare", strlen("compare")) != 0)
		return err_set(err, -EINVAL, "--%s is for --timeline and the like",
			       q->words[0].name);
	q->endpoint = "diff";
	return 0;
}

static void add(struct reader_request *r, const char *name, const char *value)
{
	if (value && r->count < READER_MAX_PARAMETERS)
		r->parameters[r->count++] = (struct reader_parameter){ name, value };
}

/* "comm,pid", as it was given. */
static const char *write_root(const struct root_keys *root, char *text, size_t size)
{
	size_t at = 0;

	for (uint32_t i = 0; i < root->count && at < size; i++) {
		int n = snprintf(text + at, size - at, "%s%s", i ? "," : "", root->keys[i]);

		at += n > 0 ? (size_t)n : 0;
	}
	return root->count ? text : NULL;
}

void question_request(const struct question *q, const struct reader_job *job, const char *by,
		      const char *format, const struct text_options *look,
		      struct question_texts *ret_texts, struct reader_request *ret)
{
	static const char *const names[] = {
#define X(id, name, help) [QUERY_##id] = name,
		QUERY_PARAMETERS(X)
#undef X
	};
	struct reader_request r = {
		.now_ns = clock_ns(CLOCK_REALTIME),
		.max_answer_bytes = READER_MAX_ANSWER_BYTES,
		.endpoint = q->endpoint,
	};

	for (uint32_t i = 0; i < q->count; i++)
		add(&r, q->words[i].name, q->words[i].value);
	for (int i = 0; i < QUERY_PARAMETER_COUNT; i++)
		if (job->given[i])
			add(&r, names[i], job->parameters[i]);
	add(&r, "by", by);
	add(&r, "format", format);
	add(&r, "root", write_root(&job->root, ret_texts->root, sizeof(ret_texts->root)));
	if (!strcmp(format, "text")) {
		uint32_t columns = look->columns < 60 ? 60 : look->columns;

		snprintf(ret_texts->columns, sizeof(ret_texts->columns), "%u",
			 columns > 1000 ? 1000 : columns);
		add(&r, "columns", look->columns ? ret_texts->columns : NULL);
		add(&r, "color", look->color ? "1" : NULL);
	}
	*ret = r;
}
