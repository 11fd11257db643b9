// SPDX-License-Identifier: Apache-2.0
/*
 * The openers are this test itself, run with the role as argv[1]: they answer honestly, in the sandbox,
 * unless they are asked about one of the pids below, which say how to fail.
 */
#include "profiler/agent/outside.h"

#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/opener/answer.h"
#include "profiler/opener/protocol.h"
#include "profiler/process/cgroup.h"
#include "profiler/process/maps.h"
#include "profiler/role/role.h"
#include "profiler/role/sandbox.h"
#include "profiler/role/socket.h"
#include "tests/unit/agent_starter.h"
#include "tests/unit/process_fuse.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DEADLINE_NS (400 * NS_PER_MS)

/* Pids that no process has. */
enum {
	DIE = 0x7ead0000,
	HANG,
	OTHER_TYPE,
	NO_RESULT,
	SURPLUS,
	LONG_RESULT,
	NO_ERRNO,
	WITH_FD,
	WITHOUT_FD,
	WRITABLE_FD,
	PATH_FD,
	FOLDER_FD,
	SOCKET_FD,
	TWO_FDS,
	SLOW_WITH_FD,
	UNKNOWN_KIND,
	FAILED_WITH_FD,
	UNSEALED,
	LAST,
};

/* ---- the openers' side ---- */

static void say(uint32_t type, const struct opener_result *result, size_t len, int fd, int second)
{
	const int fds[] = { fd, second };

	socket_send(ROLE_CHILD_SOCKET, type, result, len, fds, (fd >= 0) + (second >= 0),
		    UINT64_MAX);
}

static int descriptor_of(uint32_t how)
{
	switch (how) {
	case WRITABLE_FD:
		return open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	case PATH_FD:
		return open("/proc/self/exe", O_PATH | O_CLOEXEC);
	case FOLDER_FD:
		return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case SOCKET_FD:
		return ROLE_CHILD_SOCKET;
	case WITH_FD:
	case TWO_FDS:
	case SLOW_WITH_FD:
	case UNKNOWN_KIND:
	case FAILED_WITH_FD:
		return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	case UNSEALED:
		return memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	default:
		return -1;
	}
}

static void misbehave(uint32_t how)
{
	struct opener_result result[2] = { { 0 } };
	int fd = descriptor_of(how);
	size_t len = sizeof(*result);

	switch (how) {
	case DIE:
		_exit(1);
	case HANG:
		ppoll(NULL, 0, NULL, NULL);
		_exit(1);
	case NO_RESULT:
		len = 0;
		break;
	case SURPLUS:
		len = 2 * sizeof(*result);
		break;
	case LONG_RESULT:
		result[0].len = UINT32_MAX;
		break;
	case NO_ERRNO:
		result[0].status = INT32_MIN;
		break;
	case SLOW_WITH_FD:
		result[0].status = PROCESS_FILE_SLOW;
		break;
	case UNKNOWN_KIND:
		result[0].status = 4;
		break;
	case FAILED_WITH_FD:
		result[0].status = -ENOENT;
		break;
	}
	say(how == OTHER_TYPE ? OPENER_READ : OPENER_REPLY, result, len, fd,
	    how == TWO_FDS ? fd : -1);
}

static pid_t parent; /* asked for before the sandbox */

/* As the live one, but for who is there: its parent, one that hangs, and its parent. */
static int read_some(void *ctx, enum process_text what, uint32_t pid, struct buffer *out)
{
	if (what != PROCESS_TEXT_PIDS)
		return process_source_live.read(ctx, what, pid, out);
	buffer_printf(out, "%d\n%d\n%d\n", parent, HANG, parent);
	return 0;
}

/* 0: an honest request. */
static uint32_t trap_of(const struct socket_message *m)
{
	const struct opener_text *texts;
	struct file_place place;
	uint32_t count;

	if (m->type == OPENER_READ && opener_texts_parse(&m->bytes, &texts, &count) == 0)
		for (uint32_t i = 0; i < count; i++)
			if (texts[i].pid >= DIE && texts[i].pid < LAST)
				return texts[i].pid;
	if ((m->type == OPENER_OPEN || m->type == OPENER_FETCH) &&
	    opener_place_parse(&m->bytes, &place) == 0 && place.pid >= DIE && place.pid < LAST)
		return place.pid;
	return 0;
}

static int role_main(const char *role)
{
	struct process_source source = process_source_live;
	bool sandboxed = false;
	struct opener_reply reply;
	struct socket_message m;

	source.read = read_some;
	parent = getppid();
	socket_message_init(&m, OPENER_MAX_REQUEST_BYTES);
	opener_reply_init(&reply);
	if (child_enter() < 0)
		return 1;
	while (socket_receive(ROLE_CHILD_SOCKET, &m, UINT64_MAX) == 0) {
		uint32_t trap = trap_of(&m);

		if (trap) {
			misbehave(trap);
			continue;
		}
		if (!sandboxed && sandbox_enter(role_find(role), NULL) < 0)
			return 2;
		sandboxed = true;
		if (opener_answer(&source, !strcmp(role, FETCHER_ROLE), &m, &reply) < 0)
			return 3;
		if (socket_send(ROLE_CHILD_SOCKET, OPENER_REPLY, reply.bytes.data, reply.bytes.len,
				reply.fds, reply.fd_count, UINT64_MAX) < 0)
			return 4;
		opener_reply_clear(&reply);
	}
	opener_reply_release(&reply);
	socket_message_release(&m);
	return 0;
}

/* ---- the agent's ---- */

struct bench {
	struct test_starter starter;
	struct outside *outside;
	const struct process_source *source;
	struct counters counters;
	struct buffer text;
	struct fuse *fuse;
	char dir[64];
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct err err = { "" };

	assert_non_null(b);
	alarm(60);
	test_starter_init(&b->starter);
	assert_int_equal(outside_new(&b->outside, &b->starter.starter, &b->counters, &err), 0);
	assert_int_equal(b->starter.starts, 1);
	b->source = outside_source(b->outside);
	outside_set_deadline(b->outside, DEADLINE_NS);
	buffer_init(&b->text, 1 << 20);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	outside_free(b->outside);
	fuse_stop(b->fuse);
	test_starter_release(&b->starter);
	buffer_release(&b->text);
	if (*b->dir)
		rmdir(b->dir);
	free(b);
	return 0;
}

static uint64_t failures(const struct bench *b)
{
	return counter_get(&b->counters, COUNTER_OPENER_FAILED);
}

static int read_text(struct bench *b, enum process_text what, uint32_t pid)
{
	buffer_clear(&b->text);
	return b->source->read(b->source->ctx, what, pid, &b->text);
}

static void expect_text(struct bench *b, enum process_text what, uint32_t pid)
{
	char want[32];
	int r = read_text(b, what, pid);

	if (r != 0)
		fail_msg("text %d of %u: %s", what, pid, strerror(-r));
	snprintf(want, sizeof(want), "%u (", pid);
	if (what == PROCESS_TEXT_STAT)
		assert_memory_equal(b->text.data, want, strlen(want));
	assert_true(b->text.len > 5);
}

static void expect_honest(struct bench *b)
{
	expect_text(b, PROCESS_TEXT_STAT, (uint32_t)getpid());
}

/* The next request is the first of a new process, which is in no sandbox yet. */
static void renew(struct bench *b, const char *role)
{
	int pid = test_starter_pid(&b->starter, role);
	siginfo_t info;

	if (!pid)
		return;
	kill(pid, SIGKILL);
	/* Its socket is closed by then; the starter, who started it, takes note of its end. */
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
}

static struct file_place own_place(void)
{
	static char path[PATH_MAX];
	struct stat st;

	assert_non_null(realpath("/proc/self/exe", path));
	assert_int_equal(stat("/proc/self/exe", &st), 0);
	return (struct file_place){ .pid = (uint32_t)getpid(),
				    .ino = st.st_ino,
				    .major = major(st.st_dev),
				    .minor = minor(st.st_dev),
				    .path = path };
}

static void texts(void **state)
{
	struct bench *b = *state;
	struct buffer live = BUFFER_INIT(1 << 20), little = BUFFER_INIT(10);
	uint32_t self = (uint32_t)getpid();
	int pid = test_starter_pid(&b->starter, OPENER_ROLE);

	expect_text(b, PROCESS_TEXT_STAT, self);
	expect_text(b, PROCESS_TEXT_MAPS, self);
	expect_text(b, PROCESS_TEXT_STAT, self);
	expect_text(b, PROCESS_TEXT_CGROUP, self);
	expect_text(b, PROCESS_TEXT_ROOT, self);
	assert_int_equal(process_source_live.read(NULL, PROCESS_TEXT_ROOT, self, &live), 0);
	assert_int_equal(b->text.len, live.len);
	assert_memory_equal(b->text.data, live.data, live.len);
	assert_int_equal(read_text(b, PROCESS_TEXT_STAT, 0x7fffffff), -ENOENT);
	/* Cut, as the live source does, and behind what was there. */
	buffer_text(&little, "->");
	assert_int_equal(b->source->read(b->source->ctx, PROCESS_TEXT_MAPS, self, &little), 0);
	assert_int_equal(little.len, 10);
	assert_memory_equal(little.data, "->", 2);
	assert_int_equal(test_starter_pid(&b->starter, OPENER_ROLE), pid);
	assert_int_equal(failures(b), 0);
	buffer_release(&live);
	buffer_release(&little);
}

static void files(void **state)
{
	struct bench *b = *state;
	struct file_place place = own_place();
	int fd = -1;
	char magic[4];

	assert_int_equal(b->source->open(b->source->ctx, &place, &fd), 0);
	assert_int_equal(pread(fd, magic, 4, 0), 4);
	assert_memory_equal(magic, "\177ELF", 4);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(write(fd, magic, 4) < 0);
	fd_close(&fd);
	place.ino++;
	assert_int_equal(b->source->open(b->source->ctx, &place, &fd), -ESTALE);
	place.path = "/no such";
	assert_int_equal(b->source->open(b->source->ctx, &place, &fd), -ENOENT);
	place = own_place();
	assert_int_equal(b->source->fetch(b->source->ctx, &place, &fd), 0);
	assert_int_equal(pread(fd, magic, 4, 0), 4);
	assert_memory_equal(magic, "\177ELF", 4);
	fd_close(&fd);
	assert_int_equal(b->starter.starts, 2);
	assert_int_equal(failures(b), 0);
}

static void kernel(void **state)
{
	struct bench *b = *state;
	int kallsyms = -1, modules = -1;
	struct err err = { "" };
	char line[64] = "";

	assert_int_equal(outside_kernel(b->outside, &kallsyms, &modules, &err), 0);
	assert_true(read(kallsyms, line, sizeof(line) - 1) > 20);
	if (geteuid() == 0)
		assert_int_not_equal(strspn(line, "0 "), 17); /* addresses, not zeros */
	fd_close(&kallsyms);
	fd_close(&modules);
	assert_int_equal(failures(b), 0);
}

static void cgroups(void **state)
{
	struct bench *b = *state;
	struct buffer live = BUFFER_INIT(1 << 20);
	struct cgroup_hierarchy h;

	assert_int_equal(b->source->cgroup(b->source->ctx, "/tmp", "/", &b->text), -EXDEV);
	assert_int_equal(cgroup_hierarchy_choose(&h, NULL), 0);
	if (!*h.mount)
		skip();
	assert_int_equal(b->source->cgroup(b->source->ctx, h.mount, "/", &b->text), 0);
	assert_int_equal(process_source_live.cgroup(NULL, h.mount, "/", &live), 0);
	/* They may come and go: only itself is sure to be the same. */
	assert_true(b->text.len >= 4 && live.len >= 4);
	assert_memory_equal(b->text.data, live.data, strcspn(buffer_cstr(&live), "\n"));
	assert_int_equal(failures(b), 0);
	buffer_release(&live);
}

/* Each costs the request that it happened to, and no other. */
static void bad_texts(void **state)
{
	static const struct {
		uint32_t how;
		int want;
	} rows[] = {
		{ DIE, -EPIPE },        { HANG, -ETIMEDOUT }, { OTHER_TYPE, -EPROTO },
		{ NO_RESULT, -EPROTO }, { SURPLUS, -EPROTO }, { LONG_RESULT, -EPROTO },
		{ NO_ERRNO, -EPROTO },  { WITH_FD, -EPROTO },
	};
	struct bench *b = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		int r = read_text(b, PROCESS_TEXT_CGROUP, rows[i].how);

		if (r != rows[i].want)
			fail_msg("%zu: got %d, want %d", i, r, rows[i].want);
		assert_int_equal(b->text.len, 0);
		assert_int_equal(failures(b), i + 1);
		expect_honest(b);
		renew(b, OPENER_ROLE);
	}
	assert_int_equal(failures(b), COUNT(rows));
}

static void bad_files(void **state)
{
	static const struct {
		uint32_t how;
		int want;
	} rows[] = {
		{ DIE, -EPIPE },           { HANG, -ETIMEDOUT },      { OTHER_TYPE, -EPROTO },
		{ NO_RESULT, -EPROTO },    { SURPLUS, -EPROTO },      { NO_ERRNO, -EPROTO },
		{ WITHOUT_FD, -EPROTO },   { WRITABLE_FD, -EPROTO },  { PATH_FD, -EPROTO },
		{ FOLDER_FD, -EPROTO },    { SOCKET_FD, -EPROTO },    { TWO_FDS, -EPROTO },
		{ SLOW_WITH_FD, -EPROTO }, { UNKNOWN_KIND, -EPROTO }, { FAILED_WITH_FD, -EPROTO },
		{ UNSEALED, -EPROTO },
	};
	struct bench *b = *state;
	struct file_place place = own_place();

	for (size_t i = 0; i < COUNT(rows); i++) {
		int fd = -77, r;

		place.pid = rows[i].how;
		r = b->source->open(b->source->ctx, &place, &fd);
		if (r != rows[i].want || fd != -77)
			fail_msg("row %zu: got %d (fd %d), want %d", i, r, fd, rows[i].want);
		assert_int_equal(failures(b), i + 1);
		expect_honest(b);
		renew(b, OPENER_ROLE);
	}
}

static void bad_copies(void **state)
{
	static const uint32_t hows[] = { WITHOUT_FD, WITH_FD, UNSEALED, SOCKET_FD, SLOW_WITH_FD };
	struct bench *b = *state;
	struct file_place place = own_place();

	for (size_t i = 0; i < COUNT(hows); i++) {
		int fd = -77;

		place.pid = hows[i];
		assert_int_equal(b->source->fetch(b->source->ctx, &place, &fd), -EPROTO);
		assert_int_equal(fd, -77);
		assert_int_equal(failures(b), i + 1);
		place.pid = (uint32_t)getpid();
		assert_int_equal(b->source->fetch(b->source->ctx, &place, &fd), 0);
		fd_close(&fd);
		renew(b, FETCHER_ROLE);
	}
}

static uint64_t since(uint64_t start_ns)
{
	return clock_ns(CLOCK_MONOTONIC) - start_ns;
}

/* Who made it hang is not asked about again. */
static void hung_once(void **state)
{
	struct bench *b = *state;
	struct file_place place = own_place();
	uint64_t start = clock_ns(CLOCK_MONOTONIC);
	int fd = -1;

	assert_int_equal(read_text(b, PROCESS_TEXT_MAPS, HANG), -ETIMEDOUT);
	assert_in_range(since(start), DEADLINE_NS, 2 * DEADLINE_NS);
	start = clock_ns(CLOCK_MONOTONIC);
	place.pid = HANG;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(read_text(b, PROCESS_TEXT_STAT, HANG), -ETIMEDOUT);
		assert_int_equal(b->source->open(b->source->ctx, &place, &fd), -ETIMEDOUT);
		expect_honest(b);
	}
	assert_in_range(since(start), 0, DEADLINE_NS);
	assert_int_equal(failures(b), 1);
}

/* One of those that were foreseen hangs: only it lacks its text. */
static void hung_ahead(void **state)
{
	struct bench *b = *state;
	uint64_t start;

	assert_int_equal(read_text(b, PROCESS_TEXT_PIDS, 0), 0);
	start = clock_ns(CLOCK_MONOTONIC);
	expect_text(b, PROCESS_TEXT_STAT, (uint32_t)getpid());
	assert_in_range(since(start), DEADLINE_NS / 2, DEADLINE_NS);
	assert_int_equal(failures(b), 1);
	assert_int_equal(read_text(b, PROCESS_TEXT_STAT, HANG), -ETIMEDOUT);
	assert_int_equal(failures(b), 2);
	expect_text(b, PROCESS_TEXT_STAT, (uint32_t)getppid());
	assert_int_equal(failures(b), 2);
	assert_in_range(since(start), DEADLINE_NS, 3 * DEADLINE_NS);
}

/* What came ahead needs nobody any more. */
static void read_ahead(void **state)
{
	struct bench *b = *state;
	char list[64];
	int pids = 0;
	uint32_t pid;

	assert_int_equal(read_text(b, PROCESS_TEXT_PIDS, 0), 0);
	snprintf(list, sizeof(list), "%d\n%d\n%d\n", getpid(), HANG, getpid());
	assert_string_equal(buffer_cstr(&b->text), list);
	for (size_t at = 0; process_pids_next(&b->text, &at, &pid);)
		pids++;
	assert_int_equal(pids, 3);
	/* Mappings bring the identity. */
	nanosleep(&(struct timespec){ .tv_nsec = 110000000 }, NULL);
	expect_text(b, PROCESS_TEXT_MAPS, (uint32_t)getpid());
	kill(test_starter_pid(&b->starter, OPENER_ROLE), SIGSTOP);
	expect_honest(b);
	assert_int_equal(failures(b), 0);
	/* Once: the next is of the time of the question. */
	assert_int_equal(read_text(b, PROCESS_TEXT_STAT, (uint32_t)getpid()), -ETIMEDOUT);
	assert_int_equal(failures(b), 1);
}

static void killed_between(void **state)
{
	struct bench *b = *state;

	for (int i = 0; i < 3; i++) {
		expect_honest(b);
		renew(b, OPENER_ROLE);
	}
	assert_int_equal(b->starter.starts, 3);
	assert_int_equal(failures(b), 0);
}

static void refused_start(void **state)
{
	struct bench *b = *state;

	renew(b, OPENER_ROLE);
	b->starter.refuse = -EAGAIN;
	assert_int_equal(read_text(b, PROCESS_TEXT_STAT, (uint32_t)getpid()), -EAGAIN);
	assert_int_equal(failures(b), 0);
	b->starter.refuse = 0;
	nanosleep(&(struct timespec){ .tv_nsec = 110000000 }, NULL);
	expect_honest(b); /* it was nobody's fault */
	b->starter.refuse = -EBUSY;
	assert_int_equal(outside_new(&(struct outside *){ NULL }, &b->starter.starter, &b->counters,
				     NULL),
			 -EBUSY);
}

/* Without room for a descriptor, nobody is to blame for it but us. */
static void no_room(void **state)
{
	struct bench *b = *state;
	struct file_place place = own_place();
	struct rlimit before, none;
	int fd = -1;

	expect_honest(b);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(b->source->open(b->source->ctx, &place, &fd), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(b->source->open(b->source->ctx, &place, &fd), 0);
	fd_close(&fd);
	assert_int_equal(failures(b), 0);
	assert_int_equal(b->starter.starts, 1);
}

/* The mapping of the file that `pid` runs; false until it does. */
static bool running_place(struct bench *b, uint32_t pid, struct file_place *ret)
{
	static struct maps_line line;

	buffer_clear(&b->text);
	if (process_source_live.read(NULL, PROCESS_TEXT_MAPS, pid, &b->text) < 0)
		return false;
	for (size_t at = 0, used; at < b->text.len; at += used) {
		if (maps_line_parse(b->text.data + at, b->text.len - at, &line, &used) < 0 ||
		    !line.executable || strcmp(line.path, b->fuse->path) != 0)
			continue;
		*ret = (struct file_place){ .pid = pid,
					    .start = line.start,
					    .end = line.end,
					    .ino = line.ino,
					    .major = line.major,
					    .minor = line.minor,
					    .path = line.path };
		return true;
	}
	return false;
}

/* A binary of a file system that stops answering costs its fetcher and its names, once. */
static void fuse(void **state)
{
	struct bench *b = *state;
	struct file_place place;
	uint64_t start;
	int fd = -77;

	snprintf(b->dir, sizeof(b->dir), "/tmp/agent_outside.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	b->fuse = fuse_start(b->dir);
	for (int i = 0; b->fuse && !running_place(b, (uint32_t)b->fuse->runner, &place); i++) {
		usleep(1000);
		assert_in_range(i, 0, 5000);
	}
	if (!b->fuse) {
		skip();
		return;
	}
	assert_int_equal(b->source->open(b->source->ctx, &place, &fd), PROCESS_FILE_SLOW);
	assert_int_equal(fd, -1);
	assert_int_equal(b->source->fetch(b->source->ctx, &place, &fd), 0);
	fd_close(&fd);

	b->fuse->silent = true;
	start = clock_ns(CLOCK_MONOTONIC);
	assert_int_equal(b->source->open(b->source->ctx, &place, &fd), PROCESS_FILE_SLOW);
	assert_in_range(since(start), 0, DEADLINE_NS / 2);
	place.start = 0; /* by name, which has to be looked up again */
	start = clock_ns(CLOCK_MONOTONIC);
	assert_int_equal(b->source->fetch(b->source->ctx, &place, &fd), -ETIMEDOUT);
	assert_in_range(since(start), DEADLINE_NS, 2 * DEADLINE_NS);
	start = clock_ns(CLOCK_MONOTONIC);
	assert_int_equal(b->source->fetch(b->source->ctx, &place, &fd), -ETIMEDOUT);
	place.pid = 1; /* another process, the same file system */
	assert_int_equal(b->source->fetch(b->source->ctx, &place, &fd), -ETIMEDOUT);
	place = own_place();
	assert_int_equal(b->source->fetch(b->source->ctx, &place, &fd), 0);
	fd_close(&fd);
	expect_honest(b);
	assert_in_range(since(start), 0, DEADLINE_NS);
	assert_int_equal(failures(b), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(texts),      TEST(files),      TEST(kernel),         TEST(cgroups),
		TEST(bad_texts),  TEST(bad_files),  TEST(bad_copies),     TEST(hung_once),
		TEST(hung_ahead), TEST(read_ahead), TEST(killed_between), TEST(refused_start),
		TEST(no_room),    TEST(fuse),
	};

	if (argc > 1)
		return role_main(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
