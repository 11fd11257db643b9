// SPDX-License-Identifier: Apache-2.0
/*
 * Samples of one process in two binaries, whose lines come while it is sampled. The symbolizer is
 * this test itself, run with the role as argv[1]: what it does is the first byte of the file that
 * it is handed.
 */
#include "profiler/agent/background_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf/record.h"
#include "profiler/agent/resolve.h"
#include "profiler/role/socket.h"
#include "tests/unit/agent_starter.h"

#define PID 100
#define BINARY 0x1000000ULL
#define LIBRARY 0x2000000ULL
#define VADDR_BIAS 0x400000ULL
#define S NS_PER_S
#define BURN_NS (150 * NS_PER_MS)
#define BURST_NS (20 * NS_PER_MS)

enum behaviour {
	ANSWERS = 'a',
	DIES = 'd',
	HANGS = 'h',
	BURNS = 'b', /* CPU time, and answers then */
	LIES = 'l',
	HAS_NONE = 'n',
};

/* ---- the symbolizer's side ---- */

static void burn(void)
{
	struct timespec t;

	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	while ((uint64_t)t.tv_sec * S + (uint64_t)t.tv_nsec < BURN_NS);
}

/* "fold" (fold.h:7), inlined into what DWARF calls "outer" (spin.c:12). */
static void answer(uint32_t count, enum behaviour how)
{
	static const char strings[] = "\0fold\0fold.h\0outer\0spin.c";
	static const struct lines_place chain[] = { { 1, 1, 6, 7 }, { 13, 13, 19, 12 } };
	struct lines_reply head = { .answer_count = count,
				    .place_count = how == HAS_NONE ? 0 : 2 * count,
				    .string_bytes = sizeof(strings),
				    .status = how == HAS_NONE ? SYMBOLS_NO_TABLE : SYMBOLS_OK };
	struct buffer b = BUFFER_INIT(1 << 20);

	buffer_append(&b, &head, sizeof(head));
	for (uint32_t i = 0; i < count; i++)
		buffer_append(&b,
			      &(struct lines_answer){ 2 * i, how == HAS_NONE ? 0
							     : how == LIES   ? 3
									     : 2 },
			      sizeof(struct lines_answer));
	for (uint32_t i = 0; i < count && how != HAS_NONE; i++)
		buffer_append(&b, chain, sizeof(chain));
	buffer_append(&b, strings, sizeof(strings));
	socket_send(ROLE_CHILD_SOCKET, SYMBOLS_MESSAGE_LINES_REPLY, b.data, b.len, NULL, 0,
		    UINT64_MAX);
	buffer_release(&b);
}

static int role_main(void)
{
	struct socket_message m;

	socket_message_init(&m, 1 << 20);
	if (child_enter() < 0)
		return 1;
	while (socket_receive(ROLE_CHILD_SOCKET, &m, UINT64_MAX) == 0) {
		struct lines_request request;
		char how = 0;

		memcpy(&request, m.bytes.data, sizeof(request));
		if (pread(m.fds[0], &how, 1, 0) != 1 || how == DIES)
			_exit(1);
		if (how == HANGS)
			pause();
		if (how == BURNS)
			burn();
		answer(request.count, (enum behaviour)how);
	}
	socket_message_release(&m);
	return 0;
}

/* ---- a machine ---- */

static int machine_read(void *ctx, enum process_text what, uint32_t pid, struct buffer *out)
{
	(void)ctx;
	if (what == PROCESS_TEXT_PIDS)
		buffer_text(out, "100\n");
	else if (what == PROCESS_TEXT_MAPS && pid == PID)
		buffer_text(out, "1000000-1200000 r-xp 00000000 fe:00 77 /bin/spin\n"
				 "2000000-2200000 r-xp 00000000 fe:00 78 /lib/libspin.so\n");
	else
		return -ENOENT;
	return buffer_error(out);
}

/* What is in both files; in memory, which is nowhere where it could be held for long. */
static char behaviour;

static int machine_open(void *ctx, const struct file_place *place, int *ret_fd)
{
	(void)ctx;
	(void)place;
	*ret_fd = memfd_create("spin", MFD_CLOEXEC);
	assert_int_equal(pwrite(*ret_fd, &behaviour, 1, 0), 1);
	return 0;
}

static const struct process_source machine = { .read = machine_read, .open = machine_open };

/* One segment, and the symbol "spin" all over it. */
static int names_ask(void *ctx, uint32_t space, int fd, const uint64_t *addresses, uint32_t count,
		     struct symbols *ret, struct err *err)
{
	static const char strings[] = "\0spin\0_Z4spinv";
	static const struct symbol_function function = { VADDR_BIAS, 0x200000, 1, 6 };
	static const struct symbol_module module = { VADDR_BIAS, VADDR_BIAS + 0x200000, 0, 0, 0 };
	static struct symbol_answer answers[4096];
	static struct symbol_reply reply;

	(void)ctx;
	(void)space;
	(void)fd;
	(void)err;
	assert_true(count <= 4096);
	for (uint32_t i = 0; i < count; i++)
		answers[i] = (struct symbol_answer){ addresses[i] + VADDR_BIAS, 0, 0 };
	reply = (struct symbol_reply){ .answer_count = count,
				       .function_count = 1,
				       .module_count = 1 };
	*ret = (struct symbols){ &reply, answers, &function, &module, strings };
	return 0;
}

static int lines_find(void *ctx, uint32_t space, int fd, struct line_files *ret)
{
	uint32_t *finds = ctx;

	(void)space;
	++*finds;
	ret->dwarf = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return 0;
}

/* ---- what is tested ---- */

struct fixture {
	struct test_starter starter;
	struct pipeline pipeline;
	struct profile profile;
	struct profile_facts facts;
	struct resolver *resolver;
	struct name_source names;
	struct background_lines *lines;
	uint32_t finds;
	uint64_t now_ns;
};

static int setup(void **state)
{
	static const struct cgroup_hierarchy no_hierarchy;
	struct fixture *f = calloc(1, sizeof(*f));
	struct background_lines_config config;

	assert_non_null(f);
	behaviour = ANSWERS;
	f->now_ns = 100 * S;
	f->names = (struct name_source){
		.ctx = &f->finds, .ask = names_ask, .ask_late = names_ask, .find_lines = lines_find
	};
	f->facts = (struct profile_facts){ .value_unit = "nanoseconds", .period = 10 };
	test_starter_init(&f->starter);
	assert_int_equal(pipeline_init(&f->pipeline, &machine, &no_hierarchy, NULL, NULL), 0);
	assert_int_equal(resolver_new(&f->resolver, &f->pipeline, &f->names, &f->profile), 0);
	config = (struct background_lines_config){ .starter = &f->starter.starter,
						   .service = -1,
						   .names = &f->names,
						   .counters = &f->pipeline.counters,
						   .naming = resolver_naming(f->resolver),
						   .held = resolver_held(f->resolver),
						   .burst_ns = BURST_NS };
	assert_int_equal(background_lines_new(&f->lines, &config), 0);
	resolver_read_lines(f->resolver, f->lines);
	assert_int_equal(process_table_scan(f->pipeline.processes, f->now_ns), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	background_lines_free(f->lines);
	resolver_free(f->resolver);
	profile_release(&f->profile);
	pipeline_release(&f->pipeline);
	test_starter_release(&f->starter);
	free(f);
	return 0;
}

static void sample(struct fixture *f, uint64_t addr)
{
	struct {
		struct record_sample s;
		uint64_t frames[1];
	} s = { .s = { .time_ns = ++f->now_ns,
		       .start_ns = 500,
		       .value = 1,
		       .tgid = PID,
		       .tid = PID,
		       .user_frames = 1 },
		.frames = { addr } };

	assert_int_equal(batch_add(f->pipeline.batch, BATCH_SAMPLE, &s, sizeof(s)), 0);
	pipeline_run(&f->pipeline, f->now_ns);
}

/* What was sampled is a window; time has gone on. */
static void cut(struct fixture *f)
{
	assert_int_equal(resolver_cut(f->resolver, &f->facts), 0);
	f->now_ns += 10 * S;
	window_clear_samples(&f->pipeline.window, f->now_ns);
}

/* Drains, without samples, until no question is under way or may be asked; time stands still. */
static void settle(struct fixture *f)
{
	const struct timespec nap = { .tv_nsec = NS_PER_MS };

	for (uint32_t i = 0; i < 5000; i++) {
		background_lines_poll(f->lines, f->now_ns);
		if (background_lines_idle(f->lines))
			return;
		nanosleep(&nap, NULL);
	}
	fail_msg("no answer");
}

static uint64_t counted(const struct fixture *f, enum counter c)
{
	return counter_get(&f->pipeline.counters, c);
}

/* "fold fold.h:7 < spin spin.c:12", of a location. */
static const char *frames_of(const struct profile *p, uint32_t location)
{
	static char text[512];
	const struct profile_location *l = &p->locations.items[location];
	size_t len = 0;

	assert_true(location < p->locations.count);
	for (uint32_t j = 0; j < l->line_count; j++) {
		const struct profile_line *line = &p->lines.items[l->first_line + j];
		const struct profile_function *fn = &p->functions.items[line->function];

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %s:%u",
					j ? " < " : "", profile_text(p, fn->name),
					profile_text(p, fn->file), line->line);
	}
	return text;
}

#define WITHOUT_LINES "spin :0"
#define WITH_LINES "fold fold.h:7 < spin spin.c:12"

static void lines_come_later(void **state)
{
	struct fixture *f = *state;

	sample(f, BINARY + 0x10);
	sample(f, BINARY + 0x20);
	cut(f);
	assert_int_equal(f->starter.starts, 0); /* nobody waits, and nobody has asked */
	assert_string_equal(frames_of(&f->profile, 0), WITHOUT_LINES);
	settle(f);
	assert_string_equal(frames_of(&f->profile, 0), WITH_LINES);
	assert_string_equal(frames_of(&f->profile, 1), WITH_LINES);
	assert_int_equal(f->profile.amended.count, 2);
	assert_int_equal(f->starter.starts, 1);

	/* The same again, and what is new: the same locations, and one more. */
	sample(f, BINARY + 0x10);
	sample(f, BINARY + 0x30);
	cut(f);
	assert_int_equal(f->profile.locations.count, 3);
	assert_int_equal(profile_total_count(&f->profile), 2);
	settle(f);
	assert_string_equal(frames_of(&f->profile, 2), WITH_LINES);
	assert_int_equal(f->profile.amended.count, 3);
	assert_int_equal(f->starter.starts, 1);
}

/* What is little waits for the minute to be over. */
static void a_few_new_ones_wait(void **state)
{
	struct fixture *f = *state;

	sample(f, BINARY);
	cut(f);
	settle(f);
	for (uint32_t i = 0; i < 100; i++)
		sample(f, BINARY);
	sample(f, BINARY + 0x10);
	cut(f);
	settle(f);
	assert_string_equal(frames_of(&f->profile, 1), WITHOUT_LINES);
	assert_int_equal(f->finds, 1);
	f->now_ns += 60 * S;
	settle(f);
	assert_string_equal(frames_of(&f->profile, 1), WITH_LINES);
}

/* More than a question holds; and the hottest file first. */
static void many(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < 3000; i++)
		sample(f, BINARY + i);
	sample(f, LIBRARY);
	cut(f);
	background_lines_poll(f->lines, f->now_ns);
	assert_int_equal(f->finds, 1);
	settle(f);
	assert_int_equal(f->finds, 2);
	for (uint32_t i = 0; i < 3001; i++)
		assert_string_equal(frames_of(&f->profile, i), WITH_LINES);
	assert_int_equal(f->starter.starts, 1);
}

/* What breaks it is tried twice, and others are not at fault. */
static void a_file_that_fails(void **state)
{
	static const struct {
		char how;
		enum counter counter;
		uint32_t starts, counts, failed;
	} rows[] = {
		{ DIES, COUNTER_LINES_UNREAD, 2, 2, 2 },
		{ LIES, COUNTER_LINES_UNREAD, 2, 2, 2 },
		{ HANGS, COUNTER_LINES_LATE, 2, 2, 0 },
		{ HAS_NONE, COUNTER_LINES_NONE, 1, 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture *f;
		void *fresh;

		setup(&fresh);
		f = fresh;
		behaviour = rows[i].how;
		for (uint32_t round = 0; round < 4; round++) {
			sample(f, BINARY);
			sample(f, BINARY + 0x10 * round);
			cut(f);
			background_lines_poll(f->lines, f->now_ns);
			if (rows[i].how == HANGS)
				f->now_ns += 301 * S;
			settle(f);
		}
		assert_string_equal(frames_of(&f->profile, 0), WITHOUT_LINES);
		assert_int_equal(f->starter.starts, rows[i].starts);
		assert_int_equal(counted(f, rows[i].counter), rows[i].counts);
		assert_int_equal(counted(f, COUNTER_SYMBOLIZER_FAILED), rows[i].failed);
		behaviour = ANSWERS;
		sample(f, LIBRARY);
		cut(f);
		settle(f);
		assert_string_equal(frames_of(&f->profile, f->profile.locations.count - 1),
				    WITH_LINES);
		teardown(&fresh);
	}
}

/*
 * CPU time that was spent beyond what there was has to be earned before there is another question.
 */
static void it_costs_no_more_than_its_share(void **state)
{
	struct fixture *f = *state;

	behaviour = BURNS;
	sample(f, BINARY);
	sample(f, BINARY + 0x10);
	sample(f, LIBRARY);
	cut(f);
	settle(f);
	assert_string_equal(frames_of(&f->profile, 0), WITH_LINES);
	assert_string_equal(frames_of(&f->profile, 2), WITHOUT_LINES);
	/* Of 130 ms 10 s earn 100. */
	sample(f, LIBRARY);
	cut(f);
	settle(f);
	assert_string_equal(frames_of(&f->profile, 2), WITHOUT_LINES);
	sample(f, LIBRARY);
	cut(f);
	settle(f);
	assert_string_equal(frames_of(&f->profile, 2), WITH_LINES);
}

/* Answers of an epoch are not another's; what failed in the one may be tried in the other. */
static void an_epoch_ends_while_it_is_asked(void **state)
{
	struct fixture *f = *state;
	struct profile before;

	behaviour = BURNS;
	sample(f, BINARY + 0x10);
	cut(f);
	background_lines_poll(f->lines, f->now_ns);
	assert_false(background_lines_idle(f->lines));
	assert_int_equal(resolver_turn(f->resolver, f->now_ns, &before), 0);
	sample(f, LIBRARY + 0x10);
	cut(f);
	settle(f);
	assert_string_equal(frames_of(&before, 0), WITHOUT_LINES);
	assert_int_equal(before.amended.count, 0);
	assert_string_equal(frames_of(&f->profile, 0), WITHOUT_LINES);
	f->now_ns += 60 * S;
	sample(f, LIBRARY + 0x10);
	cut(f);
	settle(f);
	assert_string_equal(frames_of(&f->profile, 0), WITH_LINES);
	profile_release(&before);
}

static bool has_ended(struct fixture *f)
{
	const struct timespec nap = { .tv_nsec = NS_PER_MS };
	struct child *c = test_starter_child(&f->starter, BACKGROUND_SYMBOLS_ROLE);

	for (uint32_t i = 0; i < 3000; i++) {
		if (child_ended(c, NULL, NULL))
			return true;
		nanosleep(&nap, NULL);
	}
	return false;
}

static void it_goes_when_it_is_idle(void **state)
{
	struct fixture *f = *state;

	sample(f, BINARY);
	cut(f);
	settle(f);
	f->now_ns += 9 * S;
	background_lines_poll(f->lines, f->now_ns);
	assert_int_equal(kill(test_starter_pid(&f->starter, BACKGROUND_SYMBOLS_ROLE), 0), 0);
	f->now_ns += 2 * S;
	background_lines_poll(f->lines, f->now_ns);
	assert_true(has_ended(f));
	/* Another one is there when it is needed. */
	f->now_ns += 60 * S;
	sample(f, BINARY + 0x10);
	cut(f);
	settle(f);
	assert_string_equal(frames_of(&f->profile, 1), WITH_LINES);
	assert_int_equal(f->starter.starts, 2);
}

/*
 * Nobody maps it any more, and it is in somebody's way: its lines come at once, and nothing of it
 * stays open.
 */
static void what_is_let_go_is_asked_at_once(void **state)
{
	struct fixture *f = *state;

	sample(f, BINARY + 0x10);
	assert_int_equal(resolver_let_go(f->resolver, f->now_ns), 0);
	process_table_exec(f->pipeline.processes, f->now_ns, PID);
	f->now_ns += 6 * S;
	assert_int_equal(resolver_let_go(f->resolver, f->now_ns), 0);
	assert_int_equal(file_table_pinned(f->pipeline.files), 0);
	assert_int_equal(resolver_held(f->resolver)->count, 1);
	f->now_ns = clock_ns(CLOCK_MONOTONIC);
	settle(f);
	assert_int_equal(resolver_held(f->resolver)->count, 0);
	assert_int_equal(counted(f, COUNTER_LINES_LET_GO), 0);
	cut(f);
	assert_string_equal(frames_of(&f->profile, 0), WITH_LINES);
	assert_int_equal(f->profile.amended.count, 0); /* it was no location yet */
}

/* One that doesn't answer holds nothing for longer. */
static void what_is_let_go_is_let_go(void **state)
{
	struct fixture *f = *state;

	behaviour = HANGS;
	sample(f, BINARY + 0x10);
	assert_int_equal(resolver_let_go(f->resolver, f->now_ns), 0);
	process_table_exec(f->pipeline.processes, f->now_ns, PID);
	f->now_ns += 6 * S;
	assert_int_equal(resolver_let_go(f->resolver, f->now_ns), 0);
	f->now_ns = clock_ns(CLOCK_MONOTONIC);
	background_lines_poll(f->lines, f->now_ns);
	assert_false(background_lines_idle(f->lines));
	f->now_ns += HELD_BRIEFLY_NS;
	settle(f);
	held_review(resolver_held(f->resolver), f->now_ns);
	assert_int_equal(resolver_held(f->resolver)->count, 0);
	assert_int_equal(counted(f, COUNTER_LINES_LATE), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(lines_come_later),
		TEST(a_few_new_ones_wait),
		TEST(many),
		cmocka_unit_test(a_file_that_fails),
		TEST(it_costs_no_more_than_its_share),
		TEST(an_epoch_ends_while_it_is_asked),
		TEST(it_goes_when_it_is_idle),
		TEST(what_is_let_go_is_asked_at_once),
		TEST(what_is_let_go_is_let_go),
	};

	if (argc == 2 && !strcmp(argv[1], BACKGROUND_SYMBOLS_ROLE))
		return role_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
