// SPDX-License-Identifier: Apache-2.0
/*
 * slowburn help: the overview, one command's options, or the whole manual page.
 */
#include "profiler/command/command.h"

#include <errno.h>
#include <stdio.h>

#include "profiler/command/manual.h"
#include "profiler/command/options.h"

enum {
	OPTION_MAN = 0x500,
};

struct request {
	const struct command *about;
	bool man;
};

static int take(void *into, int key, const char *arg, struct err *err)
{
	struct request *q = into;

	if (key == OPTION_MAN) {
		q->man = true;
		return 0;
	}
	if (q->about)
		return err_set(err, -EINVAL, "\"%s\" is one word too many", arg);
	q->about = command_find(arg, err);
	return q->about ? 0 : -EINVAL;
}

static int print(const struct request *q)
{
	if (q->man)
		return manual_print(stdout);
	return q->about ? options_help(q->about, stdout) : manual_overview(stdout);
}

static int run(int argc, char **argv, uint64_t start_ns)
{
	struct request q = { 0 };
	struct err err;
	int r = options_parse(&help_command, argc, argv, &q, NULL, &err);

	(void)start_ns;
	if (r != 0)
		return options_status(r, &err);
	r = print(&q);
	if (r == 0)
		return COMMAND_OK;
	err_errno(&err, r, "cannot print the help");
	return options_status(r, &err);
}

static const struct argp_option man_options[] = {
	{ "man", OPTION_MAN, NULL, 0, "print the manual page slowburn(8), for man -l or mandoc",
	  1 },
	{ 0 },
};

const struct command help_command = {
	.name = "help",
	.summary = "Print what can be done, or one command's options",
	.operands = "[COMMAND]",
	.about = "",
	.options = { man_options, help_options },
	.take = take,
	.run = run,
};
