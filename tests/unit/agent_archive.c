// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's side of the storekeeper, whose part is played here: it says what it is told to. With the real one:
 * tests/unit/command_storekeeper.c.
 */
#include "profiler/agent/archive.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/buffer.h"
#include "profiler/base/cleanup.h"
#include "profiler/role/socket.h"
#include "profiler/store/layout.h"
#include "profiler/storekeeper/protocol.h"
#include "tests/unit/store_directory.h"
#include "tests/unit/torture.h"

struct peer {
	int socket;
	struct socket_message m;
	struct keeper_window window; /* the last one that came */
	struct layout_frame frame;
};

static int peer_new(struct peer *p)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	*p = (struct peer){ .socket = pair[0] };
	socket_message_init(&p->m, KEEPER_MAX_MESSAGE_BYTES);
	return pair[1];
}

static void peer_free(struct peer *p)
{
	if (p->socket >= 0)
		close(p->socket);
	socket_message_release(&p->m);
}

static void say(struct peer *p, uint32_t what, const void *bytes, size_t len)
{
	assert_int_equal(socket_send(p->socket, what, bytes, len, NULL, 0, UINT64_MAX), 0);
}

static void greet(struct peer *p, const struct keeper_hello *last)
{
	const struct keeper_hello none = { 0 };

	say(p, KEEPER_HELLO, last ? last : &none, sizeof(none));
}

/* The window that is on its way, or that there is none. */
static bool hear(struct peer *p)
{
	_cleanup_(buffer_release) struct buffer bytes = BUFFER_INIT(KEEPER_MAX_FRAME_BYTES);
	void *to;

	if (socket_receive(p->socket, &p->m, clock_ns(CLOCK_MONOTONIC)) < 0)
		return false;
	assert_int_equal(p->m.type, KEEPER_WINDOW);
	assert_int_equal(p->m.bytes.len, sizeof(p->window));
	memcpy(&p->window, p->m.bytes.data, sizeof(p->window));
	to = buffer_extend(&bytes, p->window.bytes);
	assert_non_null(to);
	assert_int_equal(pread(p->m.fds[0], to, p->window.bytes, 0), p->window.bytes);
	assert_int_equal(layout_window_read(to, p->window.bytes, &p->frame), 0);
	assert_int_equal(p->frame.flags, p->window.file ? 0 : LAYOUT_WHOLE);
	return true;
}

static void commit(struct peer *p, uint64_t sequence, uint64_t file, bool full)
{
	const struct keeper_committed c = {
		.number = p->window.number, .sequence = sequence, .file = file, .full = full
	};

	say(p, KEEPER_COMMITTED, &c, sizeof(c));
}

static void refuse(struct peer *p, uint32_t what, int status)
{
	const struct keeper_dropped d = { .number = p->window.number, .status = status };

	say(p, what, &d, sizeof(d));
}

static int append(struct archive *a, struct profile *p, uint64_t *seed, uint64_t at)
{
	const struct store_window x = test_window_at(at);

	test_window(p, seed, 20, at);
	return archive_append(a, p, &x);
}

static void expect(struct archive *a, uint64_t number, uint64_t sequence, int status)
{
	struct archive_fate f = { 0 };

	assert_int_equal(archive_poll(a, &f), 1);
	assert_int_equal(f.number, number);
	assert_int_equal(f.sequence, sequence);
	assert_int_equal(f.status, status);
	assert_true(f.samples >= 20);
}

static void expect_nothing(struct archive *a)
{
	struct archive_fate f;

	assert_int_equal(archive_poll(a, &f), 0);
}

/* One after the other; whole, then behind the one before; whole again when it is asked for, and when the file is full. */
static void test_order(void **state)
{
	uint64_t seed = 3, at = TEST_EPOCH_NS;
	struct counters counters = { 0 };
	struct archive *a;
	struct profile p;
	struct peer peer;

	(void)state;
	test_profile(&p);
	assert_int_equal(archive_new(&a, &counters), 0);
	assert_int_equal(archive_fd(a), -1);
	assert_false(archive_turns(a, at));
	for (uint32_t i = 0; i < 5; i++, at += TEST_WINDOW_NS)
		assert_int_equal(append(a, &p, &seed, at), 0);
	assert_int_equal(archive_number(a), 5);
	archive_connect(a, peer_new(&peer));
	expect_nothing(a);
	assert_false(hear(&peer)); /* not before it was greeted */
	greet(&peer, NULL);
	expect_nothing(a);
	assert_true(hear(&peer));
	assert_int_equal(peer.window.number, 1);
	assert_int_equal(peer.window.file, 0);
	assert_false(hear(&peer)); /* one at a time */
	commit(&peer, 41, 41, false);
	expect(a, 1, 41, 0);
	assert_true(hear(&peer));
	assert_int_equal(peer.window.number, 2);
	assert_int_equal(peer.window.file, 41);
	refuse(&peer, KEEPER_REPACK, -ESTALE);
	expect_nothing(a);
	assert_true(hear(&peer));
	assert_int_equal(peer.window.number, 2);
	assert_int_equal(peer.window.file, 0);
	commit(&peer, 42, 42, false);
	expect(a, 2, 42, 0);
	assert_true(hear(&peer));
	refuse(&peer, KEEPER_DROPPED, -ENOSPC);
	expect(a, 3, 0, -ENOSPC);
	assert_int_equal(counter_get(&counters, COUNTER_WINDOWS_DROPPED_STORE), 1);
	assert_true(counter_get(&counters, COUNTER_SAMPLES_DROPPED_STORE) >= 20);
	assert_true(hear(&peer));
	assert_int_equal(peer.window.file, 42); /* as if the dropped one had never been */
	assert_false(archive_turns(a, at));
	commit(&peer, 43, 0, true);
	expect(a, 4, 43, 0);
	assert_true(archive_turns(a, at));
	assert_true(hear(&peer));
	assert_int_equal(peer.window.number, 5);
	assert_int_equal(peer.window.file, 0);
	/* Its part is given up while it is on its way. */
	assert_int_equal(archive_part(a, &p), 0);
	assert_false(archive_turns(a, at));
	commit(&peer, 44, 44, false);
	expect(a, 5, 44, 0);
	test_profile(&p);
	at = TEST_EPOCH_NS + 3600 * NS_PER_S - 1;
	assert_int_equal(append(a, &p, &seed, at), 0);
	assert_false(archive_turns(a, at));
	assert_true(archive_turns(a, at + 1));
	expect_nothing(a);
	assert_true(hear(&peer));
	assert_int_equal(peer.window.file, 0);
	archive_free(a);
	profile_release(&p);
	peer_free(&peer);
}

/* It died, and what it had written the next one knows: that, and nothing else, is not sent again. */
static void test_hello(void **state)
{
	struct keeper_hello last;
	uint64_t seed = 3;
	struct archive_fate f;
	struct archive *a;
	struct profile p;
	struct peer peer;

	(void)state;
	test_profile(&p);
	assert_int_equal(archive_new(&a, NULL), 0);
	assert_int_equal(append(a, &p, &seed, TEST_EPOCH_NS), 0);
	assert_int_equal(append(a, &p, &seed, TEST_EPOCH_NS + TEST_WINDOW_NS), 0);
	for (uint32_t round = 0; round < 3; round++) {
		archive_connect(a, peer_new(&peer));
		if (round == 0)
			greet(&peer, NULL);
		else
			greet(&peer, &last);
		if (round == 2) {
			expect(a, 1, 7, 0);
			assert_true(hear(&peer));
			assert_int_equal(peer.window.number, 2);
		} else {
			expect_nothing(a);
			assert_true(hear(&peer));
			assert_int_equal(peer.window.number, 1);
		}
		assert_int_equal(peer.window.file, 0);
		last = (struct keeper_hello){ .sequence = 7,
					      .start_ns = peer.frame.start_ns,
					      .end_ns = peer.frame.end_ns,
					      .monotonic_ns = peer.frame.monotonic_ns,
					      .count = peer.frame.count + (round == 0) };
		peer_free(&peer);
		assert_int_equal(archive_poll(a, &f), -EPIPE);
		expect_nothing(a);
		assert_int_equal(archive_fd(a), -1);
	}
	archive_free(a);
	profile_release(&p);
}

enum lie {
	UNASKED,
	OTHER_NUMBER,
	SHORT,
	UNKNOWN,
	TWO_HELLOS,
	NO_REASON,
	REPACKED_WHOLE,
	LONG,
	LIES,
};

static void lie(struct peer *p, enum lie what)
{
	struct keeper_dropped d = { .number = p->window.number, .status = -EIO };
	static const char much[KEEPER_MAX_MESSAGE_BYTES + 1];

	switch (what) {
	case UNASKED:
		commit(p, 1, 1, false);
		commit(p, 1, 1, false);
		break;
	case OTHER_NUMBER:
		d.number++;
		say(p, KEEPER_DROPPED, &d, sizeof(d));
		break;
	case SHORT:
		say(p, KEEPER_COMMITTED, &d, 3);
		break;
	case UNKNOWN:
		say(p, 4711, &d, sizeof(d));
		break;
	case TWO_HELLOS:
		greet(p, NULL);
		break;
	case NO_REASON:
		d.status = 0;
		say(p, KEEPER_DROPPED, &d, sizeof(d));
		break;
	case REPACKED_WHOLE:
		refuse(p, KEEPER_REPACK, -ESTALE);
		break;
	default:
		say(p, KEEPER_DROPPED, much, sizeof(much));
	}
}

/* One that was taken over is let go, and nothing is lost by it but what it said is there. */
static void test_lies(void **state)
{
	(void)state;
	for (enum lie l = 0; l < LIES; l++) {
		struct archive_status status;
		uint64_t seed = 3;
		struct archive_fate f;
		struct archive *a;
		struct profile p;
		struct peer peer;
		int r;

		test_profile(&p);
		assert_int_equal(archive_new(&a, NULL), 0);
		assert_int_equal(append(a, &p, &seed, TEST_EPOCH_NS), 0);
		archive_connect(a, peer_new(&peer));
		greet(&peer, NULL);
		expect_nothing(a);
		assert_true(hear(&peer));
		lie(&peer, l);
		while ((r = archive_poll(a, &f)) == 1)
			assert_int_equal(l, UNASKED);
		if (r != -EPROTO)
			fail_msg("lie %d: %d", (int)l, r);
		archive_status(a, &status);
		assert_int_equal(status.windows, l != UNASKED);
		assert_int_equal(status.dropped, 0);
		assert_int_equal(archive_fd(a), -1);
		archive_free(a);
		profile_release(&p);
		peer_free(&peer);
	}
}

/* What is held has its bounds, in windows, in bytes and in profiles. */
static void test_bounds(void **state)
{
	static struct columns_moment moments[3u << 20];
	struct store_window x = test_window_at(TEST_EPOCH_NS);
	struct counters counters = { 0 };
	struct archive_status s;
	uint64_t seed = 3;
	struct archive *a;
	struct profile p;

	(void)state;
	test_profile(&p);
	assert_int_equal(archive_new(&a, &counters), 0);
	for (uint32_t i = 0; i < 2 * ARCHIVE_MAX_WINDOWS; i++)
		assert_int_equal(append(a, &p, &seed, TEST_EPOCH_NS + i), 0);
	archive_status(a, &s);
	assert_int_equal(s.windows, ARCHIVE_MAX_WINDOWS);
	assert_int_equal(s.dropped, ARCHIVE_MAX_WINDOWS);
	/* 24 MiB of moments each: one fits. A moment of no sample: none. */
	x.moments = moments;
	x.moment_count = 3u << 20;
	assert_int_equal(archive_append(a, &p, &x), 0);
	assert_int_equal(archive_append(a, &p, &x), 0);
	archive_status(a, &s);
	assert_in_range(s.bytes, sizeof(moments), ARCHIVE_MAX_BYTES);
	moments[7].sample = p.samples.count;
	assert_int_equal(archive_append(a, &p, &x), -EINVAL);
	moments[7].sample = 0;
	x.moment_count = 0;
	for (uint32_t i = 0; i < 2 * ARCHIVE_MAX_PARTS; i++) {
		assert_int_equal(archive_part(a, &p), 0);
		test_profile(&p);
		assert_int_equal(append(a, &p, &seed, TEST_EPOCH_NS + i), 0);
	}
	archive_status(a, &s);
	assert_in_range(s.parts, 1, ARCHIVE_MAX_PARTS + 1);
	assert_int_equal(s.windows + s.dropped, archive_number(a));
	assert_int_equal(counter_get(&counters, COUNTER_WINDOWS_DROPPED_STORE), s.dropped);
	assert_true(*s.why.text);
	archive_free(a);
	profile_release(&p);
}

/* The first window is with a storekeeper that says nothing: profiles come and go all the same. */
static void test_bounds_of_silence(void **state)
{
	struct archive_status s;
	struct archive_fate f;
	uint64_t seed = 3;
	struct archive *a;
	struct profile p;
	struct peer peer;

	(void)state;
	test_profile(&p);
	assert_int_equal(archive_new(&a, NULL), 0);
	archive_connect(a, peer_new(&peer));
	greet(&peer, NULL);
	for (uint32_t i = 0; i < 4 * ARCHIVE_MAX_PARTS; i++) {
		assert_int_equal(append(a, &p, &seed, TEST_EPOCH_NS + i), 0);
		while (archive_poll(a, &f) == 1)
			assert_int_equal(f.status, -ENOBUFS);
		assert_int_equal(archive_part(a, &p), 0);
		test_profile(&p);
		archive_status(a, &s);
		assert_in_range(s.parts, 1, ARCHIVE_MAX_PARTS + 1);
	}
	assert_true(hear(&peer));
	assert_int_equal(peer.window.number, 1);
	commit(&peer, 41, 41, false);
	while (archive_poll(a, &f) == 1 && f.status < 0)
		continue;
	assert_int_equal(f.number, 1);
	archive_free(a);
	profile_release(&p);
	peer_free(&peer);
}

/* A profile that comes and goes, and a window, without the memory for any of it. */
static int live(void *ctx)
{
	struct profile *p = ctx;
	struct store_window x = test_window_at(TEST_EPOCH_NS);
	const struct columns_moment moment = { 0 };
	struct archive_fate f;
	struct archive *a;
	struct peer peer;
	int r = archive_new(&a, NULL), fate;

	if (r < 0)
		return r;
	x.moments = &moment;
	x.moment_count = 1;
	archive_connect(a, peer_new(&peer));
	greet(&peer, NULL);
	r = archive_append(a, p, &x);
	fate = archive_poll(a, &f);
	if (r == 0 && fate == 1)
		r = f.status;
	if (r == 0 && fate < 0)
		r = -ENOMEM; /* for what it was told: it was let go */
	archive_free(a);

	peer_free(&peer);
	return r;
}

static void test_torture(void **state)
{
	struct profile p;

	(void)state;
	test_profile(&p);
	test_stack(&p, test_series(&p, "a", 1, 1), 1, "main@a", NULL);
	assert_true(torture(live, &p) > 3);
	profile_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),   cmocka_unit_test(test_hello),
		cmocka_unit_test(test_lies),    cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_torture), cmocka_unit_test(test_bounds_of_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
