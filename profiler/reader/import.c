// SPDX-License-Identifier: Apache-2.0
/*
 * Files of one hour, one after the other, share a profile, so that their names are written once. A file is read as a profile of its own, and
 * added to that one: what is damaged in it is found before.
 *
 * Refused: writing from here. What reads anybody's files is to have nothing that it could write to.
 */
#include "profiler/reader/import.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/model/merge.h"
#include "profiler/reader/file.h"
#include "profiler/reader/job.h"
#include "profiler/store/level.h"
#include "profiler/store/packer.h"

#define PATIENCE_NS (60 * NS_PER_S)
#define MAX_TEXT_BYTES ((size_t)256 << 20)
#define MAX_ITEMS (1u << 24)

struct import {
	int socket;
	struct packer *packer;
	struct profile hour;
	bool has_hour, is_packed; /* `hour` is one; its last window may have been written */
	bool is_whole; /* that window begins a file */
	uint64_t slot_ns; /* of it */
};

static void forget_hour(struct import *x)
{
	if (x->has_hour)
		profile_release(&x->hour);
	x->has_hour = x->is_packed = false;
	packer_begin(x->packer);
}

/* The samples of `p`, and nothing else, are the samples of the hour then. */
static int take_samples(struct import *x, const struct profile *p)
{
	int r = x->has_hour ? 0 : profile_init(&x->hour, MAX_TEXT_BYTES, MAX_ITEMS);

	if (r < 0)
		return r;
	x->has_hour = true;
	profile_clear_samples(&x->hour);
	x->hour.facts.duration_ns = 0;
	x->hour.counters = (struct counters){ 0 };
	return profile_merge(&x->hour, p);
}

static int pack(struct import *x, const struct profile *p, bool goes_on, struct err *err)
{
	const struct profile_facts *f = &p->facts;
	/* There was no clock that we could ask: as if it had always been right. */
	const struct store_window w = { .start_ns = f->time_ns,
					.end_ns = f->time_ns + f->duration_ns,
					.monotonic_ns = f->time_ns };
	int r = -E2BIG;

	x->is_whole = false;
	if (w.end_ns < w.start_ns)
		return err_set(err, -EINVAL, "its duration makes no sense");
	if (goes_on && x->is_packed && store_slot(0, f->time_ns) == x->slot_ns) {
		packer_keep(x->packer);
		r = take_samples(x, p);
	}
	/* Another hour, or this one is full. */
	if (r == -E2BIG) {
		forget_hour(x);
		x->is_whole = true;
		r = take_samples(x, p);
	}
	if (r == 0)
		r = packer_pack(x->packer, &x->hour, &x->hour.counters, &w);
	if (r < 0) {
		forget_hour(x);
		return err_errno(err, r, "it can't be packed");
	}
	x->is_packed = true;
	x->slot_ns = store_slot(0, f->time_ns);
	return 0;
}

static int import_file(struct import *x, const struct reader_import *job, int fd, const char *name,
		       struct reader_packed *ret, struct err *err)
{
	struct profile p;
	struct err why;
	int r = file_read_profile(fd, name, &p, err);

	if (r < 0)
		return r;
	ret->broken_off = r > 0;
	if (!p.facts.time_ns)
		p.facts.time_ns = job->time_ns;
	if (!p.facts.time_ns)
		r = err_set(err, -EINVAL, "\"%s\" doesn't say when it was taken: --time does",
			    name);
	else
		r = pack(x, &p, job->goes_on, &why);
	if (r < 0 && p.facts.time_ns)
		err_set(err, r, "cannot import \"%s\": %s", name, why.text);
	*ret = (struct reader_packed){ .start_ns = p.facts.time_ns,
				       .samples = profile_total_count(&p),
				       .broken_off = ret->broken_off,
				       .whole = x->is_whole };
	profile_release(&p);
	return r;
}

static int say(const struct import *x, enum reader_message what, const void *bytes, size_t len)
{
	return socket_send(x->socket, what, bytes, len, NULL, 0,
			   clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS);
}

static int answer(struct import *x, struct reader_packed *packed, const struct err *err)
{
	char end[sizeof(*packed) + sizeof(*err)];
	const char *frame = NULL;
	size_t len = 0, said = packed->status < 0 ? strlen(err->text) : 0;
	int r = 0;

	if (packed->status == 0)
		frame = packer_frame(x->packer, &len);
	for (size_t done = 0; r == 0 && done < len; done += READER_MAX_MESSAGE_BYTES) {
		size_t left = len - done;

		r = say(x, READER_ANSWER, frame + done,
			left < READER_MAX_MESSAGE_BYTES ? left : READER_MAX_MESSAGE_BYTES);
	}
	memcpy(end, packed, sizeof(*packed));
	memcpy(end + sizeof(*packed), err->text, said);
	return r < 0 ? r : say(x, READER_PACKED, end, sizeof(*packed) + said);
}

static int take(struct import *x, struct socket_message *m)
{
	struct reader_packed packed = { 0 };
	struct reader_import job;
	struct err err = { "" };
	const char *name;

	if (m->type != READER_IMPORT || m->bytes.len < sizeof(job) || m->fd_count != 1)
		return -EPROTO;
	memcpy(&job, m->bytes.data, sizeof(job));
	name = buffer_cstr(&m->bytes);
	if (!name)
		return -ENOMEM;
	packed.status = import_file(x, &job, m->fds[0], name + sizeof(job), &packed, &err);
	return answer(x, &packed, &err);
}

int import_serve(int socket, struct socket_message *m)
{
	struct import x = { .socket = socket };
	int r = packer_new(&x.packer, PACKER_EFFORT_ROLLED_UP);

	while (r == 0) {
		r = take(&x, m);
		if (r == 0)
			r = socket_receive(socket, m, UINT64_MAX);
	}
	if (x.packer)
		forget_hour(&x);
	packer_free(x.packer);
	return r == -EPIPE ? 0 : r;
}
