// SPDX-License-Identifier: Apache-2.0
/*
 * slowburn diff: what changed between two profiles.
 */
#include "profiler/command/command.h"

#include <errno.h>

#include "profiler/command/options.h"
#include "profiler/command/reading.h"

enum {
	OPTION_ABSOLUTE = 0xb00,
	OPTION_RELATIVE,
};

static int take_mode(struct reading *x, enum diff_mode mode, struct err *err)
{
	if (x->job.mode != DIFF_AUTO && x->job.mode != mode)
		return err_set(err, -EINVAL, "--absolute and --relative exclude each other");
	x->job.mode = mode;
	return 0;
}

static int take(void *into, int key, const char *arg, struct err *err)
{
	struct reading *x = into;

	switch (key) {
	case OPTION_ABSOLUTE:
		return take_mode(x, DIFF_ABSOLUTE, err);
	case OPTION_RELATIVE:
		return take_mode(x, DIFF_RELATIVE, err);
	default:
		return reading_take(x, key, arg, err);
	}
}

static int run(int argc, char **argv, uint64_t start_ns)
{
	static struct reading x = { .job.file_count = 2 };
	struct err err;
	int r = options_parse(&diff_command, argc, argv, &x, NULL, &err);

	(void)start_ns;
	if (r == 0 && !x.files[1])
		r = err_set(&err, -EINVAL, "which two files? See 'slowburn help diff'");
	return r == 0 ? reading_run(&x) : options_status(r, &err);
}

static const struct argp_option diff_options[] = {
	{ "absolute", OPTION_ABSOLUTE, NULL, 0,
	  "compare CPU time by wall time, in cores; the default where both files say how long they took",
	  1 },
	{ "relative", OPTION_RELATIVE, NULL, 0, "compare shares of what was sampled", 1 },
	{ 0 },
};

const struct command diff_command = {
	.name = "diff",
	.summary = "What changed between two profiles, most significant first",
	.operands = "BEFORE AFTER",
	.about =
		"Both are files as slowburn query reads them. Functions (by their own time), processes and stacks are compared, each "
		"by an exact test; what is listed is what changed by more than chance, so that of all that is listed at most 5 % "
		"is not so. That is the chance of sampling: how much the work itself varies from run to run only more runs can "
		"tell. Lengths, sampling rates and losses may differ.\n"
		"--format pprof is what go tool pprof -diff_base makes (go tool pprof -top FILE shows it), collapsed what "
		"FlameGraph's difffolded makes.",
	.options = { diff_options, reading_options, answer_options, help_options },
	.take = take,
	.run = run,
};
