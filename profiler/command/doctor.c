// SPDX-License-Identifier: Apache-2.0
/*
 * slowburn doctor: what this kernel and these privileges allow. Facts are read (condition.h), judged
 * (check.h), and then the one thing that counts is tried: a capture, until its first sample has come all
 * the way. The exit status is that one's, so that it is never better or worse than what profile does.
 */
#include "profiler/command/command.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiler/agent/capture.h"
#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/command/check.h"
#include "profiler/command/look.h"
#include "profiler/command/options.h"
#include "profiler/command/output.h"
#include "profiler/command/selection.h"

#define MAX_ANSWER_BYTES (1u << 20)
/* A sample comes every 10 ms, and is held back for 20 more. A throttled cgroup may pause for 100 ms. */
#define PATIENCE_NS (NS_PER_S)

enum {
	OPTION_JSON = 0x600,
};

struct request {
	bool json;
};

static int take(void *into, int key, const char *arg, struct err *err)
{
	struct request *q = into;

	if (key == OPTION_JSON) {
		q->json = true;
		return 0;
	}
	return err_set(err, -EINVAL, "\"%s\" is one word too many", arg);
}

/* ---- the decisive check ---- */

/* Keeps this CPU busy until a sample of that has come. 0; -ETIME and a sentence if none does. */
static int wait_for_sample(struct capture *c, const struct condition *condition, struct err *err)
{
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC), now_ns = start_ns, drain_ns = start_ns;
	struct capture_progress so_far = { 0 };
	int r = 0;

	while (r == 0 && !so_far.samples && now_ns - start_ns < PATIENCE_NS) {
		now_ns = clock_ns(CLOCK_MONOTONIC);
		if (now_ns - drain_ns < 10 * NS_PER_MS)
			continue;
		drain_ns = now_ns;
		r = capture_drain(c, err);
		capture_progress(c, &so_far);
	}
	if (r < 0 || so_far.samples || !check_cpu_is_sampled(condition, sched_getcpu()))
		return r;
	return err_set(err, -ETIME, "the sampler is attached, but none of its samples came");
}

/* Everything that profile does before it samples, and a sample. */
static int capture_try(const struct condition *condition, struct err *err)
{
	struct capture_config config = { .record_fd = -1 };
	struct capture *capture = NULL;
	struct selection selection;
	int r;

	selection_init(&selection);
	r = selection_apply(&selection, &config, err);
	if (r == 0)
		r = capture_new(&capture, &config, err);
	if (r == 0)
		r = capture_start(capture, err);
	if (r == 0)
		r = wait_for_sample(capture, condition, err);
	capture_free(capture);
	selection_release(&selection);
	return r;
}

static void look_profiling(const struct condition *condition, struct finding *f)
{
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC);
	struct err err;

	*f = (struct finding){ .group = "TRIAL", .name = "profiling" };
	if (capture_try(condition, &err) < 0)
		finding_set(f, VERDICT_FATAL, "%s", err.text);
	else
		finding_set(f, VERDICT_FINE,
			    "loaded, attached, sampled: the first sample came after %d ms",
			    (int)((clock_ns(CLOCK_MONOTONIC) - start_ns) / NS_PER_MS));
}

/* ---- the answer ---- */

static int print(const struct request *q, const struct finding *f, uint32_t count, struct err *err)
{
	_cleanup_(buffer_release) struct buffer bytes = BUFFER_INIT(MAX_ANSWER_BYTES);
	const struct text_options look = look_of(STDOUT_FILENO);
	struct output out = OUTPUT_INIT;
	int r = q->json ? findings_json(f, count, &bytes) : findings_text(f, count, &look, &bytes);

	if (r < 0)
		return err_errno(err, r, "cannot make the answer");
	r = output_open(&out, "-", false, err);
	if (r == 0)
		r = output_write(&out, bytes.data, bytes.len, err);
	output_release(&out);
	return r;
}

static int run(int argc, char **argv, uint64_t start_ns)
{
	struct finding findings[CHECK_MAX];
	struct condition condition = { 0 };
	struct request q = { 0 };
	struct err err;
	uint32_t count;
	int r = options_parse(&doctor_command, argc, argv, &q, NULL, &err);

	(void)start_ns;
	if (r != 0)
		return options_status(r, &err);
	condition_read(&condition, "");
	condition_probe(&condition);
	count = checks_run(&condition, findings);
	look_profiling(&condition, &findings[count++]);
	r = print(&q, findings, count, &err);
	if (r < 0)
		return r == -EPIPE ? COMMAND_FAILED : command_fail(COMMAND_FAILED, &err);
	return findings[count - 1].verdict == VERDICT_FINE ? COMMAND_OK : COMMAND_FAILED;
}

static const struct argp_option doctor_options[] = {
	{ "json", OPTION_JSON, NULL, 0, "print JSON, for programs", 1 },
	{ 0 },
};

const struct command doctor_command = {
	.name = "doctor",
	.summary = "Tell what this kernel and these privileges allow",
	.operands = "",
	.about =
		"A line for each thing that profiling depends on: fine, degraded and what is lost, fatal and "
		"why, or unknown where it can't be asked; and how to mend it. Last it samples for a moment and "
		"says whether profiling will work. The exit status is 0 if it will, degraded or not, and 1 if it "
		"won't.",
	.options = { doctor_options, help_options },
	.take = take,
	.run = run,
};
