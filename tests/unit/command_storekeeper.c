// SPDX-License-Identifier: Apache-2.0
/*
 * The storekeeper as a process in its sandbox, and the agent's side of it: windows get there, whatever the
 * disk does, and whatever an agent sends.
 */
#include "profiler/storekeeper/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/command_storekeeper_process.h"

static void test_hours(void **state)
{
	struct keeper_job job = job_for_ever();
	struct test_store t;
	struct keeper k;
	struct agent a;
	uint64_t windows;
	struct catalog c = { 0 };
	struct err err;

	(void)state;
	test_store_new(&t);
	agent_new(&a);
	archive_connect(a.archive, keeper_start(&k, t.path, &job));
	/* Three hours and a half of windows of 10 s. */
	for (uint32_t i = 0; i < 1260; i++) {
		agent_append(&a, i % 30, TEST_WINDOW_NS);
		if (i % 50 == 49)
			agent_settle(&a);
	}
	agent_settle(&a);
	assert_int_equal(a.committed, a.appended);
	assert_int_equal(stored(&t, &windows, NULL), a.samples_appended);
	assert_int_equal(windows, a.appended);
	keeper_stop(&k);
	assert_int_equal(k.figures.windows, a.appended);
	assert_int_equal(k.figures.samples, a.samples_appended);
	assert_int_equal(k.figures.windows_dropped, 0);
	assert_int_equal(k.figures.bytes, test_store_bytes(&t));
	assert_int_equal(k.figures.levels[0].from_ns, TEST_EPOCH_NS);
	assert_int_equal(k.figures.levels[0].to_ns, TEST_EPOCH_NS + 4 * HOUR);
	/* Each hour is one file: what went on, went on in it. */
	assert_int_equal(catalog_read(&c, t.fd, &err), 0);
	assert_int_equal(catalog_level(&c, 1), 4);
	assert_int_equal(k.figures.levels[0].files, 4);
	catalog_release(&c);
	verify(&t);
	print_message("a window is committed in %.3f ms, %.3f at most\n",
		      (double)k.figures.commit_ns / (double)a.committed / 1e6,
		      (double)k.figures.commit_max_ns / 1e6);
	agent_free(&a);
	test_store_release(&t);
}

static void test_second(void **state)
{
	struct keeper_job job = job_for_ever();
	struct keeper k, other;
	struct test_store t;
	int agent;

	(void)state;
	test_store_new(&t);
	agent = keeper_start(&k, t.path, &job);
	assert_true(agent >= 0);
	assert_int_equal(keeper_start(&other, t.path, &job), -1);
	assert_int_equal(((const struct keeper_result *)other.m.bytes.data)->status, -EBUSY);
	assert_memory_equal(other.m.bytes.data + sizeof(struct keeper_result),
			    "another slowburn writes this store", 34);
	keeper_release(&other);
	close(agent);
	keeper_stop(&k);
	job.max_bytes = 1;
	assert_int_equal(keeper_start(&other, t.path, &job), -1);
	assert_int_equal(((const struct keeper_result *)other.m.bytes.data)->status, -EINVAL);
	keeper_release(&other);
	test_store_release(&t);
}

/* Nobody is there, or takes anything: the oldest are dropped, and told when somebody comes. */
static void test_nobody(void **state)
{
	struct keeper_job job = job_for_ever();
	struct counters told;
	uint64_t windows, began;
	struct test_store t;
	struct keeper k;
	struct agent a;
	int pair[2];

	(void)state;
	test_store_new(&t);
	agent_new(&a);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	archive_connect(a.archive, pair[0]);
	began = clock_ns(CLOCK_MONOTONIC);
	/* Over more hours than profiles are held for. */
	for (uint32_t i = 0; i < 200; i++) {
		agent_append(&a, 10, 100 * NS_PER_S);
		assert_int_equal(agent_poll(&a), 0);
	}
	assert_true(clock_ns(CLOCK_MONOTONIC) - began < 5 * NS_PER_S);
	assert_int_equal(held(&a) + a.refused, 200);
	assert_in_range(held(&a), 1, ARCHIVE_MAX_WINDOWS);
	close(pair[1]);
	assert_int_equal(agent_poll(&a), -EPIPE);
	assert_int_equal(agent_poll(&a), 0);
	archive_connect(a.archive, keeper_start(&k, t.path, &job));
	agent_settle(&a);
	assert_int_equal(a.committed + a.refused, 200);
	keeper_stop(&k);
	assert_int_equal(stored(&t, &windows, &told), a.samples_committed);
	assert_int_equal(windows, a.committed);
	assert_int_equal(counter_get(&told, COUNTER_WINDOWS_DROPPED_STORE), a.refused);
	assert_int_equal(counter_get(&told, COUNTER_SAMPLES_DROPPED_STORE),
			 a.samples_appended - a.samples_committed);
	assert_memory_equal(&told.value[COUNTER_WINDOWS_DROPPED_STORE],
			    &a.counters.value[COUNTER_WINDOWS_DROPPED_STORE], sizeof(uint64_t));
	agent_free(&a);
	test_store_release(&t);
}

/* A disk that others fill: dropped, said once, told later; and then it goes on. */
static void test_full_disk(void **state)
{
	char mount_point[] = "/tmp/storekeeper-XXXXXX";
	struct keeper_job job = job_for_ever();
	char block[4096] = { 1 };
	struct counters told;
	struct test_store t;
	struct keeper k;
	struct agent a;
	uint64_t windows;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(mount_point));
	if (mount("tmpfs", mount_point, "tmpfs", 0, "size=512k") < 0) {
		rmdir(mount_point);
		skip();
	}
	chmod(mount_point, 0755);
	test_store_at(&t, mount_point);
	agent_new(&a);
	archive_connect(a.archive, keeper_start(&k, t.path, &job));
	agent_append(&a, 100, TEST_WINDOW_NS);
	agent_settle(&a);
	snprintf(block, sizeof(block), "%s/others", mount_point);
	fd = open(block, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		;
	for (uint32_t i = 0; i < 20; i++)
		agent_append(&a, 500, TEST_WINDOW_NS);
	agent_settle(&a);
	assert_true(a.refused > 0);
	while (hear(&k) != KEEPER_SAID)
		;
	assert_non_null(strstr(k.said, "No space left on device"));
	snprintf(block, sizeof(block), "%s/others", mount_point);
	close(fd);
	unlink(block);
	for (uint32_t i = 0; i < 20; i++)
		agent_append(&a, 10, TEST_WINDOW_NS);
	agent_settle(&a);
	assert_int_equal(a.committed + a.refused, 41);
	assert_true(a.committed >= 21);
	k.said[0] = '\0';
	keeper_stop(&k);
	assert_string_equal(k.said, ""); /* once a minute */
	assert_int_equal(k.figures.windows, a.committed);
	assert_int_equal(k.figures.windows_dropped, a.refused);
	assert_int_equal(stored(&t, &windows, &told), a.samples_committed);
	assert_int_equal(counter_get(&told, COUNTER_WINDOWS_DROPPED_STORE), a.refused);
	verify(&t);
	agent_free(&a);
	test_store_release(&t);
	assert_int_equal(umount(mount_point), 0);
	rmdir(mount_point);
}

static void test_read_only(void **state)
{
	char mount_point[] = "/tmp/storekeeper-XXXXXX";
	struct keeper_job job = job_for_ever();
	struct test_store t;
	struct keeper k;
	int agent;

	(void)state;
	assert_non_null(mkdtemp(mount_point));
	if (mount("tmpfs", mount_point, "tmpfs", 0, "size=512k") < 0) {
		rmdir(mount_point);
		skip();
	}
	chmod(mount_point, 0755);
	test_store_at(&t, mount_point);
	agent = keeper_start(&k, t.path, &job);
	assert_true(agent >= 0);
	close(agent);
	keeper_stop(&k);
	assert_int_equal(mount(NULL, mount_point, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(keeper_start(&k, t.path, &job), -1);
	assert_int_equal(((const struct keeper_result *)k.m.bytes.data)->status, -EROFS);
	keeper_release(&k);
	assert_int_equal(mount(NULL, mount_point, NULL, MS_REMOUNT, NULL), 0);
	test_store_release(&t);
	assert_int_equal(umount(mount_point), 0);
	rmdir(mount_point);
}

static int memory_of(const void *bytes, size_t len)
{
	int fd = memfd_create("frame", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	return fd;
}

/* What the storekeeper answers to a window; 0: it has let us go. */
static uint32_t say(int agent, uint32_t type, const void *bytes, size_t len, int fd,
		    struct socket_message *m)
{
	int r = socket_send(agent, type, bytes, len, &fd, fd >= 0, in(WAIT_NS));

	if (r == 0)
		r = socket_receive(agent, m, in(WAIT_NS));
	if (r < 0 && r != -EPIPE)
		fail_msg("the storekeeper is silent: %s", strerror(-r));
	return r < 0 ? 0 : m->type;
}

static int another_agent(struct keeper *k, struct socket_message *m)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(
		socket_send(k->child.socket, KEEPER_AGENT, NULL, 0, &pair[1], 1, in(WAIT_NS)), 0);
	close(pair[1]);
	assert_int_equal(socket_receive(pair[0], m, in(WAIT_NS)), 0);
	assert_int_equal(m->type, KEEPER_HELLO);
	return pair[0];
}

/* An agent that was taken over, and an honest frame of it. */
struct liar {
	struct test_store t;
	struct keeper k;
	struct socket_message m;
	struct packer *packer;
	struct profile p;
	const unsigned char *frame;
	size_t len;
	uint64_t seed;
	int agent;
};

static void liar_new(struct liar *x)
{
	struct keeper_job job = job_for_ever();
	const struct store_window window = test_window_at(TEST_EPOCH_NS);

	*x = (struct liar){ .seed = 3 };
	test_store_new(&x->t);
	socket_message_init(&x->m, KEEPER_MAX_MESSAGE_BYTES);
	close(keeper_start(&x->k, x->t.path, &job));
	x->agent = another_agent(&x->k, &x->m);
	test_profile(&x->p);
	test_window(&x->p, &x->seed, 40, TEST_EPOCH_NS);
	assert_int_equal(packer_new(&x->packer, PACKER_EFFORT), 0);
	assert_int_equal(packer_pack(x->packer, &x->p, &x->p.counters, &window), 0);
	x->frame = packer_frame(x->packer, &x->len);
}

static void liar_release(struct liar *x)
{
	packer_free(x->packer);
	profile_release(&x->p);
	socket_message_release(&x->m);
	test_store_release(&x->t);
}

/* A window as it says, in `fd`, which is closed: what becomes of it. */
static uint32_t liar_says(struct liar *x, uint64_t number, uint64_t file, uint64_t bytes, int fd)
{
	const struct keeper_window w = { .number = number, .file = file, .bytes = bytes };
	uint32_t said = say(x->agent, KEEPER_WINDOW, &w, sizeof(w), fd, &x->m);

	close(fd);
	return said;
}

static int liar_frame(const struct liar *x)
{
	return memory_of(x->frame, x->len);
}

/* Of a file that there isn't, shorter or longer than was said, in what is no memory. */
static void windows_that_lie(struct liar *x)
{
	size_t len = x->len;
	int pipes[2];

	/* Whole: it is taken. What follows goes on from nothing that is known. */
	assert_int_equal(liar_says(x, 1, 0, len, liar_frame(x)), KEEPER_COMMITTED);
	assert_int_equal(liar_says(x, 1, 1, len, liar_frame(x)), KEEPER_REPACK);
	assert_int_equal(liar_says(x, 1, 77, len, liar_frame(x)), KEEPER_REPACK);
	/* Less than was said, more than there may be, nothing. */
	assert_int_equal(liar_says(x, 1, 0, len + 1, liar_frame(x)), KEEPER_DROPPED);
	assert_int_equal(liar_says(x, 1, 0, UINT64_MAX, liar_frame(x)), KEEPER_DROPPED);
	assert_int_equal(liar_says(x, 1, 0, 0, liar_frame(x)), KEEPER_DROPPED);
	/* No memory: one that would never answer, too. */
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(liar_says(x, 1, 0, len, pipes[0]), KEEPER_DROPPED);
	close(pipes[1]);
	assert_int_equal(liar_says(x, 1, 0, len, open("/dev/zero", O_RDONLY | O_CLOEXEC)),
			 KEEPER_DROPPED);
}

static void any_byte_turned(struct liar *x)
{
	unsigned char *broken = malloc(x->len);

	assert_non_null(broken);
	for (size_t i = 0; i < x->len; i += 1 + i / 64) {
		memcpy(broken, x->frame, x->len);
		broken[i] ^= (unsigned char)(1 + test_random(&x->seed) % 255);
		if (liar_says(x, 1, 0, x->len, memory_of(broken, x->len)) != KEEPER_DROPPED)
			fail_msg("byte %zu is taken: message %u", i, x->m.type);
	}
	free(broken);
}

/* What is no window at all: it is let go, and the next one served. */
static void no_windows(struct liar *x, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct keeper_window w;
		size_t n = test_random(&x->seed) % sizeof(w);
		int fd;

		close(x->agent);
		x->agent = another_agent(&x->k, &x->m);
		for (size_t j = 0; j < sizeof(w); j++)
			((unsigned char *)&w)[j] = (unsigned char)test_random(&x->seed);
		fd = i % 3 ? liar_frame(x) : -1;
		if (i % 4 == 3) {
			n = sizeof(w);
			fd_close(&fd);
		}
		assert_int_equal(say(x->agent,
				     i % 4 ? KEEPER_WINDOW : (uint32_t)test_random(&x->seed), &w, n,
				     fd, &x->m),
				 0);
		fd_close(&fd);
	}
}

/* It says whatever it likes: it can lose its own windows, and no more. */
static void test_liars(void **state)
{
	struct liar x;

	(void)state;
	liar_new(&x);
	windows_that_lie(&x);
	any_byte_turned(&x);
	no_windows(&x, 200);
	close(x.agent);
	x.agent = another_agent(&x.k, &x.m);
	assert_int_equal(liar_says(&x, 9, 0, x.len, liar_frame(&x)), KEEPER_COMMITTED);
	close(x.agent);
	keeper_stop(&x.k);
	assert_int_equal(x.k.figures.windows, 2);
	assert_int_equal(x.k.figures.refused, 200);
	verify(&x.t);
	liar_release(&x);
}

/* Somebody's directory is not given away; a store is, file by file, but for one that is known by another name, too. */
static void test_directory(void **state)
{
	static const char *const names[] = { "10s-20251123T05-1-1.slowburn", "lock", "other" };
	const struct identity keeper = sandbox_identity(role_find(STOREKEEPER_ROLE));
	struct test_store t;
	struct stat st;
	struct err err;
	char path[128];
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	test_store_new(&t);
	for (size_t i = 0; i < 3; i++)
		close(openat(t.fd, names[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0640));
	assert_int_equal(directory_open(t.path, &err), -ENOTEMPTY);
	assert_int_equal(fstat(t.fd, &st), 0);
	assert_int_equal(st.st_uid, 0);
	unlinkat(t.fd, names[2], 0);
	snprintf(path, sizeof(path), "%s-link", t.path);
	assert_int_equal(linkat(t.fd, names[1], AT_FDCWD, path, 0), 0);
	fd = directory_open(t.path, &err);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(fstat(t.fd, &st), 0);
	assert_int_equal(st.st_uid, keeper.uid);
	assert_int_equal(fstatat(t.fd, names[0], &st, 0), 0);
	assert_int_equal(st.st_uid, keeper.uid);
	assert_int_equal(fstatat(t.fd, names[1], &st, 0), 0);
	assert_int_equal(st.st_uid, 0);
	unlink(path);
	test_store_release(&t);
	snprintf(path, sizeof(path), "%s/deep", t.path);
	assert_int_equal(directory_open(path, &err), -ENOENT);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_directory), cmocka_unit_test(test_hours),
		cmocka_unit_test(test_second),    cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_full_disk), cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_liars),
	};
	int status;

	if (storekeeper_main(argc, argv, &status))
		return status;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
