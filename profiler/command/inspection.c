// SPDX-License-Identifier: Apache-2.0
/*
 * One poll() over the conversation with the dumper and what it asks of the supervisor. A signal, or nobody who
 * reads, ends all at once: a thread that is stopped then is let go by the end of who traces it.
 */
#include "profiler/command/inspection.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/command/command.h"
#include "profiler/command/interrupt.h"
#include "profiler/command/priority.h"
#include "profiler/dump/protocol.h"
#include "profiler/role/socket.h"
#include "profiler/role/supervisor.h"

#define MESSAGE_PATIENCE_NS (5 * NS_PER_S)
#define END_PATIENCE_NS (500 * NS_PER_MS)

struct inspection {
	struct supervisor *supervisor;
	int dumper; /* the conversation */
	struct socket_message message;
	struct dump_result result;
	bool said; /* something went wrong and was said */
	bool ended;
};

static void abandon(void)
{
}

static int ended(struct inspection *x, struct err *err)
{
	const struct buffer *b = &x->message.bytes;
	size_t len = b->len - sizeof(x->result);

	if (b->len < sizeof(x->result) || len >= sizeof(err->text))
		return -EPROTO;
	memcpy(&x->result, b->data, sizeof(x->result));
	memcpy(err->text, b->data + sizeof(x->result), len);
	err->text[len] = '\0';
	x->ended = true;
	return x->result.status < 0 ? x->result.status : 0;
}

static int hear(struct inspection *x, struct err *err)
{
	const struct buffer *b = &x->message.bytes;
	int r = socket_receive(x->dumper, &x->message,
			       clock_ns(CLOCK_MONOTONIC) + MESSAGE_PATIENCE_NS);

	if (r == -EPIPE)
		return err_set(err, r, "the dumper ended before its time");
	if (r < 0)
		return err_errno(err, r, "the dumper can't be understood");
	switch (x->message.type) {
	case DUMP_OUTPUT:
		r = fd_write_all(STDOUT_FILENO, b->data, b->len);
		return r < 0 ? err_errno(err, r, "cannot write to standard output") : 0;
	case DUMP_SAID:
		command_say("%.*s", (int)(b->len < sizeof(err->text) ? b->len : sizeof(err->text)),
			    b->data);
		x->said = true;
		return 0;
	case DUMP_ENDED:
		r = ended(x, err);
		return r == -EPROTO ? err_errno(err, r, "the dumper can't be understood") : r;
	default:
		return err_errno(err, -EPROTO, "the dumper can't be understood");
	}
}

static int run(struct inspection *x, struct err *err)
{
	int r = 0;

	while (r == 0 && !x->ended) {
		struct pollfd p[] = {
			{ .fd = x->dumper, .events = POLLIN },
			{ .fd = supervisor_fd(x->supervisor), .events = POLLIN },
		};

		if (interrupt_came())
			return err_set(err, -EINTR, "interrupted");
		if (poll(p, sizeof(p) / sizeof(p[0]), -1) <= 0)
			continue;
		if (p[0].revents)
			r = hear(x, err);
		else if (supervisor_serve(x->supervisor) < 0)
			r = err_set(err, -EPROTO, "the dumper asks for what nobody has");
	}
	return r;
}

static int start(struct inspection *x, const struct dump_job *job, int file,
		 const struct index_cache *cache, struct err *err)
{
	_cleanup_(buffer_release) struct buffer bytes = BUFFER_INIT(DUMP_MAX_JOB_BYTES);
	_cleanup_(fd_close) int service = -1;
	int r;

	priority_raise();
	r = supervisor_confine(DUMP_SUPERVISOR_ROLE, err);
	if (r == 0)
		r = supervisor_new(&x->supervisor, NULL, err);
	if (r == 0 && cache)
		index_cache_lend(cache, x->supervisor);
	if (r == 0)
		r = supervisor_lead(x->supervisor, DUMPER_ROLE, &x->dumper, &service, err);
	if (r < 0)
		return r;
	dump_job_write(job, &bytes);
	r = buffer_error(&bytes);
	if (r == 0)
		r = socket_send(x->dumper, DUMP_JOB, bytes.data, bytes.len,
				(const int[]){ service, file }, file < 0 ? 1 : 2,
				clock_ns(CLOCK_MONOTONIC) + MESSAGE_PATIENCE_NS);
	return r < 0 ? err_errno(err, r, "cannot tell the dumper what to do") : 0;
}

int inspection_open(const char *path, struct err *err)
{
	_cleanup_(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, -errno, "cannot read \"%s\"", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "\"%s\" is no regular file", path);
	return take_fd(&fd);
}

void inspection_name(struct dump_job *job, const char *path)
{
	size_t len = strlen(path), most = sizeof(job->name) - 1;

	if (len > most)
		path += len - most;
	memcpy(job->name, path, strlen(path) + 1);
}

int inspection_run(struct dump_job *job, int file)
{
	return inspection_run_cached(job, file, NULL);
}

int inspection_run_cached(struct dump_job *job, int file, const struct index_cache *cache)
{
	struct inspection x = { .dumper = -1 };
	struct err err = { "" };
	int r;

	socket_message_init(&x.message, DUMP_MAX_OUTPUT_BYTES);
	job->supervisor_pid = (uint32_t)getpid();
	r = interrupt_catch(1, abandon);
	if (r < 0)
		err_errno(&err, r, "cannot catch signals");
	if (r == 0)
		r = start(&x, job, file, cache, &err);
	if (r == 0)
		r = run(&x, &err);
	fd_close(&x.dumper);
	supervisor_free(x.supervisor);
	socket_message_release(&x.message);
	if (r == -EPIPE && !x.ended) /* who reads has seen enough, or it was said */
		return *err.text ? command_fail(COMMAND_FAILED, &err) : COMMAND_FAILED;
	if (r < 0)
		return command_fail(COMMAND_FAILED, &err);
	return x.result.failed || x.result.differ || x.said ? COMMAND_FAILED : COMMAND_OK;
}
