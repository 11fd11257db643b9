// SPDX-License-Identifier: Apache-2.0
/*
 * The symbolizer is this test itself, run with the role as argv[1]: it says of a file's lines what the first address wants,
 * or nothing at all.
 */
#include "profiler/agent/names.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/clock.h"
#include "profiler/role/role.h"
#include "profiler/role/socket.h"
#include "tests/unit/agent_starter.h"

#define FIRST_SPACE 16u
#define HANG 0x1000u
#define DIE 0x2000u

/* ---- the symbolizer's side ---- */

/* Status and flags are the first address's low and high half. */
static int role_main(void)
{
	struct socket_message m;

	socket_message_init(&m, 1 << 20);
	if (child_enter() < 0)
		return 1;
	while (socket_receive(ROLE_CHILD_SOCKET, &m, UINT64_MAX) == 0) {
		struct {
			struct lines_reply head;
			struct lines_answer answer;
			char strings[1];
		} reply = { .head = { .answer_count = 1, .string_bytes = 1 } };
		uint64_t how;

		memcpy(&how, m.bytes.data + sizeof(struct lines_request), sizeof(how));
		if (how == HANG)
			pause();
		if (how == DIE)
			_exit(1);
		reply.head.status = (uint32_t)how;
		reply.head.flags = (uint32_t)(how >> 32);
		socket_send(ROLE_CHILD_SOCKET, SYMBOLS_MESSAGE_LINES_REPLY, &reply,
			    offsetof(__typeof__(reply), strings) + 1, NULL, 0, UINT64_MAX);
	}
	return 0;
}

/* ---- the agent's ---- */

struct bench {
	struct test_starter starter;
	struct counters counters;
	struct live_names names;
	uint32_t told, told_bytes;
	uint32_t space;
	int file;
};

static void told(void *ctx, enum names_kind kind, uint32_t space, const void *bytes, uint32_t len)
{
	struct bench *b = ctx;

	(void)bytes;
	assert_int_equal(kind, NAMES_LINES);
	assert_int_equal(space, b->space);
	b->told++;
	b->told_bytes = len;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	test_starter_init(&b->starter);
	b->file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_true(b->file >= 0);
	b->space = FIRST_SPACE;
	b->names = (struct live_names){
		.counters = &b->counters, .told = told, .told_ctx = b, .vdso_fd = -1
	};
	assert_int_equal(
		symbols_client_new(&b->names.client, &b->starter.starter, &b->counters, NULL), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	symbols_client_free(b->names.client);
	test_starter_release(&b->starter);
	close(b->file);
	free(b);
	return 0;
}

static int ask(struct bench *b, uint64_t how)
{
	const struct line_files files = { .dwarf = b->file, .alternate = -1 };
	struct lines_answers a;
	struct err err = { "" };
	int r = live_lines_ask(&b->names, b->space, &files, &how, 1, &a, &err);

	if (r < 0 && !*err.text)
		fail_msg("got %d without a sentence", r);
	return r;
}

/* none, bad, unread, late, unasked; failed requests */
static void expect_counters(const struct bench *b, const char *want)
{
	static const enum counter ids[] = { COUNTER_LINES_NONE,    COUNTER_LINES_BAD,
					    COUNTER_LINES_UNREAD,  COUNTER_LINES_LATE,
					    COUNTER_LINES_UNASKED, COUNTER_SYMBOLIZER_FAILED };
	char got[100] = "";
	size_t len = 0;

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		len += (size_t)snprintf(got + len, sizeof(got) - len, "%s%" PRIu64, i ? " " : "",
					counter_get(&b->counters, ids[i]));
	assert_string_equal(got, want);
}

static void each_lack_has_its_counter(void **state)
{
	static const struct {
		uint64_t how;
		int want;
		const char *counters;
	} rows[] = {
		{ SYMBOLS_OK, 0, "0 0 0 0 0 0" },
		{ SYMBOLS_OK | (uint64_t)(LINES_COMPRESSED | LINES_ALTERNATE) << 32, 0,
		  "0 0 0 0 0 0" },
		{ SYMBOLS_NO_TABLE, 0, "1 0 0 0 0 0" },
		{ SYMBOLS_OK | (uint64_t)LINES_DAMAGED << 32, 0, "1 1 0 0 0 0" },
		{ SYMBOLS_OK | (uint64_t)LINES_NO_ALTERNATE << 32, 0, "1 2 0 0 0 0" },
		{ SYMBOLS_LIMIT, 0, "1 2 1 0 0 0" },
		{ SYMBOLS_NOT_ELF, 0, "1 2 2 0 0 0" },
		{ DIE, -EPIPE, "1 2 3 0 0 1" },
	};
	const struct line_files none = LINE_FILES_NONE;
	struct bench *b = *state;
	struct lines_answers a;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		b->space++;
		assert_int_equal(ask(b, rows[i].how), rows[i].want);
		expect_counters(b, rows[i].counters);
	}
	/* What failed is in no recording. */
	assert_int_equal(b->told, 7);
	assert_int_equal(b->told_bytes,
			 sizeof(struct lines_reply) + sizeof(struct lines_answer) + 1);
	assert_int_equal(live_lines_ask(&b->names, b->space, &none, NULL, 0, &a, NULL), -ENOENT);
	expect_counters(b, "2 2 3 0 0 1");
}

/* It is asked about in parts, each of which says the same of it. */
static void a_bad_file_is_counted_once(void **state)
{
	struct bench *b = *state;

	for (int i = 0; i < 3; i++)
		assert_int_equal(ask(b, SYMBOLS_OK | (uint64_t)LINES_SPLIT << 32), 0);
	expect_counters(b, "0 1 0 0 0 0");
	b->space++;
	assert_int_equal(ask(b, SYMBOLS_OK | (uint64_t)LINES_SPLIT << 32), 0);
	expect_counters(b, "0 2 0 0 0 0");
}

/* One that takes too long has what time is left, and then there is none for others; nobody has failed. */
static void the_time_for_all_is_bounded(void **state)
{
	struct bench *b = *state;
	uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC), took_ms;

	assert_int_equal(ask(b, SYMBOLS_OK), 0);
	assert_in_range(b->names.lines_until_ns, begin_ns + NS_PER_S, begin_ns + 10 * NS_PER_S);
	b->names.lines_until_ns = clock_ns(CLOCK_MONOTONIC) + 300 * NS_PER_MS;
	assert_int_equal(ask(b, HANG), -ETIMEDOUT);
	expect_counters(b, "0 0 0 1 0 0");
	assert_int_equal(ask(b, SYMBOLS_OK), -ETIME);
	assert_int_equal(ask(b, SYMBOLS_OK), -ETIME);
	expect_counters(b, "0 0 0 1 2 0");
	took_ms = (clock_ns(CLOCK_MONOTONIC) - begin_ns) / NS_PER_MS;
	assert_in_range(took_ms, 290, 1500);
	assert_int_equal(live_lines_left_ns(&b->names), 0);
}

/* And one file has not all of it. */
static void a_file_has_its_share_of_the_time(void **state)
{
	struct bench *b = *state;
	uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC), took_ms;

	assert_int_equal(ask(b, HANG), -ETIMEDOUT);
	took_ms = (clock_ns(CLOCK_MONOTONIC) - begin_ns) / NS_PER_MS;
	assert_in_range(took_ms, 1900, 3500);
	assert_int_equal(ask(b, SYMBOLS_OK), 0);
	expect_counters(b, "0 0 0 1 0 0");
}

/* ---- nobody waits any longer ---- */

struct impatience {
	struct peer_hurry hurry;
	int pipe[2];
	bool came;
};

/* A "w" says to wait. */
static bool came(void *ctx)
{
	struct impatience *i = ctx;
	char c = 'w';

	while (!i->came && read(i->pipe[0], &c, 1) == 1)
		i->came = c != 'w';
	return i->came;
}

static void impatience_begin(struct impatience *i, struct bench *b)
{
	*i = (struct impatience){ 0 };
	assert_int_equal(pipe2(i->pipe, O_CLOEXEC | O_NONBLOCK), 0);
	i->hurry = (struct peer_hurry){ i, i->pipe[0], came };
	b->names.hurry = &i->hurry;
	symbols_client_on_hurry(b->names.client, &i->hurry);
}

static void impatience_end(struct impatience *i)
{
	close(i->pipe[0]);
	close(i->pipe[1]);
}

static void *hurry_soon(void *ctx)
{
	struct impatience *i = ctx;
	const struct timespec nap = { .tv_nsec = 100 * NS_PER_MS };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
	assert_int_equal(write(i->pipe[1], "ww", 2), 2);
	clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
	assert_int_equal(write(i->pipe[1], "h", 1), 1);
	return NULL;
}

/* A request under way is given up, and then none is begun; nobody has failed. */
static void nobody_waits_any_longer(void **state)
{
	struct bench *b = *state;
	struct line_files found = LINE_FILES_NONE;
	struct impatience impatience;
	pthread_t thread;
	uint64_t begin_ns;

	impatience_begin(&impatience, b);
	assert_int_equal(ask(b, SYMBOLS_OK), 0);
	begin_ns = clock_ns(CLOCK_MONOTONIC);
	assert_int_equal(pthread_create(&thread, NULL, hurry_soon, &impatience), 0);
	assert_int_equal(ask(b, HANG), -ECANCELED);
	assert_in_range((clock_ns(CLOCK_MONOTONIC) - begin_ns) / NS_PER_MS, 200, 1500);
	assert_int_equal(pthread_join(thread, NULL), 0);
	expect_counters(b, "0 0 0 0 1 0");
	assert_int_equal(ask(b, SYMBOLS_OK), -ETIME);
	assert_int_equal(live_lines_find(&b->names, b->space, b->file, &found), -ETIME);
	expect_counters(b, "0 0 0 0 2 0");
	impatience_end(&impatience);
}

/* Whose DWARF nobody looked for isn't said to have none. */
static void what_was_not_looked_for(void **state)
{
	const struct line_files none = LINE_FILES_NONE;
	struct bench *b = *state;
	struct line_files found = LINE_FILES_NONE;
	struct lines_answers a;

	b->names.lines_until_ns = clock_ns(CLOCK_MONOTONIC);
	assert_int_equal(live_lines_find(&b->names, b->space, b->file, &found), -ETIME);
	assert_int_equal(live_lines_ask(&b->names, b->space, &none, NULL, 0, &a, NULL), -ETIME);
	expect_counters(b, "0 0 0 0 1 0");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(each_lack_has_its_counter),   TEST(a_bad_file_is_counted_once),
		TEST(the_time_for_all_is_bounded), TEST(a_file_has_its_share_of_the_time),
		TEST(nobody_waits_any_longer),     TEST(what_was_not_looked_for),
	};

	if (argc > 1 && !strcmp(argv[1], SYMBOLS_ROLE))
		return role_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
