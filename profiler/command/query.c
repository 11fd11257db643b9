// SPDX-License-Identifier: Apache-2.0
/*
 * slowburn query: a profile from a file or a range of a store, or what is asked for of it, in any format.
 */
#include "profiler/command/command.h"

#include <errno.h>

#include "profiler/base/clock.h"
#include "profiler/query/moment.h"
#include "profiler/command/options.h"
#include "profiler/command/reading.h"

enum { OPTION_STORE = 0xb10, OPTION_FROM, OPTION_TO };

struct request {
	struct reading reading;
	const char *from, *to;
};

static int take_file(struct reading *x, const char *arg, bool store, struct err *err)
{
	if (x->files[0])
		return err_set(err, -EINVAL, "one file or store at a time: \"%s\" or \"%s\"",
			       x->files[0], arg);
	x->job.store = store;
	return reading_take(x, 0, arg, err);
}

static int take(void *into, int key, const char *arg, struct err *err)
{
	struct request *q = into;
	int r;

	switch (key) {
	case 0:
	case OPTION_STORE:
		return take_file(&q->reading, arg, key == OPTION_STORE, err);
	case OPTION_FROM:
		q->from = arg;
		return 0;
	case OPTION_TO:
		q->to = arg;
		return 0;
	default:
		r = question_take(&q->reading.question, key, arg, err);
		return r == 1 ? reading_take(&q->reading, key, arg, err) : r;
	}
}

/* A comparison with before needs a range with ends: what the API has without any. */
static void end_compared(struct request *q)
{
	if (!question_has(&q->reading.question, "compare"))
		return;
	q->from = q->from ? q->from : "-1h";
	q->to = q->to ? q->to : "now";
}

static int check(struct request *q, struct err *err)
{
	struct reader_job *job = &q->reading.job;
	struct moment_range range;
	int r;

	if (!q->reading.files[0])
		return err_set(err, -EINVAL, "which file? See 'slowburn help query'");
	r = question_check(&q->reading.question, err);
	if (r < 0)
		return r;
	if (!job->store && q->reading.question.endpoint)
		return err_set(err, -EINVAL, "what changes with time is asked of a --store");
	if (!job->store)
		return q->from || q->to ? err_set(err, -EINVAL, "--from and --to are for --store")
					: 0;
	end_compared(q);
	r = moment_range_parse(q->from, q->to, clock_ns(CLOCK_REALTIME), &range, err);
	if (r < 0)
		return r;
	job->from_ns = range.from_ns;
	job->to_ns = range.to_ns;
	r = question_say(&q->reading.question, "from", q->from ? q->from : "first", err);
	return r < 0 ? r : question_say(&q->reading.question, "to", q->to ? q->to : "last", err);
}

static int run(int argc, char **argv, uint64_t start_ns)
{
	static struct request q = { .reading.job.file_count = 1 };
	struct err err;
	int r = options_parse(&query_command, argc, argv, &q, NULL, &err);

	(void)start_ns;
	if (r == 0)
		r = check(&q, &err);
	return r == 0 ? reading_run(&q.reading) : options_status(r, &err);
}

static const struct argp_option query_options[] = {
	{ "store", OPTION_STORE, "DIR", 0, "instead of a file: a range of time of the store DIR",
	  1 },
	{ "from", OPTION_FROM, "TIME", 0,
	  "of a store: windows that start then or later (default: the first)", 1 },
	{ "to", OPTION_TO, "TIME", 0, "of a store: and before then (default: the last)", 1 },
	{ 0 },
};

const struct command query_command = {
	.name = "query",
	.summary = "Show a profile from a file or a store, or a part of it, in any format",
	.operands = "FILE|--store=DIR",
	.about =
		"FILE is a pprof file (slowburn's, Go's, perf_to_profile's, Parca's …), collapsed stacks, or a recording "
		"of slowburn profile --record; which, is told by what is in it. Without -o and --format the answer is text on "
		"standard output.\n"
		"A query is label matchers as in PromQL: comm=\"postgres\",cgroup=~\"/api.*\"; =, !=, =~ and !~. Expressions on "
		"frames are looked for in a function's name, its source file and its binary's path, with the meaning that "
		"they have for go tool pprof. docs/QUERY.md has all of it.\n"
		"TIME is as in 2025-11-23T05:30:00Z (RFC 3339), 1763875800 (seconds since 1970), -1h30m, -7d (ago), now, first or last. "
		"Files are parsed by a process that has no privileges.",
	.options = { query_options, question_options, reading_options, answer_options,
		     help_options },
	.take = take,
	.run = run,
};
