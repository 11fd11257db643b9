// SPDX-License-Identifier: Apache-2.0
/*
 * slowburn debug: looks at what slowburn itself works with. The file is opened here, as whoever called; it is read
 * by the symbolizer, in its sandbox.
 */
#include "profiler/command/command.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/number.h"
#include "profiler/command/inspection.h"
#include "profiler/command/options.h"

#define MAX_PID 4194304 /* PID_MAX_LIMIT */

enum {
	OPTION_ROWS = 0x800,
};

struct request {
	struct dump_job job;
	const char *topic; /* "unwind" */
	const char *file; /* or NULL: a pid */
};

static int take_subject(struct request *q, const char *arg, struct err *err)
{
	uint64_t pid;

	if (!*arg)
		return err_set(err, -EINVAL, "an empty word is no file");
	if (number_parse(arg, strlen(arg), MAX_PID, &pid) == 0 && pid) {
		q->job.pids[q->job.pid_count++] = (uint32_t)pid;
		return 0;
	}
	q->file = arg;
	return 0;
}

static int take_address(struct request *q, const char *arg, struct err *err)
{
	const char *digits = !strncmp(arg, "0x", 2) ? arg + 2 : arg;
	uint64_t addr;

	if (number_parse_hex(digits, strlen(digits), &addr) < 0)
		return err_set(err, -EINVAL, "address \"%s\" is not a hexadecimal number", arg);
	if (q->job.address_count == DUMP_MAX_ADDRESSES)
		return err_set(err, -EINVAL, "address %s is one too many: at most %u", arg,
			       DUMP_MAX_ADDRESSES);
	q->job.addresses[q->job.address_count++] = addr;
	return 0;
}

static int take(void *into, int key, const char *arg, struct err *err)
{
	struct request *q = into;

	if (key == OPTION_ROWS) {
		q->job.rows = true;
		return 0;
	}
	if (q->topic)
		return q->file || q->job.pid_count ? take_address(q, arg, err)
						   : take_subject(q, arg, err);
	if (strcmp(arg, "unwind") != 0)
		return err_set(err, -EINVAL,
			       "there is no \"%s\" to look at: see 'slowburn help debug'", arg);
	q->topic = arg;
	return 0;
}

static int run(int argc, char **argv, uint64_t start_ns)
{
	static struct request q = { .job.kind = DUMP_TABLE };
	_cleanup_(fd_close) int fd = -1;
	struct err err;
	int r = options_parse(&debug_command, argc, argv, &q, NULL, &err);

	(void)start_ns;
	if (r == 0 && !q.topic)
		r = err_set(&err, -EINVAL, "what is to be looked at? See 'slowburn help debug'");
	if (r == 0 && !q.file && !q.job.pid_count)
		r = err_set(&err, -EINVAL, "which file or process? See 'slowburn help debug'");
	if (r != 0)
		return options_status(r, &err);
	if (q.file) {
		fd = inspection_open(q.file, &err);
		if (fd < 0)
			return command_fail(COMMAND_FAILED, &err);
		inspection_name(&q.job, q.file);
	}
	return inspection_run(&q.job, fd);
}

static const struct argp_option debug_options[] = {
	{ "rows", OPTION_ROWS, NULL, 0, "print each row of the table with its rule", 1 },
	{ 0 },
};

const struct command debug_command = {
	.name = "debug",
	.summary = "Look at what slowburn works with: unwind tables",
	.operands = "unwind FILE|PID [ADDR...]",
	.about =
		"unwind FILE tells where a file's unwind table comes from, how large it is, and what of "
		"it could not be expressed; unwind PID the same for each executable mapping of a process, in a "
		"line. A number is a PID: a file of that name is ./4711. With ADDR, hexadecimal (of the file as its "
		"symbols have it, or of the process), only the rule in force there is told. Files are parsed in "
		"the same sandbox as when profiling; a file needs no privileges.",
	.options = { debug_options, help_options },
	.take = take,
	.run = run,
};
