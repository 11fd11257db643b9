// SPDX-License-Identifier: Apache-2.0
/*
 * One thread, which waits for whatever comes first: the next drain, the end of a window, a message. A window is cut 20 ms behind its end, when
 * all records of it have come. While names are waited for, the rings are emptied and signs of life are given.
 *
 * Nobody is waited for: the supervisor hears of us as far as it listens, the archive holds what no storekeeper takes. Refused: an own
 * thread for cuts. What a window is made of is what the drain writes to, and a cut takes some milliseconds.
 */
#include "profiler/agent/watch.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/agent/archive.h"
#include "profiler/agent/schedule.h"
#include "profiler/agent/status.h"
#include "profiler/agent/windows.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/collect/batch.h"
#include "profiler/role/socket.h"

#define STATUS_NS NS_PER_S
#define LOOK_AGAIN_NS (60 * NS_PER_S)
#define MESSAGE_NS NS_PER_S /* for the rest of a message that has begun */
#define SAY_NS NS_PER_S
#define MAX_ORDER_BYTES 4096 /* of a message that is heard */
#define CUT_PATIENCE_NS (3 * NS_PER_S) /* for the store to have a window that somebody waits for */
#define STOP_PATIENCE_NS NS_PER_S

/* Somebody waits for a window to be stored. */
struct waiting {
	uint64_t id; /* of the cut; 0: nobody */
	uint64_t number; /* of the window, as the archive has it */
	uint64_t until_ns;
	struct agent_window window; /* what is known of it */
};

struct watch {
	struct capture *capture;
	const struct job *job;
	int socket;
	struct archive *archive;
	struct windows *windows;
	struct schedule schedule;
	struct waiting waiting[2 * AGENT_MAX_CUTS];
	struct socket_message message;
	uint64_t start_real_ns; /* when sampling began */
	uint64_t samples; /* that came before the present window */
	uint64_t drained_ns, status_ns, look_again_ns;
	int deaf; /* negative errno: the supervisor is gone */
	bool stopped;
};

/* ---- what is said ---- */

/*
 * A supervisor that doesn't listen isn't told. A socket that takes anything takes all of this: it is writable when three quarters of
 * its buffer are free.
 */
static void say(struct watch *w, enum agent_message what, const void *bytes, size_t len)
{
	struct pollfd p = { .fd = w->socket, .events = POLLOUT };
	int r;

	if (w->deaf < 0 || poll(&p, 1, 0) <= 0)
		return;
	r = socket_send(w->socket, what, bytes, len, NULL, 0, clock_ns(CLOCK_MONOTONIC) + SAY_NS);
	if (r < 0)
		w->deaf = r;
}

static void say_status(struct watch *w, uint64_t now_ns)
{
	struct agent_status status = { .start_ns = w->start_real_ns,
				       .time_ns = clock_ns(CLOCK_REALTIME) };

	w->status_ns = now_ns;
	windows_status(w->windows, &status);
	say(w, AGENT_STATUS, &status, sizeof(status));
}

static void sign_of_life(void *ctx)
{
	struct watch *w = ctx;
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);

	/* Without memory for them records are lost, which is counted. */
	if (now_ns - w->drained_ns >= w->job->drain_ns) {
		(void)capture_catch_up(w->capture);
		w->drained_ns = now_ns;
	}
	if (now_ns - w->status_ns >= STATUS_NS)
		say_status(w, now_ns);
}

/* ---- what becomes of windows ---- */

static void answer(struct watch *w, struct waiting *waiting, uint64_t sequence, int status)
{
	struct agent_window said = waiting->window;

	said.cut_id = waiting->id;
	said.sequence = sequence;
	said.status = status;
	waiting->id = 0;
	say(w, AGENT_WINDOW, &said, sizeof(said));
}

static void wait_for(struct watch *w, uint64_t id, const struct agent_window *window, int status)
{
	struct waiting *slot = NULL;
	struct waiting one = { .id = id,
			       .number = archive_number(w->archive),
			       .until_ns = clock_ns(CLOCK_MONOTONIC) + CUT_PATIENCE_NS,
			       .window = *window };

	for (size_t i = 0; i < sizeof(w->waiting) / sizeof(w->waiting[0]) && !slot; i++)
		if (!w->waiting[i].id)
			slot = &w->waiting[i];
	if (status < 0 || !slot)
		answer(w, &one, 0, status < 0 ? status : -EAGAIN);
	else
		*slot = one;
}

static void fate_tell(struct watch *w, const struct archive_fate *fate)
{
	const struct agent_window window = {
		.start_ns = fate->start_ns,
		.end_ns = fate->end_ns,
		.sequence = fate->sequence,
		.samples = fate->samples,
		.status = fate->status,
	};

	for (size_t i = 0; i < sizeof(w->waiting) / sizeof(w->waiting[0]); i++)
		if (w->waiting[i].id && w->waiting[i].number == fate->number)
			answer(w, &w->waiting[i], fate->sequence, fate->status);
	say(w, AGENT_WINDOW, &window, sizeof(window));
}

static void archive_hear(struct watch *w, uint64_t now_ns)
{
	struct archive_fate fate;

	/* One that has gone is the supervisor's to replace: it knows, and says so by KEEPER. */
	while (archive_poll(w->archive, &fate) == 1)
		fate_tell(w, &fate);
	for (size_t i = 0; i < sizeof(w->waiting) / sizeof(w->waiting[0]); i++)
		if (w->waiting[i].id && w->waiting[i].until_ns <= now_ns)
			answer(w, &w->waiting[i], 0, -ETIMEDOUT);
}

/* ---- windows ---- */

/* Ends the present one, whose records have all come. 0, or negative errno and a sentence. */
static int cut(struct watch *w, struct err *err)
{
	uint64_t ids[AGENT_MAX_CUTS], samples;
	struct schedule_window times;
	struct agent_window window;
	uint32_t count;
	int r = capture_drain_until(w->capture, schedule_end(&w->schedule), err);

	if (r < 0)
		return r;
	w->drained_ns = clock_ns(CLOCK_MONOTONIC);
	samples = counter_get(capture_counters(w->capture), COUNTER_SAMPLES);
	count = schedule_turn(&w->schedule, &times, ids);
	window = (struct agent_window){ .start_ns = times.start_real_ns,
					.end_ns = times.end_real_ns,
					.samples = samples - w->samples };
	w->samples = samples;
	r = windows_cut(w->windows, &times);
	for (uint32_t i = 0; i < count; i++)
		wait_for(w, ids[i], &window, r);
	archive_hear(w, w->drained_ns);
	if (w->drained_ns >= w->look_again_ns) {
		w->look_again_ns = w->drained_ns + LOOK_AGAIN_NS;
		(void)capture_look_again(w->capture);
	}
	return 0;
}

/* ---- what is heard ---- */

/* 0, or negative errno: the supervisor is gone, or talks nonsense. */
static int message_take(struct watch *w)
{
	struct agent_cut asked;
	int r = socket_receive(w->socket, &w->message, clock_ns(CLOCK_MONOTONIC) + MESSAGE_NS);

	if (r < 0)
		return r;
	switch (w->message.type) {
	case AGENT_STOP:
		w->stopped = true;
		return 0;
	case AGENT_HURRY:
		return 0;
	case AGENT_KEEPER:
		if (w->message.fd_count != 1)
			return -EPROTO;
		archive_connect(w->archive, take_fd(&w->message.fds[0]));
		return 0;
	case AGENT_CUT:
		if (w->message.bytes.len != sizeof(asked))
			return -EPROTO;
		memcpy(&asked, w->message.bytes.data, sizeof(asked));
		if (!asked.id)
			return -EPROTO;
		r = schedule_cut(&w->schedule, asked.id, clock_ns(CLOCK_MONOTONIC));
		if (r < 0)
			wait_for(w, asked.id, &(struct agent_window){ 0 }, r);
		return 0;
	default:
		return -EPROTO;
	}
}

/* Until then, or until something was heard. */
static int wait_until(struct watch *w, uint64_t until_ns)
{
	struct pollfd p[] = {
		{ .fd = w->socket, .events = POLLIN },
		{ .fd = archive_fd(w->archive), .events = POLLIN },
	};
	const struct timespec time = clock_left(until_ns);
	int r = 0;

	if (ppoll(p, 2, &time, NULL) <= 0)
		return 0;
	if (p[0].revents)
		r = message_take(w);
	return r;
}

/* ---- the loop ---- */

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* One turn of it. 0, or negative errno and a sentence. */
static int go_on(struct watch *w, struct err *err)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC), cut_ns;
	int r = 0;

	schedule_look(&w->schedule, now_ns, clock_ns(CLOCK_REALTIME));
	cut_ns = schedule_end(&w->schedule) + BATCH_HOLD_BACK_NS;
	if (now_ns >= cut_ns) {
		r = cut(w, err);
	} else if (now_ns - w->drained_ns >= w->job->drain_ns) {
		w->drained_ns = now_ns;
		r = capture_drain_until(w->capture, now_ns - BATCH_HOLD_BACK_NS, err);
		if (r >= 0 && windows_are_full(w->windows))
			schedule_hasten(&w->schedule, now_ns);
	}
	if (r < 0)
		return r;
	archive_hear(w, now_ns);
	if (now_ns - w->status_ns >= STATUS_NS)
		say_status(w, now_ns);
	if (w->deaf < 0)
		return err_errno(err, w->deaf, "the supervisor is gone");
	r = wait_until(w, earliest(cut_ns, w->drained_ns + w->job->drain_ns));
	return r < 0 ? err_errno(err, r, "the supervisor is gone") : 0;
}

/* What was sampled until now is a window, whatever happened. */
static int end(struct watch *w, struct err *err)
{
	uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC), until_ns = begin_ns + STOP_PATIENCE_NS;
	struct archive_status held;
	int r;

	schedule_look(&w->schedule, begin_ns, clock_ns(CLOCK_REALTIME));
	say(w, AGENT_STOPPED, NULL, 0);
	while (w->schedule.start_ns < begin_ns) {
		struct timespec time;

		/* Each time: the window that ends now may be one that was hastened before. */
		schedule_hasten(&w->schedule, begin_ns);
		time = clock_left(schedule_end(&w->schedule) + BATCH_HOLD_BACK_NS);
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
		r = cut(w, err);
		if (r < 0)
			return r;
	}
	for (;;) {
		struct pollfd p = { .fd = archive_fd(w->archive), .events = POLLIN };
		uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
		const struct timespec time = clock_left(until_ns);

		archive_hear(w, now_ns);
		archive_status(w->archive, &held);
		if (!held.windows || archive_fd(w->archive) < 0 || now_ns >= until_ns)
			return 0;
		(void)ppoll(&p, 1, &time, NULL);
	}
}

static int begin(struct watch *w, struct err *err)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	int r = archive_new(&w->archive, capture_counters(w->capture));

	if (r >= 0)
		r = capture_go_on(w->capture, w->archive, &w->windows);
	if (r < 0)
		return err_errno(err, r, "cannot set up windows");
	w->drained_ns = now_ns;
	w->look_again_ns = now_ns + LOOK_AGAIN_NS;
	capture_schedule(w->capture, &w->schedule, w->job->window_ns);
	w->start_real_ns = w->schedule.start_real_ns;
	capture_on_sign_of_life(w->capture, sign_of_life, w);
	say(w, AGENT_SAMPLING, NULL, 0);
	return 0;
}

int watch(struct capture *c, const struct job *job, int socket, struct err *err)
{
	struct watch *w = calloc(1, sizeof(*w));
	struct err last;
	int r, e;

	if (!w)
		return err_errno(err, -ENOMEM, "cannot set up windows");
	*w = (struct watch){ .capture = c, .job = job, .socket = socket };
	socket_message_init(&w->message, MAX_ORDER_BYTES);
	r = begin(w, err);
	if (r == 0) {
		while (r == 0 && !w->stopped)
			r = go_on(w, err);
		e = end(w, r < 0 ? &last : err);
		r = r < 0 ? r : e;
	}
	capture_on_sign_of_life(c, NULL, NULL);
	windows_free(w->windows);
	archive_free(w->archive);
	socket_message_release(&w->message);
	free(w);
	return r;
}
