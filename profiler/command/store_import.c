// SPDX-License-Identifier: Apache-2.0
/*
 * Two processes, and this one between them: the reader parses files and packs windows, the storekeeper writes them. What goes from one to
 * the other is bytes here.
 */
#include "profiler/command/store_import.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/command/command.h"
#include "profiler/command/inspection.h"
#include "profiler/command/interrupt.h"
#include "profiler/reader/job.h"
#include "profiler/role/child.h"
#include "profiler/role/socket.h"
#include "profiler/storekeeper/directory.h"
#include "profiler/storekeeper/protocol.h"

#define PATIENCE_NS (300 * NS_PER_S)

struct import {
	struct child reader, keeper;
	int windows; /* the storekeeper's socket for them */
	struct socket_message message; /* the last one, of either */
	uint64_t time_ns;
	uint64_t file; /* of the store, that the next window may go on with; 0: none */
	uint64_t number, imported, samples; /* windows; of those that are in the store */
	uint32_t failed;
};

static uint64_t patience(void)
{
	return clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
}

/* What is behind the first `len` bytes of the last message is a sentence. */
static void take_sentence(const struct import *x, size_t len, struct err *err)
{
	const struct buffer *b = &x->message.bytes;

	err_set(err, 0, "%.*s", (int)(b->len - len), b->data + len);
}

static int hear(struct import *x, int socket, const char *who, struct err *err)
{
	int r = socket_receive(socket, &x->message, patience());

	return r < 0 ? err_errno(err, r, "the %s ended before its time", who) : 0;
}

static int misunderstood(const char *who, struct err *err)
{
	return err_errno(err, -EPROTO, "the %s can't be understood", who);
}

/* ---- the storekeeper ---- */

static int keeper_ended(struct import *x, struct err *err)
{
	struct keeper_result result;

	if (x->message.type != KEEPER_ENDED || x->message.bytes.len < sizeof(result))
		return misunderstood("storekeeper", err);
	memcpy(&result, x->message.bytes.data, sizeof(result));
	take_sentence(x, sizeof(result), err);
	return result.status;
}

/* What it says in between is said; figures are nobody's here. */
static int hear_keeper(struct import *x, struct err *err)
{
	int r;

	do {
		r = hear(x, x->keeper.socket, "storekeeper", err);
		if (r == 0 && x->message.type == KEEPER_SAID) {
			take_sentence(x, 0, err);
			command_say("%s", err->text);
		}
	} while (r == 0 && (x->message.type == KEEPER_SAID || x->message.type == KEEPER_FIGURES));
	return r;
}

static int start_keeper(struct import *x, const char *directory, struct err *err)
{
	_cleanup_(fd_close) int dirfd = directory_open(directory, err);
	_cleanup_(fd_close) int its_end = -1;
	struct keeper_job job = keeper_job_default();
	int pair[2], r;

	if (dirfd < 0)
		return dirfd;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, -errno, "no socket for the storekeeper");
	x->windows = pair[0];
	its_end = pair[1];
	job.import = 1;
	job.sync_ns = UINT64_MAX; /* each file is synced when it ends */
	r = child_start(&x->keeper, STOREKEEPER_ROLE, err);
	if (r < 0)
		return r;
	r = socket_send(x->keeper.socket, KEEPER_JOB, &job, sizeof(job),
			(const int[]){ dirfd, its_end }, 2, patience());
	if (r < 0)
		return err_errno(err, r, "the storekeeper doesn't take its job");
	r = hear_keeper(x, err);
	if (r == 0 && x->message.type != KEEPER_OPENED)
		r = keeper_ended(x, err);
	if (r == 0)
		r = hear(x, x->windows, "storekeeper", err); /* HELLO */
	return r;
}

static int stop_keeper(struct import *x, struct err *err)
{
	int r = socket_send(x->keeper.socket, KEEPER_STOP, NULL, 0, NULL, 0, patience());

	if (r < 0)
		return err_errno(err, r, "the storekeeper ended before its time");
	r = hear_keeper(x, err);
	return r < 0 ? r : keeper_ended(x, err);
}

/* 0; 1 and a sentence: the window was dropped; negative errno: it can't go on. */
static int write_window(struct import *x, const struct reader_packed *packed, int frame,
			struct err *err)
{
	struct keeper_window w = { .number = ++x->number,
				   .file = packed->whole ? 0 : x->file,
				   .bytes = (uint64_t)lseek(frame, 0, SEEK_END) };
	struct keeper_committed c;
	int r = socket_send(x->windows, KEEPER_WINDOW, &w, sizeof(w), &frame, 1, patience());

	x->file = 0;
	if (r < 0)
		return err_errno(err, r, "the storekeeper ended before its time");
	r = hear(x, x->windows, "storekeeper", err);
	if (r < 0)
		return r;
	if (x->message.type == KEEPER_DROPPED &&
	    x->message.bytes.len >= sizeof(struct keeper_dropped)) {
		take_sentence(x, sizeof(struct keeper_dropped), err);
		return 1;
	}
	if (x->message.type != KEEPER_COMMITTED || x->message.bytes.len != sizeof(c))
		return misunderstood("storekeeper", err);
	memcpy(&c, x->message.bytes.data, sizeof(c));
	x->file = c.full ? 0 : c.file;
	x->imported++;
	x->samples += packed->samples;
	return 0;
}

/* ---- the reader ---- */

static int send_file(struct import *x, const char *path, int file, struct err *err)
{
	_cleanup_(buffer_release) struct buffer bytes = BUFFER_INIT(READER_MAX_JOB_BYTES);
	const struct reader_import job = { .time_ns = x->time_ns, .goes_on = x->file != 0 };
	int r;

	buffer_append(&bytes, &job, sizeof(job));
	buffer_text(&bytes, path);
	r = buffer_error(&bytes);
	if (r == 0)
		r = socket_send(x->reader.socket, READER_IMPORT, bytes.data, bytes.len, &file, 1,
				patience());
	return r < 0 ? err_errno(err, r, "the reader ended before its time") : 0;
}

/* The frame goes into `frame`. 0; 1 and a sentence: there is none; negative errno: the reader can't go on. */
static int hear_packed(struct import *x, int frame, struct reader_packed *ret, struct err *err)
{
	const struct buffer *b = &x->message.bytes;
	int r;

	for (;;) {
		r = hear(x, x->reader.socket, "reader", err);
		if (r < 0 || x->message.type != READER_ANSWER)
			break;
		r = fd_write_all(frame, b->data, b->len);
		if (r < 0)
			return err_errno(err, r, "no memory for a window");
	}
	if (r < 0)
		return r;
	if (x->message.type != READER_PACKED || b->len < sizeof(*ret))
		return misunderstood("reader", err);
	memcpy(ret, b->data, sizeof(*ret));
	take_sentence(x, sizeof(*ret), err);
	return ret->status < 0;
}

/* 0; 1 and a sentence: this file is not imported; negative errno: nor is any other. */
static int import_file(struct import *x, const char *path, struct err *err)
{
	_cleanup_(fd_close) int file = inspection_open(path, err);
	_cleanup_(fd_close) int frame = -1;
	struct reader_packed packed = { 0 };
	int r;

	if (file < 0)
		return 1;
	frame = memfd_create("slowburn-window", MFD_CLOEXEC);
	if (frame < 0)
		return err_errno(err, -errno, "no memory for a window");
	r = send_file(x, path, file, err);
	if (r == 0)
		r = hear_packed(x, frame, &packed, err);
	if (r == 0 && packed.broken_off)
		command_say("\"%s\" breaks off early: what it has is imported", path);
	return r == 0 ? write_window(x, &packed, frame, err) : r;
}

static int import_all(struct import *x, const char *const *files, uint32_t count, struct err *err)
{
	int r = child_start(&x->reader, READER_ROLE, err);

	for (uint32_t i = 0; r >= 0 && i < count && !interrupt_came(); i++) {
		r = import_file(x, files[i], err);
		if (r == 1) {
			command_say("%s", err->text);
			x->failed++;
		}
	}
	return r < 0 ? r : 0;
}

static void abandon(void)
{
}

int store_import(const char *directory, const char *const *files, uint32_t count, uint64_t time_ns)
{
	struct import x = { .reader = { .socket = -1 },
			    .keeper = { .socket = -1 },
			    .windows = -1,
			    .time_ns = time_ns };
	struct err err = { "" };
	int r = interrupt_catch(1, abandon);

	socket_message_init(&x.message, READER_MAX_MESSAGE_BYTES);
	if (r < 0)
		err_errno(&err, r, "cannot catch signals");
	if (r == 0)
		r = start_keeper(&x, directory, &err);
	if (r == 0)
		r = import_all(&x, files, count, &err);
	if (r == 0)
		r = stop_keeper(&x, &err);
	fd_close(&x.windows);
	if (x.reader.pid)
		child_stop(&x.reader, NULL);
	if (x.keeper.pid)
		child_stop(&x.keeper, NULL);
	socket_message_release(&x.message);
	if (r < 0)
		return command_fail(COMMAND_FAILED, &err);
	if (printf("%" PRIu64 " of %u files imported: %" PRIu64 " samples\n", x.imported, count,
		   x.samples) < 0 ||
	    fflush(stdout) != 0)
		return COMMAND_FAILED;
	return x.imported == count ? COMMAND_OK : COMMAND_FAILED;
}
