// SPDX-License-Identifier: Apache-2.0
/*
 * slowburn dump: the stacks that the threads of a process have now, by libunwind, with lines and inlined functions; and
 * whether our own tables come to the same.
 */
#include "profiler/command/command.h"

#include <errno.h>
#include <string.h>

#include "profiler/base/number.h"
#include "profiler/command/index_cache.h"
#include "profiler/command/inspection.h"
#include "profiler/command/options.h"

#define MAX_PID 4194304 /* PID_MAX_LIMIT */

enum {
	OPTION_VERIFY = 0x700,
	OPTION_JSON,
	OPTION_NO_INLINES,
};

/* What was asked for. */
struct request {
	struct dump_job job;
	struct index_cache cache;
};

static int take_pid(struct dump_job *job, const char *arg, struct err *err)
{
	uint64_t pid;

	if (number_parse(arg, strlen(arg), MAX_PID, &pid) < 0 || !pid)
		return err_set(err, -EINVAL, "process \"%s\" is not a number from 1 to %d", arg,
			       MAX_PID);
	if (job->pid_count == DUMP_MAX_PIDS)
		return err_set(err, -EINVAL, "process %s is one too many: at most %u", arg,
			       DUMP_MAX_PIDS);
	job->pids[job->pid_count++] = (uint32_t)pid;
	return 0;
}

static int take(void *into, int key, const char *arg, struct err *err)
{
	struct request *q = into;
	struct dump_job *job = &q->job;
	int r = index_cache_take(&q->cache, key, arg, err);

	if (r != 1)
		return r;
	switch (key) {
	case OPTION_VERIFY:
		job->verify = true;
		return 0;
	case OPTION_JSON:
		job->json = true;
		return 0;
	case OPTION_NO_INLINES:
		job->inlines = false;
		return 0;
	default:
		return take_pid(job, arg, err);
	}
}

static int run(int argc, char **argv, uint64_t start_ns)
{
	static struct request q = { .job = { .kind = DUMP_STACKS, .inlines = true } };
	struct err err;
	int r = options_parse(&dump_command, argc, argv, &q, NULL, &err);

	(void)start_ns;
	if (r == 0 && !q.job.pid_count)
		r = err_set(&err, -EINVAL, "which process? See 'slowburn help dump'");
	if (r != 0)
		return options_status(r, &err);
	if (q.job.inlines)
		index_cache_open(&q.cache);
	r = inspection_run_cached(&q.job, -1, &q.cache);
	index_cache_release(&q.cache);
	return r;
}

static const struct argp_option dump_options[] = {
	{ "verify", OPTION_VERIFY, NULL, 0,
	  "unwind each stopped thread by slowburn's own tables as well, and show each difference",
	  1 },
	{ "no-inlines", OPTION_NO_INLINES, NULL, 0,
	  "functions as symbol tables have them: no inlined ones, no source lines; without it these are read for 30 s at most",
	  1 },
	{ "json", OPTION_JSON, NULL, 0, "print one JSON object, for programs", 1 },
	{ 0 },
};

const struct command dump_command = {
	.name = "dump",
	.summary = "Print the stacks that the threads of processes have now",
	.operands = "PID...",
	.about =
		"Threads are stopped one at a time, each for some tenths of a millisecond and never for more "
		"than 100, and are unwound by libunwind. It takes root, or CAP_SYS_PTRACE, or to be the "
		"process's user where ptrace is allowed. A process that was stopped stays stopped. A thread that "
		"somebody traces, or that waits in the kernel (state D), is not stopped, and that is said. System calls that end with EINTR "
		"after a SIGSTOP and SIGCONT (epoll_wait, for one) may do so.\n"
		"Functions that were inlined come before the one that they are in, under the same number and "
		"without an address. The line of a caller is that of its call.\n"
		"With --verify the same registers and memory are unwound by the rows that slowburn's "
		"kernel side uses, too, and compared frame by frame. A stack that one of the two can't finish "
		"is said so and counts neither as equal nor as different.\n"
		"The JSON object has \"processes\", each with \"pid\", \"name\" and \"threads\"; a thread has \"tid\", "
		"\"name\", \"state\", \"stopped_ns\" and \"stack\", whose \"frames\" have \"address\", \"sp\" and, where they "
		"are known, \"function\", \"offset\" (in it), \"source\" and \"line\", \"inlined\" (the functions inlined there, innermost first, each with \"function\", \"source\" and \"line\"), \"file\" (the binary) and \"guessed\" (by frame pointer); \"whole\" "
		"says if the outermost frame was reached, \"end\" why there are no more. With --verify \"rows\" is our stack, and "
		"\"agreement\" is same, unfinished or differs. What could not be looked at has \"error\".\n"
		"The exit status is 0 if all threads were shown and no frame differs, else 1.",
	.options = { dump_options, index_cache_options, help_options },
	.take = take,
	.run = run,
};
