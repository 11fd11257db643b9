// SPDX-License-Identifier: Apache-2.0
/*
 * slowburn profile: one capture, from the command line to the answer.
 *
 * Everything that can be refused is refused before the sampler runs: options, places to write to, a
 * command that isn't there yet but has a pid. What ends a capture is time, a signal or the end of the
 * command; then the answer is written, whatever else went wrong. A command that is still running when
 * the capture ends gets SIGTERM, as perf record does it: a profile's workload is not left behind. To
 * end the capture when the last -p process does was refused: its children may go on.
 */
#include "profiler/command/command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "profiler/base/clock.h"
#include "profiler/base/number.h"
#include "profiler/command/answer.h"
#include "profiler/command/crew.h"
#include "profiler/command/index_cache.h"
#include "profiler/command/interrupt.h"
#include "profiler/command/invoker.h"
#include "profiler/command/launch.h"
#include "profiler/command/memory.h"
#include "profiler/command/options.h"
#include "profiler/command/output.h"
#include "profiler/command/progress.h"
#include "profiler/command/selection.h"

#define DRAIN_NS (100 * NS_PER_MS)

enum {
	OPTION_DURATION = 0x400,
	OPTION_RECORD,
};

struct request {
	struct selection selection;
	struct answer_options answer;
	struct index_cache cache;
	uint64_t duration_ns; /* 0: until something else ends it */
	uint64_t memory; /* 0: not said */
	const char *record;
	char **command; /* or NULL */
};

/* All that a capture holds; released in one place. */
struct work {
	struct request *request;
	struct invoker invoker;
	struct answer answer;
	struct output recording;
	struct launch command;
	struct job job;
	struct crew *crew;
	int status; /* what the exit status will be */
};

static int take(void *into, int key, const char *arg, struct err *err)
{
	struct request *q = into;
	int r;

	switch (key) {
	case 0:
		return err_set(err, -EINVAL, "\"%s\" is no option: a command to run comes after --",
			       arg);
	case OPTION_DURATION:
		r = duration_parse(arg, &q->duration_ns);
		if (r == -ERANGE)
			return err_set(err, -EINVAL, "duration \"%s\" is longer than 10000h", arg);
		if (r < 0)
			return err_set(err, -EINVAL,
				       "duration \"%s\" is not a time such as 10s, 1m or 10", arg);
		if (!q->duration_ns)
			return err_set(
				err, -EINVAL,
				"duration \"%s\" is no time at all: leave the option out to go "
				"on until Ctrl-C",
				arg);
		return 0;
	case OPTION_RECORD:
		q->record = arg;
		return strcmp(arg, "-") != 0
			       ? 0
			       : err_set(err, -EINVAL, "--record needs a file, not \"-\"");
	default:
		r = selection_take(&q->selection, key, arg, err);
		if (r == 1)
			r = memory_take(&q->memory, key, arg, err);
		if (r == 1)
			r = index_cache_take(&q->cache, key, arg, err);
		return r == 1 ? answer_take(&q->answer, key, arg, err) : r;
	}
}

static int check(const struct request *q, struct err *err)
{
	if (q->command && !q->command[0])
		return err_set(err, -EINVAL, "there is no command after --");
	if (q->command && !*q->command[0])
		return err_set(err, -EINVAL, "the command after -- is an empty word");
	if (q->record && q->answer.path && output_same_file(q->answer.path, q->record))
		return err_set(err, -EINVAL, "--output \"%s\" and --record \"%s\" are one file",
			       q->answer.path, q->record);
	return selection_check(&q->selection, q->command != NULL, err);
}

/* Forks the command, held, and puts it into the filter. */
static int hold_command(struct work *w, struct err *err)
{
	struct request *q = w->request;
	int r;

	if (!q->command)
		return 0;
	r = launch_hold(&w->command, &w->invoker, q->command, err);
	if (r < 0 || q->selection.whole_machine)
		return r;
	r = selection_add_pid(&q->selection, (uint32_t)w->command.pid);
	return r < 0 ? err_errno(err, r, "cannot follow \"%s\"", q->command[0]) : 0;
}

/* The second signal: what must not be left behind. */
static void abandon(void)
{
	output_abandon_all();
	launch_abandon();
}

/* Everything that needs who we are: the user's files, the user's command. */
static int prepare(struct work *w, struct err *err)
{
	struct request *q = w->request;
	int r = interrupt_catch(1, abandon);

	if (r < 0)
		return err_errno(err, r, "cannot catch signals");
	r = invoker_find(&w->invoker, err);
	if (r == 0)
		r = answer_open(&w->answer, &q->answer, true, err);
	if (r == 0 && q->record)
		r = output_open(&w->recording, q->record, true, err);
	if (r == 0 && w->recording.standard)
		return err_set(err, -EINVAL,
			       "--record \"%s\" is standard output, where the answer goes",
			       q->record);
	if (r == 0)
		r = hold_command(w, err);
	if (r == 0)
		index_cache_open(&q->cache);
	if (r == 0)
		r = selection_apply(&q->selection, &w->job, err);
	return r < 0 ? r : memory_share(q->memory, &w->job, err);
}

/* The other processes. From here on we may open nothing that isn't ours. */
static int hire(struct work *w, struct err *err)
{
	w->job.duration_ns = w->request->duration_ns;
	w->job.drain_ns = DRAIN_NS;
	w->job.record = w->request->record != NULL;
	w->job.no_inlines = w->request->answer.no_inlines;
	w->job.part_count = w->answer.count;
	answer_describe(&w->answer, w->job.parts);
	return crew_new(&w->crew, &w->job, w->recording.fd, &w->request->cache, err);
}

/* Starts the sampler, then the command. 0, or negative errno and a sentence. */
static int start(struct work *w, struct err *err)
{
	int r = crew_start(w->crew, err);

	if (r < 0 || !w->command.pid)
		return r;
	return launch_go(&w->command, w->request->command[0], err);
}

/* Waits until time, signal, command or a failure ends it. 0, or negative errno and a sentence. */
static int sample(struct work *w, struct err *err)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	struct progress line;
	int r = 0;

	progress_begin(&line, now, w->request->duration_ns, w->command.pid != 0);
	while (r == 0 && !interrupt_came() && !launch_ended(&w->command)) {
		struct agent_progress so_far;

		/* The agent says something now and then: that is what mostly wakes us. */
		r = crew_wait(w->crew, w->command.pidfd, now + NS_PER_S, err);
		now = clock_ns(CLOCK_MONOTONIC);
		so_far = crew_progress(w->crew);
		progress_update(&line, now, so_far.samples, so_far.lost);
	}
	progress_clear(&line);
	return r < 0 ? r : 0;
}

/* Sees the command off, and says how it ended if that was not as it should be. */
static void end_command(struct work *w)
{
	const char *name = w->request->command ? w->request->command[0] : NULL;
	int pid = w->command.pid, status, r;
	bool by_itself;

	if (!pid)
		return;
	by_itself = launch_ended(&w->command) && !interrupt_came();
	r = launch_end(&w->command, &status);
	if (r == 1)
		command_say("\"%s\" (process %d) goes on: it ignores SIGTERM", name, pid);
	else if (r == 0 && by_itself && WIFSIGNALED(status))
		command_say("\"%s\" was ended by signal %d (%s)", name, WTERMSIG(status),
			    strsignal(WTERMSIG(status)));
	else if (r == 0 && by_itself && WEXITSTATUS(status) != 0)
		command_say("\"%s\" ended with status %d", name, WEXITSTATUS(status));
}

static void tell_times(const struct work *w, uint64_t start_ns)
{
	const struct agent_result *r = crew_result(w->crew);
	const char *wanted = getenv("SLOWBURN_TIMING");

	if (!wanted || strcmp(wanted, "1") != 0)
		return;
	fprintf(stderr,
		"timing: start_ns=%" PRIu64 " first_sample_ns=%" PRIu64 " capture_end_ns=%" PRIu64
		" answer_ns=%" PRIu64 " capture_cpu_ns=%" PRIu64 "\n",
		start_ns, r->first_sample_ns, r->end_ns, clock_ns(CLOCK_MONOTONIC), r->own_cpu_ns);
}

static void recorded(void *ctx)
{
	struct work *w = ctx;
	struct err err;

	if (output_finish(&w->recording, &err) < 0)
		w->status = command_fail(COMMAND_FAILED, &err);
}

static void take_bytes(void *ctx, uint32_t part, const void *bytes, size_t len)
{
	struct work *w = ctx;

	if (answer_put(&w->answer, part, bytes, len) != COMMAND_OK)
		w->status = COMMAND_FAILED;
}

static void taken(void *ctx, uint32_t part, bool whole)
{
	struct work *w = ctx;

	if (!whole || answer_end(&w->answer, part) != COMMAND_OK)
		w->status = COMMAND_FAILED;
}

/* Names, files, answer. A first signal now shortens that (crew_finish()), the second ends all. */
static void finish(struct work *w)
{
	const struct crew_taker taker = { w, recorded, take_bytes, taken };
	struct err err;
	int r = crew_stop(w->crew, &err);

	/* Not before: its end would be in the profile. */
	end_command(w);
	if (r == 0)
		r = crew_finish(w->crew, &taker, &err);
	if (r < 0 && *err.text)
		command_fail(COMMAND_FAILED, &err);
	if (r < 0)
		w->status = COMMAND_FAILED;
	if (answer_close(&w->answer) != COMMAND_OK)
		w->status = COMMAND_FAILED;
}

static int work(struct work *w, uint64_t start_ns)
{
	struct err err;

	if (prepare(w, &err) < 0 || hire(w, &err) < 0 || start(w, &err) < 0)
		return command_fail(COMMAND_FAILED, &err);
	if (sample(w, &err) < 0) {
		end_command(w);
		return command_fail(COMMAND_FAILED, &err);
	}
	finish(w);
	tell_times(w, start_ns);
	return w->status;
}

static int run(int argc, char **argv, uint64_t start_ns)
{
	struct request q = { 0 };
	struct work w = { .request = &q, .recording = OUTPUT_INIT, .command = LAUNCH_INIT };
	struct err err;
	int status, r;

	selection_init(&q.selection);
	r = options_parse(&profile_command, argc, argv, &q, &q.command, &err);
	if (r == 0)
		r = check(&q, &err);
	status = r == 0 ? work(&w, start_ns) : options_status(r, &err);

	crew_free(w.crew);
	launch_release(&w.command);
	output_release(&w.recording);
	answer_release(&w.answer);
	index_cache_release(&q.cache);
	selection_release(&q.selection);
	return status;
}

static const struct argp_option duration_options[] = {
	{ NULL, 0, NULL, 0, "When to stop:", 10 },
	{ "duration", OPTION_DURATION, "TIME", 0,
	  "after this time, such as 10s, 1m30s, 500ms or 10 (seconds); without it at Ctrl-C, or when "
	  "COMMAND ends",
	  10 },
	{ 0 },
};

/* In the group of "Where the answer goes". */
static const struct argp_option record_options[] = {
	{ "record", OPTION_RECORD, "FILE", 0,
	  "also keep all that was received, for slowburn replay and for bug reports", 30 },
	{ 0 },
};

const struct command profile_command = {
	.name = "profile",
	.summary = "Profile the CPUs of this machine, or a part of it",
	.operands = "[-- COMMAND [ARG...]]",
	.about =
		"Samples every CPU, kernel and user stacks, and prints where the CPU time went. Without "
		"-o and --format the whole profile is also written to a file in the current folder, "
		"slowburn-HOST-TIME.pb.gz, for go tool pprof and other viewers; it never replaces "
		"another file.\n"
		"The first Ctrl-C (or SIGTERM, SIGHUP) ends the capture, and the answer is written. The "
		"second ends everything and leaves no file. One that comes when the capture has already ended by itself "
		"leaves out the source lines and inlined functions that are still being read (5 s at most).\n"
		"COMMAND runs as the user who called sudo, and only it and its children are sampled, "
		"until it ends; it can't be given together with -p or -t. If the capture ends first, by "
		"--duration or Ctrl-C, COMMAND is sent SIGTERM. On a terminal a line shows the progress, "
		"unless COMMAND has the terminal.",
	.options = { duration_options, selection_options, memory_options, index_cache_options,
		     answer_options, record_options, help_options },
	.take = take,
	.takes_command = true,
	.run = run,
};
