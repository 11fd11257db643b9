// SPDX-License-Identifier: Apache-2.0
/*
 * One loop over two conversations. What an agent sends is memory, copied and then checked, so that nobody changes it in between; it is
 * written, and answered. Between windows a step of what is to be rolled up or to expire is done, if anything is due: so a
 * window waits for one step at most.
 *
 * A disk that is full or can't be written is no reason to end: the window is dropped, which is answered, counted and said once a
 * minute. The agent, which goes on, has it told by the next window that gets there.
 *
 * Refused: a thread that rolls up, a second process for it. The one would have to share the writer, the other the limit of bytes.
 */
#include "profiler/storekeeper/protocol.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/role/enclosure.h"
#include "profiler/role/role.h"
#include "profiler/role/sandbox.h"
#include "profiler/role/socket.h"
#include "profiler/store/writer.h"
#include "profiler/storekeeper/complaint.h"
#include "profiler/storekeeper/figures.h"
#include "profiler/storekeeper/frame.h"
#include "profiler/storekeeper/priority.h"

#define JOB_PATIENCE_NS (10 * NS_PER_S)
/* For the rest of a message that has begun, and for a reply to be taken. */
#define AGENT_PATIENCE_NS (200 * NS_PER_MS)
#define SUPERVISOR_PATIENCE_NS (5 * NS_PER_S)
/* What is due is looked for after each window, and if none comes. */
#define TIDY_NS (60 * NS_PER_S)

struct keeper {
	int supervisor, agent, dirfd;
	struct keeper_job job;
	struct store_writer *writer;
	struct buffer frame;
	struct socket_message message;
	struct complaints complaints;
	struct commits commits;
	bool is_due; /* there may be something to be rolled up or to expire */
	uint64_t tidied_ns,
		told_ns; /* CLOCK_MONOTONIC: last time that nothing was due; of the last figures */
	bool is_stopped;
};

struct keeper_job keeper_job_default(void)
{
	const struct store_options o = store_options_default();
	struct keeper_job job = { .max_bytes = o.max_bytes,
				  .sync_ns = o.sync_ns,
				  .figures_ns = 10 * NS_PER_S };

	memcpy(job.age_ns, o.age_ns, sizeof(job.age_ns));
	return job;
}

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* ---- to the supervisor ---- */

static int say(const struct keeper *k, enum keeper_message what, const void *bytes, size_t len)
{
	return socket_send(k->supervisor, what, bytes, len, NULL, 0,
			   now_ns() + SUPERVISOR_PATIENCE_NS);
}

static int complain(struct keeper *k, enum complaint what, const struct err *err)
{
	char text[COMPLAINT_MAX_BYTES];
	size_t len = complaint_say(&k->complaints, what, err, now_ns(), text);

	return len ? say(k, KEEPER_SAID, text, len) : 0;
}

static int tell_figures(struct keeper *k)
{
	struct keeper_figures figures;

	figures_of(k->writer, k->dirfd, k->job.max_bytes, &k->commits, &figures);
	k->told_ns = now_ns();
	return say(k, KEEPER_FIGURES, &figures, sizeof(figures));
}

/* ---- the agent ---- */

static void leave(struct keeper *k)
{
	fd_close(&k->agent);
}

/* One that doesn't take its replies is left; it will be given another socket. */
static void reply(struct keeper *k, enum keeper_message what, const void *bytes, size_t len)
{
	if (socket_send(k->agent, what, bytes, len, NULL, 0, now_ns() + AGENT_PATIENCE_NS) < 0)
		leave(k);
}

static void meet(struct keeper *k, int *fd)
{
	struct keeper_hello hello = { 0 };
	struct layout_frame last;

	leave(k);
	k->agent = take_fd(fd);
	if (store_writer_last(k->writer, &last))
		hello = (struct keeper_hello){ .sequence = last.sequence,
					       .start_ns = last.start_ns,
					       .end_ns = last.end_ns,
					       .monotonic_ns = last.monotonic_ns,
					       .count = last.count };
	reply(k, KEEPER_HELLO, &hello, sizeof(hello));
}

static void refuse(struct keeper *k, const struct keeper_window *w, int status,
		   const struct err *err)
{
	char text[sizeof(struct keeper_dropped) + sizeof(err->text)];
	const struct keeper_dropped d = { .number = w->number, .status = status };
	size_t len = strlen(err->text);

	memcpy(text, &d, sizeof(d));
	memcpy(text + sizeof(d), err->text, len);
	reply(k, status == -ESTALE ? KEEPER_REPACK : KEEPER_DROPPED, text, sizeof(d) + len);
}

/* The frame is in k->frame, and may still be anything. */
static int append(struct keeper *k, const struct keeper_window *w, uint64_t *ret_sequence,
		  struct err *err)
{
	struct layout_frame f;

	/* It is for the file that its agent means, or begins one. */
	if (layout_window_read(k->frame.data, k->frame.len, &f) == 0 &&
	    (w->file ? store_writer_file(k->writer, f.start_ns) != w->file || f.flags & LAYOUT_WHOLE
		     : !(f.flags & LAYOUT_WHOLE)))
		return err_errno(err, -ESTALE, "the file of this window is no longer written");
	return store_writer_append(k->writer, k->frame.data, k->frame.len, ret_sequence, err);
}

static void commit(struct keeper *k, const struct keeper_window *w, uint64_t sequence,
		   uint64_t since_ns)
{
	struct keeper_committed c = { .number = w->number, .sequence = sequence };
	struct layout_frame last;

	store_writer_last(k->writer, &last);
	c.file = store_writer_file(k->writer, last.start_ns);
	c.full = !c.file;
	k->is_due = !k->job.import;
	commits_add(&k->commits, now_ns() - since_ns);
	reply(k, KEEPER_COMMITTED, &c, sizeof(c));
}

/* A window, or what says that it is one. Negative errno: of the supervisor's socket. */
static int take_window(struct keeper *k)
{
	uint64_t since_ns = now_ns(), sequence;
	struct keeper_window w;
	struct err err = { "" };
	int r;

	memcpy(&w, k->message.bytes.data, sizeof(w));
	r = frame_read(k->message.fds[0], w.bytes, &k->frame);
	if (r < 0)
		err_errno(&err, r, "cannot read a window");
	else
		r = append(k, &w, &sequence, &err);
	/* What is kept in between is of the usual size. */
	if (r == 0)
		commit(k, &w, sequence, since_ns);
	else
		refuse(k, &w, r, &err);
	frame_trim(&k->frame);
	return r < 0 && r != -ESTALE ? complain(k, COMPLAINT_DROPPED, &err) : 0;
}

static int hear_agent(struct keeper *k)
{
	const struct socket_message *m = &k->message;
	struct err err = { "" };
	int r = socket_receive(k->agent, &k->message, now_ns() + AGENT_PATIENCE_NS);

	if (r == 0 && (m->type != KEEPER_WINDOW || m->fd_count != 1 ||
		       m->bytes.len != sizeof(struct keeper_window)))
		r = -EPROTO;
	if (r == 0)
		return take_window(k);
	leave(k);
	if (r == -EPIPE)
		return 0;
	k->commits.refused++;
	err_errno(&err, r, "the agent can't be understood, and was let go");
	return complain(k, COMPLAINT_AGENT, &err);
}

/* ---- what is due ---- */

/* A step of it. */
static int tidy(struct keeper *k)
{
	struct err err = { "" };
	int r;

	priority_idle(true);
	r = store_writer_tidy(k->writer, clock_ns(CLOCK_REALTIME), &err);
	if (r <= 0) {
		k->is_due = false;
		k->tidied_ns = now_ns();
		priority_idle(false);
		/* What an hour took to be rolled up isn't needed for another one. */
		malloc_trim(0);
	}
	return r < 0 ? complain(k, COMPLAINT_ROLL_UP, &err) : 0;
}

/* ---- the supervisor ---- */

static int receive_job(struct keeper *k, int *ret_agent)
{
	struct socket_message *m = &k->message;
	int r = socket_receive(k->supervisor, m, now_ns() + JOB_PATIENCE_NS);

	if (r < 0)
		return r;
	if (m->type != KEEPER_JOB || m->bytes.len != sizeof(k->job) || m->fd_count < 1)
		return -EPROTO;
	memcpy(&k->job, m->bytes.data, sizeof(k->job));
	k->dirfd = take_fd(&m->fds[0]);
	*ret_agent = take_fd(&m->fds[1]);
	return 0;
}

static int hear_supervisor(struct keeper *k)
{
	struct socket_message *m = &k->message;
	int r = socket_receive(k->supervisor, m, now_ns() + SUPERVISOR_PATIENCE_NS);

	if (r < 0)
		return r;
	switch (m->type) {
	case KEEPER_AGENT:
		if (m->fd_count != 1)
			return -EPROTO;
		meet(k, &m->fds[0]);
		return 0;
	case KEEPER_STOP:
		k->is_stopped = true;
		return 0;
	default:
		return -EPROTO;
	}
}

/* ---- life ---- */

static int open_writer(struct keeper *k, struct err *err)
{
	struct store_options o = store_options_default();

	o.max_bytes = k->job.max_bytes;
	o.sync_ns = k->job.sync_ns;
	memcpy(o.age_ns, k->job.age_ns, sizeof(o.age_ns));
	return store_writer_open(&k->writer, k->dirfd, &o, err);
}

static int patience_ms(const struct keeper *k)
{
	uint64_t now = now_ns(), next = k->told_ns + k->job.figures_ns;

	if (!k->job.import && k->tidied_ns + TIDY_NS < next)
		next = k->tidied_ns + TIDY_NS;
	if (k->is_due || next <= now)
		return 0;
	return next - now < TIDY_NS ? (int)((next - now) / NS_PER_MS) + 1
				    : (int)(TIDY_NS / NS_PER_MS);
}

/* One turn: what has come, first of the agent; or else what is due. */
static int turn(struct keeper *k)
{
	struct pollfd p[] = {
		{ .fd = k->agent, .events = POLLIN },
		{ .fd = k->supervisor, .events = POLLIN },
	};
	int n = poll(p, 2, patience_ms(k)), r = 0;

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n && k->is_due)
		priority_idle(false);
	if (p[0].revents)
		r = hear_agent(k);
	if (r == 0 && p[1].revents)
		r = hear_supervisor(k);
	if (r == 0 && !n && k->is_due)
		r = tidy(k);
	if (r == 0 && !k->job.import && now_ns() - k->tidied_ns >= TIDY_NS)
		k->is_due = true;
	if (r == 0 && now_ns() - k->told_ns >= k->job.figures_ns)
		r = tell_figures(k);
	return r;
}

/* What the agent had sent before its end is still there to be heard. */
static int finish(struct keeper *k)
{
	struct pollfd p = { .fd = k->agent, .events = POLLIN };
	int r = 0;

	while (r == 0 && (p.fd = k->agent) >= 0 && poll(&p, 1, 0) > 0)
		r = hear_agent(k);
	store_writer_end(k->writer);
	k->is_due = k->job.import;
	while (r == 0 && k->is_due)
		r = tidy(k);
	return r == 0 ? tell_figures(k) : r;
}

/* Before anything in the store is looked at. A kernel without Landlock leaves it to the uid. */
static int enclose(const struct keeper *k, struct err *err)
{
	const struct role *role = role_find(STOREKEEPER_ROLE);
	int r = enclosure_enter(k->dirfd);

	if (r < 0 && r != -EOPNOTSUPP)
		return err_errno(err, r, "the storekeeper could not be kept to its store");
	return sandbox_seal(role, err);
}

/* Without a supervisor nobody is told anything: what was appended is there, and the file gets its end. */
static int serve(struct keeper *k, struct err *err)
{
	_cleanup_(fd_close) int agent = -1;
	int r = receive_job(k, &agent);

	if (r < 0)
		return err_errno(err, r, "the storekeeper got no job");
	r = enclose(k, err);
	if (r == 0)
		r = open_writer(k, err);
	if (r == 0)
		r = say(k, KEEPER_OPENED, NULL, 0);
	if (r < 0)
		return r;
	k->is_due = !k->job.import;
	if (agent >= 0)
		meet(k, &agent);
	while (r == 0 && !k->is_stopped)
		r = turn(k);
	if (r == 0)
		r = finish(k);
	return r < 0 ? err_errno(err, r, "the storekeeper can't go on") : 0;
}

int storekeeper_serve(int socket)
{
	struct keeper k = { .supervisor = socket, .agent = -1, .dirfd = -1 };
	char end[sizeof(struct keeper_result) + sizeof(struct err)];
	struct keeper_result result = { 0 };
	struct err err = { "" };
	size_t len;
	int r;

	priority_batch();
	buffer_init(&k.frame, KEEPER_MAX_FRAME_BYTES);
	socket_message_init(&k.message, KEEPER_MAX_MESSAGE_BYTES);
	r = serve(&k, &err);
	store_writer_free(k.writer);
	result.status = r;
	len = r < 0 ? strlen(err.text) : 0;
	memcpy(end, &result, sizeof(result));
	memcpy(end + sizeof(result), err.text, len);
	(void)say(&k, KEEPER_ENDED, end, sizeof(result) + len);
	fd_close(&k.agent);
	fd_close(&k.dirfd);
	socket_message_release(&k.message);
	buffer_release(&k.frame);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
