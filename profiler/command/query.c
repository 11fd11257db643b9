// SPDX-License-Identifier: Apache-2.0
/*
 * slowburn query: a profile from a file, or what is asked for of it, in any format.
 */
#include "profiler/command/command.h"

#include <errno.h>

#include "profiler/command/options.h"
#include "profiler/command/reading.h"

static int take(void *into, int key, const char *arg, struct err *err)
{
	struct reading *x = into;

	if (key == 0 && x->files[0])
		return err_set(err, -EINVAL, "one file at a time: \"%s\" or \"%s\"", x->files[0],
			       arg);
	return reading_take(x, key, arg, err);
}

static int run(int argc, char **argv, uint64_t start_ns)
{
	static struct reading x = { .job.file_count = 1 };
	struct err err;
	int r = options_parse(&query_command, argc, argv, &x, NULL, &err);

	(void)start_ns;
	if (r == 0 && !x.files[0])
		r = err_set(&err, -EINVAL, "which file? See 'slowburn help query'");
	return r == 0 ? reading_run(&x) : options_status(r, &err);
}

const struct command query_command = {
	.name = "query",
	.summary = "Show a profile from a file, or a part of it, in any format",
	.operands = "FILE",
	.about =
		"FILE is a pprof file (slowburn's, Go's, perf_to_profile's, Parca's …), collapsed stacks, or a recording "
		"of slowburn profile --record; which, is told by what is in it. Without -o and --format the answer is text on "
		"standard output.\n"
		"A query is label matchers as in PromQL: comm=\"postgres\",cgroup=~\"/api.*\"; =, !=, =~ and !~. Expressions on "
		"frames are looked for in a function's name, its source file and its binary's path, with the meaning that "
		"they have for go tool pprof. docs/QUERY.md has all of it.\n"
		"Files are parsed by a process that has no privileges.",
	.options = { reading_options, answer_options, help_options },
	.take = take,
	.run = run,
};
