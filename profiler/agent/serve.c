// SPDX-License-Identifier: Apache-2.0
/*
 * From a job to an answer. What the supervisor says is looked for between two drains, which are what
 * can't wait; it ends early only if the supervisor is gone.
 *
 * The answer is encoded here, by the process that holds what was learnt of others, and goes to the
 * supervisor as bytes, which it doesn't look at. To hand over the output's descriptors instead was
 * refused: they are the user's, and what is written to them is his process's to answer for.
 */
#include "profiler/agent/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/agent/capture.h"
#include "profiler/agent/job.h"
#include "profiler/agent/watch.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/role/role.h"
#include "profiler/role/sandbox.h"
#include "profiler/role/socket.h"

#define JOB_PATIENCE_NS (10 * NS_PER_S)
/* The supervisor may be busy with a disk, or stopped at a terminal: samples are lost before it is. */
#define SAY_PATIENCE_NS (60 * NS_PER_S)
#define PIECE_BYTES (256u << 10)
#define PROGRESS_NS (250 * NS_PER_MS) /* as often as its line is drawn, at most */

struct agent {
	int socket;
	struct socket_message
		message; /* the job's, whose bytes it points into; then the last one's */
	struct buffer job_bytes;
	struct job job;
	int service, recording; /* -1 */
	struct capture *capture;
	struct profile profile;
	struct agent_result result;
	bool hurried; /* HURRY came, or nobody is there any more */
	int deaf; /* negative errno: a message got stuck half-way, and another would be taken for its rest */
};

static int say(struct agent *a, enum agent_message what, const void *bytes, size_t len)
{
	if (a->deaf == 0)
		a->deaf = socket_send(a->socket, what, bytes, len, NULL, 0,
				      clock_ns(CLOCK_MONOTONIC) + SAY_PATIENCE_NS);
	return a->deaf;
}

/* A part of the answer: what is behind the supervisor may be a pager that somebody reads. */
static int say_slowly(struct agent *a, enum agent_message what, const void *bytes, size_t len)
{
	if (a->deaf == 0)
		a->deaf = socket_send(a->socket, what, bytes, len, NULL, 0, UINT64_MAX);
	return a->deaf;
}

static int say_progress(struct agent *a)
{
	struct agent_progress progress;

	capture_progress(a->capture, &progress);
	return say(a, AGENT_PROGRESS, &progress, sizeof(progress));
}

static void sign_of_life(void *ctx)
{
	/* That nobody hears it is found out soon enough. */
	(void)say_progress(ctx);
}

/* 1: it has said STOP; 0: nothing by then; negative errno: it is gone. */
static int wait_for_stop(struct agent *a, uint64_t until_ns)
{
	struct pollfd p = { .fd = a->socket, .events = POLLIN };
	const struct timespec time = clock_left(until_ns);
	int r;

	if (ppoll(&p, 1, &time, NULL) <= 0)
		return 0;
	r = socket_receive(a->socket, &a->message, clock_ns(CLOCK_MONOTONIC) + NS_PER_S);
	if (r == 0 && a->message.type != AGENT_STOP)
		r = -EPROTO;
	return r < 0 ? r : 1;
}

/* Once it is stopped. A STOP that crossed our STOPPED says nothing new. */
static bool hurry_came(void *ctx)
{
	struct agent *a = ctx;
	struct pollfd p = { .fd = a->socket, .events = POLLIN };

	while (!a->hurried && poll(&p, 1, 0) > 0)
		a->hurried = socket_receive(a->socket, &a->message,
					    clock_ns(CLOCK_MONOTONIC) + NS_PER_S) < 0 ||
			     a->message.type != AGENT_STOP;
	return a->hurried;
}

static int receive_job(struct agent *a, struct err *err)
{
	int r = socket_receive(a->socket, &a->message, clock_ns(CLOCK_MONOTONIC) + JOB_PATIENCE_NS);

	if (r == 0 && (a->message.type != AGENT_JOB || !a->message.fd_count))
		r = -EPROTO;
	if (r < 0)
		return err_errno(err, r, "the agent got no job");
	a->service = take_fd(&a->message.fds[0]);
	a->recording = take_fd(&a->message.fds[1]);
	a->job_bytes = a->message.bytes;
	buffer_init(&a->message.bytes, JOB_MAX_BYTES);
	r = job_parse(&a->job, &a->job_bytes);
	return r < 0 ? err_errno(err, r, "the agent doesn't understand its job") : 0;
}

static int set_up(struct agent *a, struct err *err)
{
	struct capture_config config = {
		.job = &a->job,
		.service = a->service,
		.record_fd = a->job.record ? a->recording : -1,
	};
	int r = capture_new(&a->capture, &config, err);

	if (r == 0)
		r = sandbox_seal(role_find(AGENT_ROLE), err);
	if (r < 0)
		return r;
	capture_on_sign_of_life(a->capture, sign_of_life, a);
	r = say(a, AGENT_READY, NULL, 0);
	if (r == 0)
		r = socket_receive(a->socket, &a->message, UINT64_MAX);
	/* Stopped before it began: there is nothing to tell. */
	if (r == 0 && a->message.type == AGENT_STOP)
		r = -EINTR;
	else if (r == 0 && a->message.type != AGENT_GO)
		r = -EPROTO;
	return r < 0 ? err_errno(err, r, "the capture was not begun") : 0;
}

/* Drains until it is time, or told to stop. 0, or negative errno and a sentence. */
static int sample(struct agent *a, struct err *err)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	uint64_t end = a->job.duration_ns ? now + a->job.duration_ns : UINT64_MAX;
	uint64_t say_ns = now;
	int r = say(a, AGENT_SAMPLING, NULL, 0);
	bool told = false;

	while (r == 0 && now < end && !told) {
		r = wait_for_stop(a, end - now < a->job.drain_ns ? end : now + a->job.drain_ns);
		if (r < 0)
			break;
		told = r > 0;
		r = capture_drain(a->capture, err);
		if (r < 0)
			return r;
		now = clock_ns(CLOCK_MONOTONIC);
		if (now < say_ns)
			continue;
		r = say_progress(a);
		say_ns = now + PROGRESS_NS;
	}
	return r < 0 ? err_errno(err, r, "the supervisor is gone") : 0;
}

/* Its encoded form, or a sentence why there is none. 0 or negative errno. */
static int encode(struct agent *a, const struct job_part *p, struct buffer *out, struct err *err)
{
	int r = p->format->encode(&a->profile, p->root.count ? &p->root : NULL, &p->look, out);

	if (r == 0)
		r = buffer_error(out);
	if (r == -E2BIG || r == -ENOMEM)
		return err_set(err, r,
			       "the %s answer takes more than the %" PRIu64
			       " MiB that there are for it: give more by --memory, or ask for less",
			       p->format->name, a->job.budget.answer >> 20);
	return r < 0 ? err_errno(err, r, "cannot make the %s answer", p->format->name) : 0;
}

/* One part of the answer: 0; negative errno if nobody listens any more. */
static int answer_part(struct agent *a, uint32_t number)
{
	_cleanup_(buffer_release) struct buffer bytes = BUFFER_INIT(a->job.budget.answer);
	struct agent_answered answered = { .part = number };
	struct err err;
	int r = 0;

	answered.status = encode(a, &a->job.parts[number], &bytes, &err);
	if (answered.status < 0) {
		a->result.status = answered.status;
		bytes.len = 0;
		r = say(a, AGENT_SAID, err.text, strlen(err.text));
	}
	for (size_t done = 0; done < bytes.len && r == 0; done += PIECE_BYTES) {
		size_t left = bytes.len - done;

		r = say_slowly(a, AGENT_ANSWER, bytes.data + done,
			       left < PIECE_BYTES ? left : PIECE_BYTES);
	}
	return r < 0 ? r : say_slowly(a, AGENT_ANSWERED, &answered, sizeof(answered));
}

static int answer(struct agent *a)
{
	const struct peer_hurry hurry = { a, a->socket, hurry_came };
	struct err err;
	int r;

	capture_on_hurry(a->capture, &hurry);
	capture_stop(a->capture);
	(void)say(a, AGENT_STOPPED, NULL, 0);
	r = capture_finish(a->capture, &a->profile, &err);
	capture_on_hurry(a->capture, NULL);
	a->result.first_sample_ns = capture_first_sample_ns(a->capture);
	a->result.end_ns = capture_end_ns(a->capture);
	if (r != 0) /* 1: only the recording failed */
		(void)say(a, AGENT_SAID, err.text, strlen(err.text));
	if (r < 0)
		return r;
	a->result.status = r ? -EIO : 0;
	if (r == 0 && a->job.record)
		(void)say(a, AGENT_RECORDED, NULL, 0);
	a->result.own_cpu_ns = a->profile.facts.own_cpu_ns;
	capture_forget(a->capture);
	r = 0;
	for (uint32_t i = 0; i < a->job.part_count && r == 0; i++)
		r = answer_part(a, i);
	profile_release(&a->profile);
	return r;
}

static int work(struct agent *a, struct err *err)
{
	int r = receive_job(a, err), failed;

	if (r == 0)
		r = set_up(a, err);
	if (r == 0)
		r = capture_start(a->capture, err);
	if (r < 0)
		return r;
	if (a->job.watch)
		return watch(a->capture, &a->job, a->socket, err);
	/* What was sampled until something failed is an answer, too. */
	failed = sample(a, err);
	r = answer(a);
	return r < 0 ? r : failed;
}

int agent_serve(int socket)
{
	struct agent a = { .socket = socket, .service = -1, .recording = -1 };
	char end[sizeof(a.result) + sizeof(struct err)];
	struct err err = { "" };
	size_t len;
	int r;

	budget_begin();
	socket_message_init(&a.message, JOB_MAX_BYTES);
	r = work(&a, &err);
	if (r < 0)
		a.result.status = r;
	len = strlen(err.text);
	memcpy(end, &a.result, sizeof(a.result));
	memcpy(end + sizeof(a.result), err.text, len);
	r = say_slowly(&a, AGENT_ENDED, end, sizeof(a.result) + len);

	capture_free(a.capture);
	fd_close(&a.service);
	fd_close(&a.recording);
	buffer_release(&a.job_bytes);
	socket_message_release(&a.message);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
