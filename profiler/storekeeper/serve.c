// SPDX-License-Identifier: Apache-2.0
/*
 * Takes the files, does the one job, and ends. All that a store's files can say is parsed here, and nowhere else when a
 * person asks for it by hand.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/encode/pprof.h"
#include "profiler/role/socket.h"
#include "profiler/storekeeper/account.h"
#include "profiler/storekeeper/job.h"

#define PATIENCE_NS (60 * NS_PER_S)
#define MAX_ANSWER_BYTES ((size_t)512 << 20)
#define MAX_TEXT_BYTES ((size_t)256 << 20)
#define MAX_ITEMS (1u << 24)

struct keeper {
	int socket;
	struct catalog catalog;
	struct {
		int fd;
		char name[CATALOG_NAME_BYTES];
	} * files; /* as they came */
	uint32_t count;
};

static int open_file(void *ctx, const char *name, struct err *err)
{
	struct keeper *k = ctx;

	for (uint32_t i = 0; i < k->count; i++)
		if (k->files[i].fd >= 0 && !strcmp(k->files[i].name, name))
			return take_fd(&k->files[i].fd);
	return err_set(err, -ENOENT, "\"%s\" was given up", name);
}

static int take_file(struct keeper *k, struct socket_message *m)
{
	struct catalog_file f;
	int r;

	if (m->bytes.len != sizeof(f) || m->fd_count != 1 || k->count == STOREKEEPER_MAX_FILES)
		return -EPROTO;
	memcpy(&f, m->bytes.data, sizeof(f));
	r = catalog_add(&k->catalog, &f);
	if (r < 0)
		return r;
	catalog_name(&f, k->files[k->count].name);
	k->files[k->count++].fd = take_fd(&m->fds[0]);
	return 0;
}

static int export_range(const struct storekeeper_job *job, const struct store_source *source,
			struct buffer *out, uint32_t *ret_bad, struct err *err)
{
	const struct store_range range = { job->from_ns, job->to_ns, job->window_ns };
	struct store_result result;
	struct profile p;
	int r = profile_init(&p, MAX_TEXT_BYTES, MAX_ITEMS);

	if (r < 0)
		return err_errno(err, r, "cannot export");
	r = store_read(source, &range, NULL, NULL, &p, &result, err);
	if (r == 0 && !result.windows)
		r = err_set(err, -ENODATA, "the store has no window in that range");
	if (r == 0) {
		r = pprof_encode(&p, NULL, out);
		if (r < 0)
			err_errno(err, r, "cannot make the pprof file");
	}
	*ret_bad = result.bad;
	if (r == 0 && result.bad)
		*err = result.damage;
	profile_release(&p);
	return r;
}

static int work(struct keeper *k, const struct storekeeper_job *job, struct buffer *out,
		struct storekeeper_result *ret, struct err *err)
{
	const struct store_source source = { &k->catalog, open_file, k, STORE_LIMITS_DEFAULT };

	switch (job->kind) {
	case STOREKEEPER_INFO:
		return account_info(&source, out, &ret->bad, err);
	case STOREKEEPER_VERIFY:
		return account_verify(&source, out, &ret->bad, err);
	case STOREKEEPER_EXPORT:
		return export_range(job, &source, out, &ret->bad, err);
	default:
		return -EPROTO;
	}
}

static int send_answer(const struct keeper *k, const struct buffer *out)
{
	int r = 0;

	for (size_t done = 0; r == 0 && done < out->len; done += STOREKEEPER_MAX_MESSAGE_BYTES) {
		size_t left = out->len - done;

		r = socket_send(
			k->socket, STOREKEEPER_ANSWER, out->data + done,
			left < STOREKEEPER_MAX_MESSAGE_BYTES ? left : STOREKEEPER_MAX_MESSAGE_BYTES,
			NULL, 0, UINT64_MAX);
	}
	return r;
}

static int run_job(struct keeper *k, const struct storekeeper_job *job)
{
	_cleanup_(buffer_release) struct buffer out = BUFFER_INIT(MAX_ANSWER_BYTES);
	_cleanup_(buffer_release) struct buffer end = BUFFER_INIT(4096);
	struct storekeeper_result result = { 0 };
	struct err err = { "" };
	int r;

	result.status = work(k, job, &out, &result, &err);
	r = result.status < 0 ? 0 : send_answer(k, &out);
	if (r < 0)
		return r;
	buffer_append(&end, &result, sizeof(result));
	if (result.status < 0 || (result.bad && job->kind == STOREKEEPER_EXPORT))
		buffer_text(&end, err.text);
	return buffer_error(&end) ? buffer_error(&end)
				  : socket_send(k->socket, STOREKEEPER_ENDED, end.data, end.len,
						NULL, 0, clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS);
}

static int hear(struct keeper *k, struct socket_message *m, bool *ret_done)
{
	struct storekeeper_job job;
	int r = socket_receive(k->socket, m, clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS);

	if (r < 0)
		return r;
	if (m->type == STOREKEEPER_FILE)
		return take_file(k, m);
	if (m->type != STOREKEEPER_JOB || m->bytes.len != sizeof(job))
		return -EPROTO;
	memcpy(&job, m->bytes.data, sizeof(job));
	*ret_done = true;
	return run_job(k, &job);
}

int storekeeper_serve(int socket)
{
	struct keeper k = { .socket = socket };
	struct socket_message message;
	bool done = false;
	int r = 0;

	k.files = calloc(STOREKEEPER_MAX_FILES, sizeof(*k.files));
	if (!k.files)
		return EXIT_FAILURE;
	socket_message_init(&message, 4096);
	while (r == 0 && !done)
		r = hear(&k, &message, &done);
	socket_message_release(&message);
	for (uint32_t i = 0; i < k.count; i++)
		fd_close(&k.files[i].fd);
	free(k.files);
	catalog_release(&k.catalog);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
