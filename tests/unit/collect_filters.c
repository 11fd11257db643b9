// SPDX-License-Identifier: Apache-2.0
/*
 * Real sessions that are to see some processes only: by pid, name, cgroup, with their children; and
 * what is told of those.
 */
#include <pthread.h>
#include <sys/stat.h>

#include "tests/unit/collect_capture.h"

/* ---- filters ---- */

static void test_filters(void **state)
{
	static const char *const comms[] = { "nobody", "chosen" };
	struct session_config config;
	uint32_t pid, n_all, n_pid;
	pid_t other;

	NEEDS_ROOT();
	pid = (uint32_t)start_child(spin_outer, "chosen");
	other = start_child(spin_outer, "other");

	config = all;
	config.pids = &pid;
	config.pid_count = 1;
	expect_only(&config, (pid_t)pid);

	config = all;
	config.tids = &pid;
	config.tid_count = 1;
	expect_only(&config, (pid_t)pid);

	config = all;
	config.comms = comms;
	config.comm_count = 2;
	expect_only(&config, (pid_t)pid);

	config.comm_count = 1;
	count_samples(&config, (pid_t)pid, CAPTURE_MS, &n_all, &n_pid);
	assert_int_equal(n_all, 0);
	stop_child((pid_t)pid);
	stop_child(other);
}

static uint64_t cgroup_of(const char *controller, pid_t pid)
{
	struct session_config config = all;
	const struct record_sample *s;
	uint64_t id = 0;
	struct capture c;

	config.cgroup_controller = controller;
	begin(&c, &config);
	pass_ms(&c, 100);
	finish(&c);
	while ((s = next_sample(&c))) {
		if (s->tgid == (uint32_t)pid)
			id = s->cgroup;
	}
	release(&c);
	return id;
}

static void expect_cgroup(const char *controller, uint64_t id, pid_t pid, bool expected)
{
	struct session_config config = all;
	uint32_t n_all, n_pid;

	config.cgroup_controller = controller;
	config.cgroup = id;
	count_samples(&config, pid, 100, &n_all, &n_pid);
	if ((n_pid > 0) != expected || (!expected && n_all))
		fail_msg("cgroup %llu of \"%s\": %u samples, %u of the child; expected %s",
			 (unsigned long long)id, controller, n_all, n_pid,
			 expected ? "some" : "none");
}

/* The v2 hierarchy and, where there is one, a v1: the child's own cgroup, its root, and another. */
static void test_cgroups(void **state)
{
	static const struct {
		const char *controller, *root;
	} hierarchies[] = {
		{ "", "/sys/fs/cgroup" },
		{ "", "/sys/fs/cgroup/unified" },
		{ "memory", "/sys/fs/cgroup/memory" },
		{ "blkio", "/sys/fs/cgroup/blkio" },
	};
	uint32_t checked = 0;
	pid_t pid;

	NEEDS_ROOT();
	pid = start_child(spin_outer, "grouped");
	for (size_t i = 0; i < sizeof(hierarchies) / sizeof(hierarchies[0]); i++) {
		const char *controller = hierarchies[i].controller;
		char path[256];
		uint64_t id;
		struct stat st;

		snprintf(path, sizeof(path), "%s/cgroup.procs", hierarchies[i].root);
		if (stat(path, &st) < 0 || stat(hierarchies[i].root, &st) < 0)
			continue;
		checked++;
		id = cgroup_of(controller, pid);
		assert_true(id != 0);
		expect_cgroup(controller, id, pid, true);
		expect_cgroup(controller, st.st_ino, pid, true);
		expect_cgroup(controller, 0xdeadbeef, pid, false);
	}
	stop_child(pid);
	assert_true(checked > 0);
}

/* ---- processes ---- */

static void spin_in_grandchild(void)
{
	pid_t pid = start_child(spin_outer, "grandchild");

	waitpid(pid, NULL, 0);
}

/* Stops until go_on(): what it does then, it does under the filter. */
static void wait_then_fork(void)
{
	raise(SIGSTOP);
	spin_in_grandchild();
}

static void go_on(uint32_t pid)
{
	int status;

	assert_int_equal(waitpid((pid_t)pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(kill((pid_t)pid, SIGCONT), 0);
}

static void test_children_are_followed(void **state)
{
	struct session_config config = all;
	const struct record_sample *s;
	uint32_t count = 0, pid;
	struct capture c;

	NEEDS_ROOT();
	pid = (uint32_t)start_child(wait_then_fork, "parent");
	config.pids = &pid;
	config.pid_count = 1;
	begin(&c, &config);
	go_on(pid);
	pass_ms(&c, CAPTURE_MS);
	finish(&c);
	while ((s = next_sample(&c)))
		count += strcmp(s->comm, "grandchild") == 0;
	stop_child((pid_t)pid);
	if (count < ENOUGH_SAMPLES)
		fail_msg("%u samples of the grandchild, expected at least %u", count,
			 ENOUGH_SAMPLES);
	release(&c);
}

static void *spin_in_thread(void *arg)
{
	prctl(PR_SET_NAME, "second");
	spin_outer();
	return arg;
}

static void leader_exits(void)
{
	pthread_t thread;

	raise(SIGSTOP);
	pthread_create(&thread, NULL, spin_in_thread, NULL);
	pthread_exit(NULL);
}

/* The filter keeps a process whose first thread is gone; so does its name. */
static void test_leader_exits_first(void **state)
{
	struct session_config config = all;
	const struct record_sample *s;
	uint32_t count = 0, pid;
	struct capture c;

	NEEDS_ROOT();
	pid = (uint32_t)start_child(leader_exits, "first");
	config.pids = &pid;
	config.pid_count = 1;
	begin(&c, &config);
	go_on(pid);
	pass_ms(&c, CAPTURE_MS);
	finish(&c);
	while ((s = next_sample(&c))) {
		if (strcmp(s->comm, "second") != 0)
			continue;
		count++;
		assert_int_equal(s->tgid, pid);
		assert_int_not_equal(s->tid, pid);
		assert_string_equal(s->leader_comm, "first");
	}
	stop_child((pid_t)pid);
	if (count < ENOUGH_SAMPLES)
		fail_msg("%u samples of the second thread, expected at least %u", count,
			 ENOUGH_SAMPLES);
	release(&c);
}

static void exec_true(void)
{
	execl("/bin/true", "true", (char *)NULL);
}

/*
 * Of a process that lived a millisecond: forked, exec'd, mapped its binary and died, in that order.
 */
static void test_process_events(void **state)
{
	enum { FORKED = 1, EXECED = 2, MAPPED = 4, EXITED = 8 } seen = 0;
	const struct batch_record *r;
	struct capture c;
	struct event e;
	pid_t pid;

	NEEDS_ROOT();
	begin(&c, &all);
	pid = start_child(exec_true, "short");
	waitpid(pid, NULL, 0);
	finish(&c);
	while ((r = batch_next(c.batch, UINT64_MAX))) {
		if (r->kind != BATCH_EVENT)
			continue;
		assert_int_equal(decode_event(r->bytes, r->len, &e), 0);
		if (e.pid != (uint32_t)pid)
			continue;
		if (e.kind == EVENT_FORK && e.parent_pid == (uint32_t)getpid())
			seen |= FORKED;
		if (e.kind == EVENT_EXEC && seen == FORKED)
			seen |= EXECED;
		if (e.kind == EVENT_MMAP && strstr(e.path, "/true") && seen == (FORKED | EXECED))
			seen |= MAPPED;
		if (e.kind == EVENT_EXIT && seen == (FORKED | EXECED | MAPPED))
			seen |= EXITED;
	}
	assert_int_equal(seen, FORKED | EXECED | MAPPED | EXITED);
	assert_int_equal(counter_get(&c.counters, COUNTER_EVENTS_MALFORMED), 0);
	release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_cgroups),
		cmocka_unit_test(test_children_are_followed),
		cmocka_unit_test(test_leader_exits_first),
		cmocka_unit_test(test_process_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
