// SPDX-License-Identifier: Apache-2.0
/*
 * Reads what it is handed, asks the query of it, encodes the answer. All of it is here, in a process that has
 * nothing to lose: who compares two files as root has read them by somebody who can't open, connect or write.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/decode/limits.h"
#include "profiler/encode/collapsed.h"
#include "profiler/encode/difference.h"
#include "profiler/encode/format.h"
#include "profiler/encode/pprof.h"
#include "profiler/reader/account.h"
#include "profiler/reader/conversation.h"
#include "profiler/reader/file.h"
#include "profiler/reader/import.h"
#include "profiler/reader/job.h"
#include "profiler/role/socket.h"
#include "profiler/store/handed.h"

#define JOB_PATIENCE_NS (10 * NS_PER_S)
#define SAY_PATIENCE_NS (60 * NS_PER_S)
#define MAX_STORE_ITEMS (1u << 24)
#define MAX_ANSWER_BYTES ((size_t)512 << 20)

enum { FILE_CAME = 1, ASKED };

struct reader {
	int socket;
	int files[READER_MAX_FILES];
	struct handed store;
	struct reader_job job;
	struct reader_account account;
	bool is_account; /* that is what is asked for, and no job */
	struct reader_result result;
	struct query *query;
	struct profile profiles[READER_MAX_FILES];
	uint32_t profile_count;
};

/* ---- what is said ---- */

static int say(const struct reader *d, enum reader_message what, const void *bytes, size_t len)
{
	return socket_send(d->socket, what, bytes, len, NULL, 0,
			   clock_ns(CLOCK_MONOTONIC) + SAY_PATIENCE_NS);
}

/* What is behind the supervisor may be a pager that somebody reads. */
static int say_part(const struct reader *d, const struct buffer *bytes)
{
	int r = 0;

	for (size_t done = 0; r == 0 && done < bytes->len; done += READER_MAX_MESSAGE_BYTES) {
		size_t left = bytes->len - done;

		r = socket_send(d->socket, READER_ANSWER, bytes->data + done,
				left < READER_MAX_MESSAGE_BYTES ? left : READER_MAX_MESSAGE_BYTES,
				NULL, 0, UINT64_MAX);
	}
	return r < 0 ? r : socket_send(d->socket, READER_ANSWERED, NULL, 0, NULL, 0, UINT64_MAX);
}

/* ---- files ---- */

static int read_file(struct reader *d, uint32_t i, struct err *err)
{
	struct err why;
	int r = file_read_profile(d->files[i], d->job.names[i], &d->profiles[i], err);

	if (r < 0)
		return r;
	d->profile_count++;
	if (!r)
		return 0;
	err_set(&why, 0, "\"%s\" breaks off early: this is what it has", d->job.names[i]);
	d->result.broken_off++;
	return say(d, READER_SAID, why.text, strlen(why.text));
}

/* The rest of a damaged store is read; that it is, is said. */
static int read_store(struct reader *d, struct err *err)
{
	const struct store_range range = { d->job.from_ns, d->job.to_ns, UINT64_MAX };
	const struct store_source source = handed_source(&d->store);
	struct store_result result;
	int r = profile_init(&d->profiles[0], DECODE_MAX_FILE_BYTES, MAX_STORE_ITEMS);

	if (r < 0)
		return err_errno(err, r, "cannot read the store");
	d->profile_count++;
	r = store_read(&source, &range, NULL, NULL, &d->profiles[0], &result, err);
	if (r == 0 && !result.windows && !result.bad)
		r = err_set(err, -ENODATA, "the store \"%s\" has no window in that range",
			    d->job.names[0]);
	if (r < 0 || !result.bad)
		return r;
	d->result.broken_off++;
	return say(d, READER_SAID, result.damage.text, strlen(result.damage.text));
}

/* The profile that is asked for takes the place of the one that was read. */
static int ask(struct reader *d, uint32_t i, struct err *err)
{
	struct profile selected;
	int r;

	if (query_is_empty(d->query))
		return 0;
	r = query_run(d->query, &d->profiles[i], &selected, err);
	if (r < 0)
		return r;
	profile_release(&d->profiles[i]);
	d->profiles[i] = selected;
	return 0;
}

/* ---- the answer ---- */

static int encode_one(const struct reader *d, const struct reader_part *part, struct buffer *out,
		      struct err *err)
{
	const struct format *f = format_by_name(part->format, err);
	struct text_options look = part->look;
	int r;

	look.by = d->job.by;
	r = f ? f->encode(&d->profiles[0], d->job.root.count ? &d->job.root : NULL, &look, out)
	      : -EINVAL;

	return f && r < 0 ? err_errno(err, r, "cannot make the %s answer", part->format) : r;
}

static int encode_diff(const struct reader *d, const struct diff *diff,
		       const struct reader_part *part, struct buffer *out, struct err *err)
{
	int r = -EINVAL;

	if (!strcmp(part->format, "text"))
		r = difference_text(diff, &part->look, out);
	else if (!strcmp(part->format, "json"))
		r = difference_json(diff, 0, out);
	else if (!strcmp(part->format, "pprof"))
		r = pprof_encode_diff(diff, out);
	else if (!strcmp(part->format, "collapsed"))
		r = collapsed_encode_pair(&d->profiles[0], &d->profiles[1],
					  d->job.root.count ? &d->job.root : NULL, out);
	return r < 0 ? err_errno(err, r, "cannot make the %s answer", part->format) : 0;
}

static int answer(const struct reader *d, const struct diff *diff, struct err *err)
{
	for (uint32_t i = 0; i < d->job.part_count; i++) {
		_cleanup_(buffer_release) struct buffer out = BUFFER_INIT(MAX_ANSWER_BYTES);
		int r = diff ? encode_diff(d, diff, &d->job.parts[i], &out, err)
			     : encode_one(d, &d->job.parts[i], &out, err);

		if (r == 0)
			r = say_part(d, &out);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What is damaged is in *err when it returns 0. */
static int account(struct reader *d, struct err *err)
{
	_cleanup_(buffer_release) struct buffer out = BUFFER_INIT(MAX_ANSWER_BYTES);
	const struct store_source source = handed_source(&d->store);
	int r = account_run(&d->account, &source, &out, &d->result.broken_off, err);

	if (r == 0)
		r = say_part(d, &out);
	if (r == 0 && d->account.kind == READER_EXPORT && d->result.broken_off)
		r = say(d, READER_SAID, err->text, strlen(err->text));
	return r;
}

static int work(struct reader *d, struct err *err)
{
	const struct diff_options options = { .mode = d->job.mode, .by = d->job.by };
	struct diff *diff = NULL;
	int r = reader_job_query(&d->job, &d->query, err);

	for (uint32_t i = 0; i < d->job.file_count && r == 0; i++) {
		r = d->job.store ? read_store(d, err) : read_file(d, i, err);
		if (r == 0)
			r = ask(d, i, err);
	}
	if (r == 0 && d->job.file_count == 2)
		r = diff_new(&diff, &d->profiles[0], &d->profiles[1], &options, err);
	if (r == 0)
		r = answer(d, diff, err);
	diff_free(diff);
	return r;
}

/* ---- life ---- */

/* What comes before the job are files of a store. FILE_CAME; ASKED: it was a request, and is answered. */
static int hear(struct reader *d, struct socket_message *m)
{
	int r = socket_receive(d->socket, m, clock_ns(CLOCK_MONOTONIC) + JOB_PATIENCE_NS);

	if (r < 0)
		return r;
	if (m->type == READER_STORE_FILE) {
		r = handed_take(&d->store, m->bytes.data, m->bytes.len, &m->fds[0]);
		return r < 0 ? r : FILE_CAME;
	}
	if (m->type == READER_REQUEST) {
		r = conversation_serve(d->socket, &m->bytes, &d->store);
		return r < 0 ? r : ASKED;
	}
	if (m->type == READER_IMPORT)
		return import_serve(d->socket, m) < 0 ? -EPROTO : -EPIPE; /* who asked has gone */
	if (m->type == READER_ACCOUNT) {
		if (m->bytes.len != sizeof(d->account) || m->fd_count)
			return -EPROTO;
		memcpy(&d->account, m->bytes.data, sizeof(d->account));
		d->is_account = true;
		return 0;
	}
	r = m->type == READER_JOB ? reader_job_parse(&d->job, &m->bytes) : -EPROTO;
	if (r == 0 && m->fd_count != (d->job.store ? 0 : d->job.file_count))
		r = -EPROTO;
	for (uint32_t i = 0; i < READER_MAX_FILES && r == 0; i++)
		d->files[i] = take_fd(&m->fds[i]);
	return r;
}

/* 0, or ASKED. */
static int receive_job(struct reader *d, struct err *err)
{
	struct socket_message m;
	int r;

	socket_message_init(&m, READER_MAX_JOB_BYTES);
	do
		r = hear(d, &m);
	while (r == FILE_CAME);
	socket_message_release(&m);
	return r < 0 ? err_errno(err, r, "the reader got no job") : r;
}

static int serve(struct reader *d)
{
	char end[sizeof(struct reader_result) + sizeof(struct err)];
	struct err err = { "" };
	size_t len;
	int r = receive_job(d, &err);

	if (r == ASKED)
		return 0;
	if (r == 0)
		r = d->is_account ? account(d, &err) : work(d, &err);
	d->result.status = r;
	if (r == 0)
		err.text[0] = '\0';
	len = strlen(err.text);
	memcpy(end, &d->result, sizeof(d->result));
	memcpy(end + sizeof(d->result), err.text, len);
	return say(d, READER_ENDED, end, sizeof(d->result) + len);
}

int reader_serve(int socket)
{
	struct reader *d = calloc(1, sizeof(*d));
	int r = -ENOMEM;

	if (!d)
		return EXIT_FAILURE;
	d->socket = socket;
	d->files[0] = d->files[1] = -1;
	r = serve(d);
	for (uint32_t i = 0; i < d->profile_count; i++)
		profile_release(&d->profiles[i]);
	query_free(d->query);
	handed_release(&d->store);
	fd_close(&d->files[0]);
	fd_close(&d->files[1]);
	free(d);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
