// SPDX-License-Identifier: Apache-2.0
/*
 * What is asked of the cache for a file, and what becomes of an answer. The supervisor is a thread here, with a cache in
 * a directory of the test's; its leader and the symbolizer are this program.
 */
#include "profiler/agent/line_index.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/agent/symbols.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/role/child.h"
#include "profiler/role/role.h"
#include "profiler/role/sandbox.h"
#include "profiler/role/supervisor.h"
#include "symbolizer/protocol.h"

struct fixture {
	char base[64], path[80];
	struct cache *cache;
	struct supervisor *supervisor;
	int leader, service;
	pthread_t thread;
	bool ends;
	struct counters counters;
	struct line_index index;
	int file; /* settled */
};

static void *serve(void *ctx)
{
	struct fixture *f = ctx;

	while (!__atomic_load_n(&f->ends, __ATOMIC_ACQUIRE)) { /* pairs with teardown()'s */
		struct pollfd p = { .fd = supervisor_fd(f->supervisor), .events = POLLIN };

		if (poll(&p, 1, 5) > 0 && supervisor_serve(f->supervisor) < 0)
			break;
	}
	return NULL;
}

static int file_new(const struct fixture *f, const char *name)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", f->base, name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, name, strlen(name)), strlen(name));
	return fd;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err = { "" };

	assert_non_null(f);
	snprintf(f->base, sizeof(f->base), "/tmp/slowburn-line-index.XXXXXX");
	assert_non_null(mkdtemp(f->base));
	snprintf(f->path, sizeof(f->path), "%s/cache", f->base);
	assert_int_equal(cache_open(&f->cache, f->path, CACHE_DEFAULT_BYTES, NULL), 0);
	supervisor_new(&f->supervisor, NULL, &err);
	supervisor_lead(f->supervisor, "agent", &f->leader, &f->service, &err);
	assert_string_equal(err.text, "");
	supervisor_keep_cache(f->supervisor, f->cache, "");
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
	line_index_init(&f->index, f->service, &f->counters);
	f->file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	*state = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	line_index_release(&f->index);
	__atomic_store_n(&f->ends, true, __ATOMIC_RELEASE); /* pairs with serve()'s */
	pthread_join(f->thread, NULL);
	fd_close(&f->leader);
	fd_close(&f->service);
	supervisor_free(f->supervisor);
	cache_free(f->cache);
	close(f->file);
	assert_int_equal(nftw(f->base, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	free(f);
	return 0;
}

static uint32_t begin(struct fixture *f, const int *files, uint32_t count, int *fds)
{
	uint32_t fd_count = 0, with = line_index_begin(&f->index, files, count, fds, &fd_count);

	assert_int_equal(fd_count, 1 + __builtin_popcount(with));
	return with;
}

static void end(struct fixture *f, const int *files, uint32_t count, uint32_t flags, bool failed)
{
	line_index_end(&f->index, files, count, flags, failed);
}

static uint64_t counted(const struct fixture *f, enum counter id)
{
	return counter_get(&f->counters, id);
}

/* As if the symbolizer had made one for these. */
static void make(struct fixture *f, const int *files, uint32_t count)
{
	int fds[SOCKET_MAX_FDS];
	uint32_t with = begin(f, files, count, fds);

	assert_true(with & LINES_WITH_ROOM);
	assert_int_equal(write(f->index.room, "index", 5), 5);
	end(f, files, count, LINES_INDEX_MADE | LINES_INDEX_WRITTEN, false);
}

static void test_kept_and_found(void **state)
{
	struct fixture *f = *state;
	int fds[SOCKET_MAX_FDS];
	char want[200], text[8] = "";

	assert_int_equal(begin(f, &f->file, 1, fds), LINES_WITH_ROOM);
	assert_int_equal(fds[0], f->file);
	end(f, &f->file, 1, 0, false); /* it was on the shelf */
	assert_string_equal(f->index.result, "");
	make(f, &f->file, 1);
	snprintf(want, sizeof(want), "made, and kept in %s", f->path);
	assert_string_equal(f->index.result, want);
	assert_int_equal(begin(f, &f->file, 1, fds), LINES_WITH_INDEX | LINES_WITH_ROOM);
	assert_int_equal(pread(fds[1], text, sizeof(text), 0), 5);
	assert_string_equal(text, "index");
	end(f, &f->file, 1, LINES_INDEX_USED, false);
	snprintf(want, sizeof(want), "used, from %s", f->path);
	assert_string_equal(f->index.result, want);
	assert_int_equal(counted(f, COUNTER_LINE_INDEXES_MADE), 1);
	assert_int_equal(counted(f, COUNTER_LINE_INDEXES_USED), 1);
	assert_int_equal(counted(f, COUNTER_LINE_INDEXES_BAD), 0);
	assert_int_equal(counted(f, COUNTER_LINE_INDEXES_UNKEPT), 0);
}

/* With an alternate file it is another index, and with another one, too. */
static void test_alternate(void **state)
{
	struct fixture *f = *state;
	int one = file_new(f, "one"), other = file_new(f, "other");
	const int with_one[] = { f->file, one }, with_other[] = { f->file, other };
	int fds[SOCKET_MAX_FDS];

	usleep(1100000);
	make(f, with_one, 2);
	assert_int_equal(begin(f, with_one, 2, fds), LINES_WITH_ALL);
	assert_int_equal(fds[1], one);
	end(f, with_one, 2, 0, false);
	assert_int_equal(begin(f, with_other, 2, fds), LINES_WITH_ALTERNATE | LINES_WITH_ROOM);
	end(f, with_other, 2, 0, false);
	assert_int_equal(begin(f, &f->file, 1, fds), LINES_WITH_ROOM);
	end(f, &f->file, 1, 0, false);
	close(one);
	close(other);
}

/* What may change unnoticed, or will not be met again, is not asked about. */
static void test_unsettled(void **state)
{
	struct fixture *f = *state;
	int fresh = file_new(f, "fresh"), memory = memfd_create("copy", MFD_CLOEXEC);
	int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fds[SOCKET_MAX_FDS];
	char path[160];

	assert_int_equal(begin(f, &fresh, 1, fds), 0);
	end(f, &fresh, 1, LINES_INDEX_MADE, false);
	assert_string_equal(f->index.result,
			    "made, and not kept: the file has just changed, or has no name");
	assert_int_equal(begin(f, &folder, 1, fds), 0);
	end(f, &folder, 1, 0, false);
	usleep(1100000);
	assert_int_equal(begin(f, &memory, 1, fds), 0);
	end(f, &memory, 1, 0, false);
	assert_int_equal(begin(f, &fresh, 1, fds), LINES_WITH_ROOM); /* now it is */
	assert_int_equal(write(f->index.room, "index", 5), 5);
	assert_int_equal(write(fresh, "more", 4), 4); /* while it was read */
	end(f, &fresh, 1, LINES_INDEX_MADE | LINES_INDEX_WRITTEN, false);
	assert_string_equal(f->index.result,
			    "made, and not kept: the file has just changed, or has no name");
	snprintf(path, sizeof(path), "%s/fresh", f->base);
	assert_int_equal(unlink(path), 0);
	usleep(1100000);
	assert_int_equal(begin(f, &fresh, 1, fds), 0); /* deleted */
	end(f, &fresh, 1, 0, false);
	close(fresh);
	close(memory);
	close(folder);
}

/* One that was no good, and one over which the symbolizer failed, are gone. */
static void test_bad(void **state)
{
	struct fixture *f = *state;
	int fds[SOCKET_MAX_FDS];

	make(f, &f->file, 1);
	assert_true(begin(f, &f->file, 1, fds) & LINES_WITH_INDEX);
	end(f, &f->file, 1, LINES_INDEX_BAD | LINES_INDEX_MADE, false); /* made, not written */
	assert_int_equal(counted(f, COUNTER_LINE_INDEXES_BAD), 1);
	assert_int_equal(counted(f, COUNTER_LINE_INDEXES_UNKEPT), 1);
	assert_int_equal(begin(f, &f->file, 1, fds), LINES_WITH_ROOM);
	end(f, &f->file, 1, 0, false);
	make(f, &f->file, 1);
	assert_true(begin(f, &f->file, 1, fds) & LINES_WITH_INDEX);
	end(f, &f->file, 1, 0, true);
	assert_int_equal(counted(f, COUNTER_LINE_INDEXES_BAD), 2);
	assert_int_equal(begin(f, &f->file, 1, fds), LINES_WITH_ROOM);
	end(f, &f->file, 1, 0, true); /* there was none that could be at fault */
	assert_int_equal(counted(f, COUNTER_LINE_INDEXES_BAD), 2);
}

/* It says that it wrote, and has not. */
static void test_liar(void **state)
{
	struct fixture *f = *state;
	int fds[SOCKET_MAX_FDS];

	assert_int_equal(begin(f, &f->file, 1, fds), LINES_WITH_ROOM);
	end(f, &f->file, 1, LINES_INDEX_MADE | LINES_INDEX_WRITTEN, false);
	assert_int_equal(counted(f, COUNTER_LINE_INDEXES_UNKEPT), 1);
	assert_int_equal(begin(f, &f->file, 1, fds),
			 LINES_WITH_ROOM); /* asked again all the same */
	assert_int_equal(ftruncate(f->index.room, 4L << 30), 0);
	end(f, &f->file, 1, LINES_INDEX_MADE | LINES_INDEX_WRITTEN, false);
	assert_int_equal(counted(f, COUNTER_LINE_INDEXES_UNKEPT), 2);
}

static void test_no_cache(void **state)
{
	struct fixture *f = *state;
	int fds[SOCKET_MAX_FDS];

	supervisor_keep_cache(f->supervisor, NULL, "somebody said no");
	assert_int_equal(begin(f, &f->file, 1, fds), 0);
	assert_int_equal(f->index.service, -1);
	end(f, &f->file, 1, LINES_INDEX_MADE, false);
	assert_string_equal(f->index.result, "made, and not kept: somebody said no");
	assert_int_equal(counted(f, COUNTER_LINE_INDEXES_UNKEPT), 0);
}

/* A supervisor that gives no answer costs its deadline once. */
static void test_silence(void **state)
{
	struct fixture *f = *state;
	int fds[SOCKET_MAX_FDS];
	uint64_t start_ns, ns;

	__atomic_store_n(&f->ends, true, __ATOMIC_RELEASE); /* pairs with serve()'s */
	pthread_join(f->thread, NULL);
	start_ns = clock_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(begin(f, &f->file, 1, fds), 0);
		end(f, &f->file, 1, LINES_INDEX_MADE, false);
		assert_string_equal(f->index.result, "made, and not kept: the cache has failed: "
						     "Connection timed out");
	}
	ns = clock_ns(CLOCK_MONOTONIC) - start_ns;
	assert_true(ns >= SERVICE_CACHE_DEADLINE_NS && ns < 2 * SERVICE_CACHE_DEADLINE_NS);
	f->ends = false;
	assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
}

/* ---- with a symbolizer in its sandbox ---- */

static int start(void *ctx, const char *role, struct started *ret, struct err *err)
{
	static struct child child = { .socket = -1 };
	int r;

	(void)ctx;
	if (child.pid)
		child_kill(&child, 100 * NS_PER_MS, NULL);
	r = child_start(&child, role, err);
	if (r == 0)
		*ret = (struct started){ .socket = take_fd(&child.socket), .pid = child.pid };
	return r;
}

static const char *asked(struct symbols_client *c, int file, int *ret)
{
	const uint64_t address = 0x1000;
	struct lines_answers a;
	struct err err;

	*ret = symbols_client_lines(c, &file, 1, &address, 1, 20 * NS_PER_S, &a, &err);
	return symbols_client_index(c);
}

/* A new symbolizer each time, which then can't have it still. */
static void expect_index(struct fixture *f, const char *want)
{
	const struct starter starter = { .start = start };
	struct symbols_client *c;
	const char *is;
	int r;

	assert_int_equal(symbols_client_new(&c, &starter, &f->counters, NULL), 0);
	symbols_client_keep_indexes(c, f->service);
	is = asked(c, f->file, &r);
	assert_int_equal(r, 0);
	if (strncmp(is, want, strlen(want)) != 0)
		fail_msg("is \"%s\", should be \"%s\"", is, want);
	assert_string_equal(asked(c, f->file, &r), "");
	symbols_client_free(c);
}

/* In the process that is to do it: it may write to what it is handed, and map it. */
static void test_sandbox(void **state)
{
	struct fixture *f = *state;

	expect_index(f, "made, and kept in ");
	expect_index(f, "used, from ");
}

/* Cut short after it was mapped: the request is lost, and the next symbolizer finds nothing. */
static void test_cut_under_it(void **state)
{
	const struct starter starter = { .start = start };
	struct fixture *f = *state;
	struct symbols_client *c;
	char path[400];
	int r;

	expect_index(f, "made, and kept in ");
	assert_int_equal(symbols_client_new(&c, &starter, &f->counters, NULL), 0);
	symbols_client_keep_indexes(c, f->service);
	assert_true(!strncmp(asked(c, f->file, &r), "used, from ", 11));
	{
		int fds[SOCKET_MAX_FDS];

		begin(f, &f->file, 1, fds);
		snprintf(path, sizeof(path), "%s/%s.slowburn-index", f->path, f->index.name);
		end(f, &f->file, 1, 0, false);
	}
	assert_int_equal(truncate(path, 0), 0);
	asked(c, f->file, &r);
	assert_int_equal(r, -EPIPE);
	assert_int_equal(counted(f, COUNTER_SYMBOLIZER_FAILED), 1);
	assert_true(!strncmp(asked(c, f->file, &r), "made, and kept in ", 18));
	assert_int_equal(r, 0);
	symbols_client_free(c);
	expect_index(f, "used, from ");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static int role_main(const char *role)
{
	if (child_enter() < 0)
		return 1;
	if (strcmp(role, SYMBOLS_ROLE) != 0)
		return pause();
	return sandbox_enter(role_find(SYMBOLS_ROLE), NULL) < 0
		       ? 1
		       : symbolizer_serve(ROLE_CHILD_SOCKET);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kept_and_found), TEST(test_alternate),
		TEST(test_unsettled),      TEST(test_bad),
		TEST(test_liar),           TEST(test_no_cache),
		TEST(test_silence),        TEST(test_sandbox),
		TEST(test_cut_under_it),
	};

	if (argc > 1)
		return role_main(argv[1]);
	usleep(1100000); /* this program may have been linked just now */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
