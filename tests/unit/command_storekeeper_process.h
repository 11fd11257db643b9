/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The storekeeper as a process in its sandbox, the agent's side of it, and what is in the store then. The process is the test itself:
 * its main() begins with storekeeper_main().
 */
#ifndef TESTS_UNIT_COMMAND_STOREKEEPER_PROCESS_H
#define TESTS_UNIT_COMMAND_STOREKEEPER_PROCESS_H

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/agent/archive.h"
#include "profiler/base/cleanup.h"
#include "profiler/reader/account.h"
#include "profiler/role/child.h"
#include "profiler/role/sandbox.h"
#include "profiler/role/socket.h"
#include "profiler/storekeeper/directory.h"
#include "profiler/storekeeper/protocol.h"
#include "tests/unit/store_directory.h"

#define WAIT_NS (20 * NS_PER_S)
#define HOUR (3600 * NS_PER_S)

static inline uint64_t in(uint64_t ns)
{
	return clock_ns(CLOCK_MONOTONIC) + ns;
}

/* ---- the storekeeper ---- */

struct keeper {
	struct child child;
	struct socket_message m;
	struct keeper_figures figures; /* the last ones */
	char said[sizeof(struct err) + 64]; /* the last sentence */
};

/* What comes next; figures and sentences are remembered. */
static inline uint32_t hear(struct keeper *k)
{
	const struct buffer *b = &k->m.bytes;
	int r = socket_receive(k->child.socket, &k->m, in(WAIT_NS));

	if (r < 0)
		fail_msg("the storekeeper is silent: %s", strerror(-r));
	if (k->m.type == KEEPER_FIGURES) {
		assert_int_equal(b->len, sizeof(k->figures));
		memcpy(&k->figures, b->data, sizeof(k->figures));
	}
	if (k->m.type == KEEPER_SAID)
		snprintf(k->said, sizeof(k->said), "%.*s", (int)b->len, b->data);
	return k->m.type;
}

static inline struct keeper_job job_for_ever(void)
{
	struct keeper_job job = keeper_job_default();

	memset(job.age_ns, 0, sizeof(job.age_ns));
	return job;
}

/* The agent's socket, or -1; then *k has its ENDED. */
static inline int keeper_start(struct keeper *k, const char *path, const struct keeper_job *job)
{
	_cleanup_(fd_close) int dirfd = -1;
	struct err err = { "" };
	int pair[2];
	uint32_t type;

	*k = (struct keeper){ 0 };
	socket_message_init(&k->m, KEEPER_MAX_MESSAGE_BYTES);
	dirfd = directory_open(path, &err);
	if (dirfd < 0 || child_start(&k->child, STOREKEEPER_ROLE, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(socket_send(k->child.socket, KEEPER_JOB, job, sizeof(*job),
				     (const int[]){ dirfd, pair[1] }, 2, in(WAIT_NS)),
			 0);
	close(pair[1]);
	type = hear(k);
	if (type == KEEPER_OPENED)
		return pair[0];
	assert_int_equal(type, KEEPER_ENDED);
	print_message("ended: %.*s\n", (int)(k->m.bytes.len - sizeof(struct keeper_result)),
		      k->m.bytes.data + sizeof(struct keeper_result));
	close(pair[0]);
	return -1;
}

static inline void keeper_release(struct keeper *k)
{
	child_stop(&k->child, NULL);
	socket_message_release(&k->m);
}

static inline void keeper_stop(struct keeper *k)
{
	assert_int_equal(socket_send(k->child.socket, KEEPER_STOP, NULL, 0, NULL, 0, in(WAIT_NS)),
			 0);
	while (hear(k) != KEEPER_ENDED)
		;
	assert_int_equal(((const struct keeper_result *)k->m.bytes.data)->status, 0);
	keeper_release(k);
}

static inline void keeper_kill(struct keeper *k)
{
	assert_true(child_kill(&k->child, WAIT_NS, NULL));
	socket_message_release(&k->m);
}

/* ---- the agent ---- */

struct agent {
	struct archive *archive;
	struct counters counters;
	struct profile p;
	uint64_t seed, at; /* the next window */
	uint64_t appended, committed; /* windows */
	uint64_t samples_appended, samples_committed;
	uint64_t refused; /* windows of which we heard that they were dropped */
};

static inline void agent_new(struct agent *a)
{
	*a = (struct agent){ .seed = 5, .at = TEST_EPOCH_NS };
	assert_int_equal(archive_new(&a->archive, &a->counters), 0);
	test_profile(&a->p);
}

static inline void agent_free(struct agent *a)
{
	archive_free(a->archive);
	profile_release(&a->p);
}

static inline void agent_append(struct agent *a, uint32_t samples, uint64_t step_ns)
{
	const struct store_window x = test_window_at(a->at);

	if (archive_turns(a->archive, a->at)) {
		assert_int_equal(archive_part(a->archive, &a->p), 0);
		test_profile(&a->p);
	}
	test_window(&a->p, &a->seed, samples, a->at);
	assert_int_equal(archive_append(a->archive, &a->p, &x), 0);
	a->appended++;
	a->samples_appended += profile_total_count(&a->p);
	a->at += step_ns;
}

/* 0, or that the storekeeper has gone. */
static inline int agent_poll(struct agent *a)
{
	struct archive_fate f;
	int r;

	while ((r = archive_poll(a->archive, &f)) == 1) {
		a->committed += !f.status;
		a->samples_committed += f.status ? 0 : f.samples;
		a->refused += f.status < 0;
	}
	return r;
}

static inline uint32_t held(const struct agent *a)
{
	struct archive_status s;

	archive_status(a->archive, &s);
	return s.windows;
}

/* Until all that is held has its reply. */
static inline void agent_settle(struct agent *a)
{
	uint64_t end = in(WAIT_NS);

	while (agent_poll(a) == 0 && held(a) && clock_ns(CLOCK_MONOTONIC) < end)
		poll(&(struct pollfd){ .fd = archive_fd(a->archive), .events = POLLIN }, 1, 100);
	assert_int_equal(held(a), 0);
}

/* All in the store, at the level of 10 s: samples; windows in *ret_windows, what they tell in *counters. */
static inline uint64_t stored(const struct test_store *t, uint64_t *ret_windows,
			      struct counters *counters)
{
	struct store_result result;
	struct profile is;
	uint64_t count;

	result = test_read(t, 0, UINT64_MAX, TEST_WINDOW_NS, &is);
	if (result.bad)
		fail_msg("%s", result.damage.text);
	count = profile_total_count(&is);
	*ret_windows = result.windows;
	if (counters)
		*counters = is.counters;
	profile_release(&is);
	return count;
}

static inline void verify(const struct test_store *t)
{
	_cleanup_(buffer_release) struct buffer out = BUFFER_INIT(1 << 20);
	const struct reader_account job = { .kind = READER_VERIFY };
	struct catalog c = { 0 };
	int fd = t->fd;
	struct store_source source = { &c, store_source_open, &fd, STORE_LIMITS_DEFAULT };
	struct err err = { "" };
	uint32_t bad = 1;

	assert_int_equal(catalog_read(&c, t->fd, &err), 0);
	assert_int_equal(account_run(&job, &source, &out, &bad, &err), 0);
	if (bad)
		fail_msg("%s", buffer_cstr(&out));
	catalog_release(&c);
}

/* True: this is the storekeeper, and has ended. */
static inline bool storekeeper_main(int argc, char **argv, int *ret_status)
{
	struct err err;

	if (argc != 2 || strcmp(argv[1], STOREKEEPER_ROLE) != 0)
		return false;
	*ret_status = 77;
	if (child_enter() == 0 && sandbox_enter(role_find(STOREKEEPER_ROLE), &err) == 0)
		*ret_status = storekeeper_serve(ROLE_CHILD_SOCKET);
	return true;
}

#endif
