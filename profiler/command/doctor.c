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

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/command/check.h"
#include "profiler/command/crew.h"
#include "profiler/command/inspection.h"
#include "profiler/command/look.h"
#include "profiler/command/memory.h"
#include "profiler/command/options.h"
#include "profiler/command/output.h"
#include "profiler/command/selection.h"
#include "profiler/role/role.h"

#define MAX_ANSWER_BYTES (1u << 20)
/* A sample comes every 10 ms, and is held back for 20 more: but not on a machine that leaves the agent no CPU. */
#define PATIENCE_NS (5 * NS_PER_S)
#define DRAIN_NS (10 * NS_PER_MS)

enum {
	OPTION_JSON = 0x600,
	OPTION_ROLES,
	OPTION_SYMBOLS,
};

struct request {
	bool json, roles, symbols;
	uint64_t memory; /* 0: not said */
};

static int take(void *into, int key, const char *arg, struct err *err)
{
	struct request *q = into;

	switch (key) {
	case 0:
		return err_set(err, -EINVAL, "\"%s\" is one word too many", arg);
	case OPTION_JSON:
		q->json = true;
		return 0;
	case OPTION_ROLES:
		q->roles = true;
		return 0;
	case OPTION_SYMBOLS:
		q->symbols = true;
		return 0;
	default:
		return memory_take(&q->memory, key, arg, err);
	}
}

/* ---- the decisive check ---- */

/*
 * Keeps this CPU busy until a sample of that has come. 1; 0 if none did, and none could from this CPU; -ETIME
 * and a sentence if one should have.
 */
static int wait_for_sample(struct crew *c, const struct condition *condition, struct err *err)
{
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC), now_ns = start_ns, look_ns = start_ns;
	int r = 0;

	while (r == 0 && !crew_progress(c).samples && now_ns - start_ns < PATIENCE_NS) {
		now_ns = clock_ns(CLOCK_MONOTONIC);
		if (now_ns - look_ns < DRAIN_NS)
			continue;
		look_ns = now_ns;
		r = crew_wait(c, -1, now_ns + NS_PER_MS, err);
	}
	if (r < 0)
		return r;
	if (crew_progress(c).samples)
		return 1;
	if (r > 0)
		return err_set(err, -EPROTO, "the agent ended before its time");
	if (!check_cpu_is_sampled(condition, sched_getcpu()))
		return 0;
	return err_set(err, -ETIME, "the sampler is attached, but none of its samples came");
}

/* Everything that profile does before it samples, and a sample: as wait_for_sample(), and when that was. */
static int capture_try(const struct condition *condition, uint64_t *ret_ns, struct err *err)
{
	struct job job = { .drain_ns = DRAIN_NS };
	struct selection selection;
	struct crew *crew = NULL;
	int r;

	selection_init(&selection);
	r = selection_apply(&selection, &job, err);
	if (r == 0)
		r = memory_share(condition->memory_asked, &job, err);
	if (r == 0)
		r = crew_new(&crew, &job, -1, NULL, err);
	if (r == 0)
		r = crew_start(crew, err);
	if (r == 0)
		r = wait_for_sample(crew, condition, err);
	*ret_ns = clock_ns(CLOCK_MONOTONIC);
	crew_free(crew);
	selection_release(&selection);
	return r;
}

static void look_profiling(const struct condition *condition, struct finding *f)
{
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC), sampled_ns;
	struct err err;
	int r = capture_try(condition, &sampled_ns, &err);

	*f = (struct finding){ .group = "TRIAL", .name = "profiling" };
	if (r < 0)
		finding_set(f, VERDICT_FATAL, "%s", err.text);
	else if (r == 0)
		finding_set(
			f, VERDICT_FINE,
			"loaded, attached; no sample was waited for, as doctor runs on a CPU that "
			"is left alone");
	else
		finding_set(f, VERDICT_FINE,
			    "loaded, attached, sampled: the first sample came after %d ms",
			    (int)((sampled_ns - start_ns) / NS_PER_MS));
}

/* ---- the answer ---- */

/* `r`: 0, or why the bytes couldn't be made. Returns an exit status: `status` if all was well. */
static int print(int r, const struct buffer *bytes, int status)
{
	struct output out = OUTPUT_INIT;
	struct err err;

	if (r < 0)
		r = err_errno(&err, r, "cannot make the answer");
	else
		r = output_open(&out, "-", false, &err);
	if (r == 0)
		r = output_write(&out, bytes->data, bytes->len, &err);
	output_release(&out);
	if (r == 0)
		return status;
	return r == -EPIPE ? COMMAND_FAILED : command_fail(COMMAND_FAILED, &err);
}

static int print_roles(void)
{
	_cleanup_(buffer_release) struct buffer bytes = BUFFER_INIT(MAX_ANSWER_BYTES);
	int r = 0;

	for (size_t i = 0; i < role_count() && r == 0; i++) {
		if (i)
			buffer_text(&bytes, "\n");
		r = role_describe(role_at(i), &bytes);
	}
	return print(r, &bytes, COMMAND_OK);
}

static int print_findings(const struct request *q, const struct finding *f, uint32_t count)
{
	_cleanup_(buffer_release) struct buffer bytes = BUFFER_INIT(MAX_ANSWER_BYTES);
	const struct text_options look = look_of(STDOUT_FILENO);
	int r = q->json ? findings_json(f, count, &bytes) : findings_text(f, count, &look, &bytes);

	return print(r, &bytes, f[count - 1].verdict == VERDICT_FINE ? COMMAND_OK : COMMAND_FAILED);
}

static int run(int argc, char **argv, uint64_t start_ns)
{
	static struct dump_job job = { .kind = DUMP_CENSUS };
	struct finding findings[CHECK_MAX];
	struct request q = { 0 };
	struct condition condition = { 0 };
	struct err err;
	uint32_t count;
	int r = options_parse(&doctor_command, argc, argv, &q, NULL, &err);

	(void)start_ns;
	if (r != 0)
		return options_status(r, &err);
	if (q.roles && q.json)
		return command_fail(COMMAND_USAGE,
				    (err_set(&err, -EINVAL, "--roles has no JSON"), &err));
	if (q.roles && q.symbols)
		return command_fail(
			COMMAND_USAGE,
			(err_set(&err, -EINVAL, "--roles and --symbols are two answers"), &err));
	if (q.roles)
		return print_roles();
	if (q.symbols) {
		job.json = q.json;
		return inspection_run(&job, -1);
	}
	condition.memory_asked = q.memory;
	condition_read(&condition, "");
	condition_probe(&condition);
	count = checks_run(&condition, findings);
	look_profiling(&condition, &findings[count++]);
	return print_findings(&q, findings, count);
}

static const struct argp_option doctor_options[] = {
	{ "json", OPTION_JSON, NULL, 0, "print JSON, for programs", 1 },
	{ "roles", OPTION_ROLES, NULL, 0,
	  "only print what each of slowburn's processes keeps of its privileges, and what for", 1 },
	{ "symbols", OPTION_SYMBOLS, NULL, 0,
	  "only list the binaries of running processes that lack names or lines, and the Debian "
	  "package that has them; and processes whose run-time code has no names",
	  1 },
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
	.options = { doctor_options, memory_options, help_options },
	.take = take,
	.run = run,
};
