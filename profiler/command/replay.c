// SPDX-License-Identifier: Apache-2.0
/*
 * slowburn replay: the answer of a capture from its recording, on any machine, without privileges.
 */
#include "profiler/command/command.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "profiler/agent/capture.h"
#include "profiler/base/cleanup.h"
#include "profiler/command/answer.h"
#include "profiler/command/interrupt.h"
#include "profiler/command/options.h"
#include "profiler/command/output.h"

struct request {
	struct answer_options answer;
	const char *file;
};

static int take(void *into, int key, const char *arg, struct err *err)
{
	struct request *q = into;

	if (key != 0)
		return answer_take(&q->answer, key, arg, err);
	if (q->file)
		return err_set(err, -EINVAL, "one recording at a time: \"%s\" or \"%s\"", q->file,
			       arg);
	q->file = arg;
	return 0;
}

/* As capture_replay(). */
static int read_profile(const char *file, bool no_inlines, struct profile *ret, struct err *err)
{
	_cleanup_(fd_close) int fd = open(file, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	struct err why;
	int r;

	if (fd < 0)
		return err_errno(err, -errno, "cannot read \"%s\"", file);
	r = capture_replay(fd, no_inlines, ret, &why);
	return r < 0 ? err_set(err, r, "cannot replay \"%s\": %s", file, why.text) : r;
}

static int replay(const struct request *q)
{
	struct err err;
	struct answer answer;
	struct profile profile;
	int status = COMMAND_OK, r;

	/* There is nothing to end early: the recording may be a pipe in which nothing comes. */
	r = interrupt_catch(0, output_abandon_all);
	if (r < 0)
		err_errno(&err, r, "cannot catch signals");
	if (r == 0)
		r = answer_open(&answer, &q->answer, false, &err);
	if (r < 0)
		return command_fail(COMMAND_FAILED, &err);
	r = read_profile(q->file, q->answer.no_inlines, &profile, &err);
	if (r < 0)
		status = command_fail(COMMAND_FAILED, &err);
	if (r > 0) {
		command_say("\"%s\" breaks off early: this is what it has", q->file);
		status = COMMAND_FAILED;
	}
	if (r >= 0) {
		if (answer_write(&answer, &profile) != COMMAND_OK)
			status = COMMAND_FAILED;
		profile_release(&profile);
	}
	answer_release(&answer);
	return status;
}

static int run(int argc, char **argv, uint64_t start_ns)
{
	struct request q = { 0 };
	struct err err;
	int r = options_parse(&replay_command, argc, argv, &q, NULL, &err);

	(void)start_ns;
	if (r == 0 && q.file && q.answer.path && output_same_file(q.answer.path, q.file))
		r = err_set(&err, -EINVAL, "--output \"%s\" is the recording itself",
			    q.answer.path);
	if (r == 0 && q.file)
		return replay(&q);
	if (r == 0)
		r = err_set(&err, -EINVAL,
			    "which recording? 'slowburn profile --record FILE' makes one");
	return options_status(r, &err);
}

const struct command replay_command = {
	.name = "replay",
	.summary = "Make the answer again from a recording",
	.operands = "FILE",
	.about =
		"FILE was made by slowburn profile --record, on this machine or another one. It holds all "
		"that the profile is made from, names included: nothing of this machine gets into the "
		"answer. Without -o and --format the answer is text on standard output.\n"
		"A recording that breaks off early gives what it has; the exit status is then 1.",
	.options = { answer_options, help_options },
	.take = take,
	.run = run,
};
