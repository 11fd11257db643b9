// SPDX-License-Identifier: Apache-2.0
/*
 * One poll() over three things: the conversation with the agent, what it asks of the supervisor, and
 * whatever the caller waits for. Each message only changes what is known; who waits for something looks
 * at that.
 *
 * The agent is relied upon for nothing: silence ends it, nonsense ends it, and its bytes go to where the
 * user wanted them, as they come, and nowhere else.
 */
#include "profiler/command/crew.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/command/allowance.h"
#include "profiler/command/command.h"
#include "profiler/command/interrupt.h"
#include "profiler/command/priority.h"
#include "profiler/opener/protocol.h"
#include "profiler/role/role.h"
#include "profiler/role/socket.h"
#include "profiler/role/supervisor.h"
#include "symbolizer/protocol.h"

/* Loading takes seconds on thousands of CPUs, a large answer seconds to be made; silence is no work. */
#define SILENCE_NS (60 * NS_PER_S)
/* And once more, if it seems silent: whoever stopped us (Ctrl-Z) has stopped the agent, too. */
#define DOUBT_NS (5 * NS_PER_S)
#define HURRY_NS (100 * NS_PER_MS) /* a signal between the look for one and poll() is seen then */
#define MESSAGE_PATIENCE_NS (5 * NS_PER_S)
/* A process's sockets are closed some time before it can be said how it ended. */
#define END_PATIENCE_NS (500 * NS_PER_MS)

struct crew {
	struct supervisor *supervisor;
	int agent; /* the conversation */
	struct socket_message message;
	const struct crew_taker *taker; /* NULL until the answer is waited for */
	uint32_t part; /* that is under way */
	struct agent_progress progress;
	struct agent_result result;
	struct err failure; /* the sentence of its end */
	uint64_t heard_ns;
	bool doubted; /* it was silent for too long, and nothing was heard since */
	bool ready, sampling, stopped, ended;
	bool hurried; /* it was told to hurry, or it was a signal that ended the capture */
};

/* ---- what the agent says ---- */

static void said(const struct crew *c)
{
	command_say("%.*s",
		    (int)(c->message.bytes.len < sizeof(struct err) ? c->message.bytes.len
								    : sizeof(struct err)),
		    c->message.bytes.data);
}

static int answered(struct crew *c)
{
	struct agent_answered a;

	if (c->message.bytes.len != sizeof(a) || !c->taker)
		return -EPROTO;
	memcpy(&a, c->message.bytes.data, sizeof(a));
	if (a.part != c->part)
		return -EPROTO;
	c->taker->taken(c->taker->ctx, c->part++, a.status == 0);
	return 0;
}

static int answer(struct crew *c)
{
	if (!c->taker)
		return -EPROTO;
	c->taker->take(c->taker->ctx, c->part, c->message.bytes.data, c->message.bytes.len);
	return 0;
}

static int recorded(struct crew *c)
{
	if (!c->taker)
		return -EPROTO;
	c->taker->recorded(c->taker->ctx);
	return 0;
}

static int ended(struct crew *c)
{
	const struct buffer *b = &c->message.bytes;
	size_t len = b->len - sizeof(c->result);

	if (b->len < sizeof(c->result) || len >= sizeof(c->failure.text))
		return -EPROTO;
	memcpy(&c->result, b->data, sizeof(c->result));
	memcpy(c->failure.text, b->data + sizeof(c->result), len);
	c->failure.text[len] = '\0';
	c->ended = true;
	return 0;
}

static int hear(struct crew *c)
{
	const struct buffer *b = &c->message.bytes;
	int r = socket_receive(c->agent, &c->message,
			       clock_ns(CLOCK_MONOTONIC) + MESSAGE_PATIENCE_NS);

	if (r < 0)
		return r;
	c->heard_ns = clock_ns(CLOCK_MONOTONIC);
	c->doubted = false;
	switch (c->message.type) {
	case AGENT_READY:
		c->ready = true;
		return 0;
	case AGENT_SAMPLING:
		c->sampling = true;
		return 0;
	case AGENT_STOPPED:
		c->stopped = true;
		return 0;
	case AGENT_PROGRESS:
		if (b->len != sizeof(c->progress))
			return -EPROTO;
		memcpy(&c->progress, b->data, sizeof(c->progress));
		return 0;
	case AGENT_SAID:
		said(c);
		return 0;
	case AGENT_RECORDED:
		return recorded(c);
	case AGENT_ANSWER:
		return answer(c);
	case AGENT_ANSWERED:
		return answered(c);
	case AGENT_ENDED:
		return ended(c);
	default:
		return -EPROTO;
	}
}

/* ---- waiting ---- */

static int lost(struct crew *c, int r, struct err *err)
{
	const struct timespec nap = { .tv_nsec = NS_PER_MS };
	uint64_t until_ns = clock_ns(CLOCK_MONOTONIC) + END_PATIENCE_NS;
	struct err how;

	while (r == -EPIPE && clock_ns(CLOCK_MONOTONIC) < until_ns) {
		if (supervisor_leader_ended(c->supervisor, &how))
			return err_set(err, r, "%s", how.text);
		clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
	}
	if (r == -EPIPE)
		return err_set(err, r, "the agent has closed its socket");
	return err_errno(err, r, "the agent can't be understood");
}

/* Nothing came by the time that silence ends: 0 if it has a moment more, else negative and a sentence. */
static int doubt(struct crew *c, struct err *err)
{
	if (c->doubted)
		return err_set(err, -ETIMEDOUT, "the agent has given no sign of life for %d s",
			       (int)(SILENCE_NS / NS_PER_S));
	c->doubted = true;
	c->heard_ns = clock_ns(CLOCK_MONOTONIC) - SILENCE_NS + DOUBT_NS;
	return 0;
}

/* Hears or serves what there is by then, once. 0; 1 when `other` can be read; negative and a sentence. */
static int pump(struct crew *c, int other, uint64_t until_ns, struct err *err)
{
	struct pollfd p[] = {
		{ .fd = c->agent, .events = POLLIN },
		{ .fd = supervisor_fd(c->supervisor), .events = POLLIN },
		{ .fd = other, .events = POLLIN },
	};
	uint64_t silent_ns = c->heard_ns + SILENCE_NS;
	const struct timespec time = clock_left(until_ns < silent_ns ? until_ns : silent_ns);
	int r = 0;

	if (ppoll(p, sizeof(p) / sizeof(p[0]), &time, NULL) <= 0)
		return clock_ns(CLOCK_MONOTONIC) >= silent_ns ? doubt(c, err) : 0;
	/* What it said before it closed the other socket is heard first. */
	if (p[0].revents)
		r = hear(c);
	else if (p[1].revents)
		r = supervisor_serve(c->supervisor);
	if (r < 0)
		return lost(c, r, err);
	return p[2].revents != 0;
}

/* The agent's own sentence, when it ended before its time. */
static int ended_early(const struct crew *c, struct err *err)
{
	return err_set(err, c->result.status < 0 ? c->result.status : -EPROTO, "%s",
		       *c->failure.text ? c->failure.text : "the agent ended before its time");
}

static int wait_for(struct crew *c, const bool *what, struct err *err)
{
	int r = 0;

	while (r >= 0 && !*what && !c->ended && !interrupt_came())
		r = pump(c, -1, UINT64_MAX, err);
	if (r < 0)
		return r;
	if (c->ended)
		return ended_early(c, err);
	return *what ? 0 : err_set(err, -EINTR, "interrupted before the capture began");
}

int crew_wait(struct crew *c, int other, uint64_t until_ns, struct err *err)
{
	int r = c->stopped || c->ended ? 0 : pump(c, other, until_ns, err);

	return r < 0 ? r : c->stopped || c->ended;
}

/* ---- life ---- */

static int give_job(struct crew *c, const struct job *job, int service, int recording,
		    struct err *err)
{
	_cleanup_(buffer_release) struct buffer bytes = BUFFER_INIT(JOB_MAX_BYTES);
	const int fds[] = { service, recording };
	int r;

	job_write(job, &bytes);
	r = buffer_error(&bytes);
	if (r == 0)
		r = socket_send(c->agent, AGENT_JOB, bytes.data, bytes.len, fds,
				recording < 0 ? 1 : 2,
				clock_ns(CLOCK_MONOTONIC) + MESSAGE_PATIENCE_NS);
	return r < 0 ? err_errno(err, r, "cannot tell the agent what to do") : 0;
}

/* The agent first: it takes longest. The others start up while it loads BPF. */
static int start_all(struct crew *c, const struct job *job, int recording,
		     const struct index_cache *cache, struct err *err)
{
	const struct supervisor_memory memory[] = {
		{ AGENT_ROLE, job->budget.agent },
		{ OPENER_ROLE, job->budget.opener },
		{ FETCHER_ROLE, job->budget.fetcher },
		{ SYMBOLS_ROLE, job->budget.symbolizer },
		{ NULL, 0 },
	};
	_cleanup_(fd_close) int service = -1;
	int r = supervisor_confine("supervisor", err);

	if (r == 0)
		r = supervisor_new(&c->supervisor, memory, err);
	if (r == 0 && cache)
		index_cache_lend(cache, c->supervisor);
	if (r == 0)
		r = supervisor_lead(c->supervisor, AGENT_ROLE, &c->agent, &service, err);
	if (r == 0)
		r = give_job(c, job, service, recording, err);
	if (r == 0)
		r = supervisor_prepare(c->supervisor, OPENER_ROLE, err);
	if (r == 0)
		r = supervisor_prepare(c->supervisor, SYMBOLS_ROLE, err);
	return r;
}

int crew_new(struct crew **ret, const struct job *job, int recording,
	     const struct index_cache *cache, struct err *err)
{
	struct crew *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_errno(err, -ENOMEM, "cannot set up the capture");
	c->agent = -1;
	c->heard_ns = clock_ns(CLOCK_MONOTONIC);
	socket_message_init(&c->message, AGENT_MAX_MESSAGE_BYTES);
	priority_raise();
	allowance_raise();
	r = start_all(c, job, recording, cache, err);
	if (r == 0)
		r = wait_for(c, &c->ready, err);
	if (r < 0) {
		crew_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void crew_free(struct crew *c)
{
	if (!c)
		return;
	fd_close(&c->agent);
	supervisor_free(c->supervisor);
	socket_message_release(&c->message);
	free(c);
}

static int tell(const struct crew *c, enum agent_message what, struct err *err)
{
	int r = socket_send(c->agent, what, NULL, 0, NULL, 0,
			    clock_ns(CLOCK_MONOTONIC) + MESSAGE_PATIENCE_NS);

	return r < 0 ? err_errno(err, r, "the agent can't be told anything") : 0;
}

int crew_start(struct crew *c, struct err *err)
{
	int r = tell(c, AGENT_GO, err);

	return r < 0 ? r : wait_for(c, &c->sampling, err);
}

struct agent_progress crew_progress(const struct crew *c)
{
	return c->progress;
}

int crew_stop(struct crew *c, struct err *err)
{
	int r = 0;

	c->hurried = interrupt_came();
	/* If it stops by itself meanwhile, it doesn't hear this: no matter. */
	if (!c->stopped && !c->ended)
		(void)tell(c, AGENT_STOP, NULL);
	while (r >= 0 && !c->stopped && !c->ended)
		r = pump(c, -1, UINT64_MAX, err);
	return r < 0 ? r : 0;
}

/* A signal that came since the end of the capture: names are not waited for as long as they may take. */
static void hurry(struct crew *c)
{
	if (c->hurried || !interrupt_came())
		return;
	c->hurried = true;
	(void)tell(c, AGENT_HURRY, NULL);
}

int crew_finish(struct crew *c, const struct crew_taker *taker, struct err *err)
{
	int r = 0;

	err->text[0] = '\0';
	c->taker = taker;
	while (r >= 0 && !c->ended) {
		hurry(c);
		r = pump(c, -1, clock_ns(CLOCK_MONOTONIC) + HURRY_NS, err);
	}
	if (r >= 0 && c->result.status < 0) {
		r = c->result.status;
		*err = c->failure;
	}
	return r < 0 ? r : 0;
}

const struct agent_result *crew_result(const struct crew *c)
{
	return &c->result;
}
