// SPDX-License-Identifier: Apache-2.0
/*
 * Who asks and prints, without any right of its own: processes are looked at by the opener and the tracer, files read
 * by the symbolizer and the unwinder, and the text goes to the supervisor, which has standard output.
 *
 * Refused: doing it all where the command was started. That is root, and the maps of a stranger's process, his
 * names and his stacks are read here.
 */
#include "profiler/dump/dumper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/agent/outside.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/dump/protocol.h"
#include "profiler/role/service.h"
#include "profiler/role/socket.h"

#define JOB_PATIENCE_NS (10 * NS_PER_S)
#define CENSUS_PATIENCE_NS (5 * NS_PER_S)
#define SAY_PATIENCE_NS (60 * NS_PER_S)
#define MAX_FILES 16384u
#define MAX_PINS 512u /* of RLIMIT_NOFILE's usual 1,024 */

int dumper_flush(struct dumper *d, struct buffer *out)
{
	int r = buffer_error(out);

	/* What is behind the supervisor may be a pager that somebody reads. */
	for (size_t done = 0; r == 0 && done < out->len; done += DUMP_MAX_OUTPUT_BYTES) {
		size_t left = out->len - done;

		r = socket_send(d->socket, DUMP_OUTPUT, out->data + done,
				left < DUMP_MAX_OUTPUT_BYTES ? left : DUMP_MAX_OUTPUT_BYTES, NULL,
				0, UINT64_MAX);
	}
	buffer_clear(out);
	return r;
}

void dumper_say(struct dumper *d, const struct err *err)
{
	/* That nobody hears it is found out soon enough. */
	(void)socket_send(d->socket, DUMP_SAID, err->text, strlen(err->text), NULL, 0,
			  clock_ns(CLOCK_MONOTONIC) + SAY_PATIENCE_NS);
}

void dumper_rows(struct dumper *d, const struct target *t)
{
	for (uint32_t i = 0; i < t->mappings.count; i++) {
		uint32_t file = t->mappings.items[i].file;
		int fd = -1;

		if (file == UNWINDER_NO_FILE || rows_find(&d->rows, file) ||
		    target_file(&d->from, file, &fd) < 0)
			continue;
		(void)rows_add(&d->rows, file, fd, NULL);
	}
}

/* ---- life ---- */

static int receive_job(struct dumper *d, int *ret_service, int *ret_file, struct err *err)
{
	struct socket_message m;
	int r;

	socket_message_init(&m, DUMP_MAX_JOB_BYTES);
	r = socket_receive(d->socket, &m, clock_ns(CLOCK_MONOTONIC) + JOB_PATIENCE_NS);
	if (r == 0 && (m.type != DUMP_JOB || !m.fd_count))
		r = -EPROTO;
	if (r == 0)
		r = dump_job_parse(&d->job, &m.bytes);
	if (r == 0) {
		*ret_service = take_fd(&m.fds[0]);
		*ret_file = take_fd(&m.fds[1]);
	}
	socket_message_release(&m);
	return r < 0 ? err_errno(err, r, "the dumper got no job") : 0;
}

static int work_of_kind(struct dumper *d, struct outside *outside, int file, struct err *err)
{
	switch (d->job.kind) {
	case DUMP_TABLE:
		return dump_table(d, file, err);
	case DUMP_CENSUS:
		/* Nobody's rings fill meanwhile. */
		outside_set_deadline(outside, CENSUS_PATIENCE_NS);
		return dump_census(d, outside, err);
	case DUMP_NAMES:
		return d->job.pid_count ? dump_addresses(d, err) : dump_names(d, file, err);
	default:
		return dump_stacks(d, err);
	}
}

static int work(struct dumper *d, int file, struct err *err)
{
	struct live_names names = { .vdso_fd = -1 };
	struct outside *outside = NULL;
	int r = outside_new(&outside, &d->starter, &d->counters, err);

	if (r == 0)
		r = symbols_client_new(&names.client, &d->starter, &d->counters, err);
	if (r < 0)
		goto out;
	symbols_client_keep_indexes(names.client, d->service);
	names.outside = outside;
	d->from.source = outside_source(outside);
	d->from.names = &names;
	rows_init(&d->rows, names.client);
	r = file_table_new(&d->from.files, d->from.source, &d->counters, MAX_FILES, MAX_PINS);
	if (r == 0)
		r = debug_files_new(&names.debug, outside, names.client, &d->counters);
	if (r < 0) {
		err_errno(err, r, "the table of files could not be made");
		goto out;
	}
	names.files = d->from.files;
	r = work_of_kind(d, outside, file, err);
out:
	rows_release(&d->rows);
	file_table_free(d->from.files);
	debug_files_free(names.debug);
	live_names_release(&names);
	symbols_client_free(names.client);
	outside_free(outside);
	return r;
}

static int serve(struct dumper *d, int socket)
{
	_cleanup_(fd_close) int file = -1;
	char end[sizeof(struct dump_result) + sizeof(struct err)];
	struct err err = { "" };
	size_t len;
	int r;

	d->socket = socket;
	r = receive_job(d, &d->service, &file, &err);
	if (r == 0) {
		d->starter = service_starter(&d->service);
		r = work(d, file, &err);
	}
	d->result.status = r;
	if (r == 0)
		err.text[0] = '\0';
	len = strlen(err.text);
	memcpy(end, &d->result, sizeof(d->result));
	memcpy(end + sizeof(d->result), err.text, len);
	return socket_send(socket, DUMP_ENDED, end, sizeof(d->result) + len, NULL, 0,
			   clock_ns(CLOCK_MONOTONIC) + SAY_PATIENCE_NS);
}

int dumper_serve(int socket)
{
	struct dumper *d = calloc(1, sizeof(*d));
	int r = -ENOMEM;

	if (d) {
		d->service = -1;
		r = serve(d, socket);
		fd_close(&d->service);
	}
	free(d);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
