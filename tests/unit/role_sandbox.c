// SPDX-License-Identifier: Apache-2.0
/*
 * What each role can't do in its sandbox, and what it can: tried by the roles themselves (role_attempts.h), and seen from
 * outside.
 */
#include "profiler/role/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/role/supervisor.h"
#include "tests/unit/role_attempts.h"
#include "tests/unit/role_confined.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_refused(void **state)
{
	struct child c;

	confined_start(&c, "symbolizer");
	confined_expect(&c, "symbolizer");
	confined_stop(&c);
}

/* It says that it is confined when it is, also in its priority. */
static void test_background(void **state)
{
	struct child c;

	need_root();
	confined_start(&c, "background symbolizer");
	confined_expect(&c, "background symbolizer");
	assert_int_equal(getpriority(PRIO_PROCESS, (id_t)c.pid), 19);
	assert_int_equal(sched_getscheduler(c.pid), SCHED_BATCH);
	confined_stop(&c);
	confined_start(&c, "symbolizer");
	confined_expect(&c, "symbolizer");
	assert_int_equal(sched_getscheduler(c.pid), SCHED_OTHER);
	confined_stop(&c);
}

static void expect_role(const char *role)
{
	struct child c;

	need_root();
	confined_start(&c, role);
	confined_expect(&c, role);
	confined_stop(&c);
}

static void test_agent(void **state)
{
	expect_role("agent");
}

static void test_opener(void **state)
{
	expect_role("opener");
}

static void test_fetcher(void **state)
{
	expect_role("fetcher");
}

static void test_dump_roles(void **state)
{
	expect_role("dumper");
	expect_role("tracer");
	expect_role("unwinder");
	expect_role("dump supervisor");
}

static void test_reader_roles(void **state)
{
	expect_role("reader");
	expect_role("reader supervisor");
}

static void test_storekeeper(void **state)
{
	expect_role("storekeeper");
}

static void test_web(void **state)
{
	expect_role("web");
}

static void test_supervisor(void **state)
{
	expect_role("supervisor");
}

/* As somebody who has nothing to give up. exec makes the effective id the saved one. */
static void test_refused_without_root(void **state)
{
	struct child c;

	need_root();
	assert_int_equal(setresuid(CONFINED_NOBODY, CONFINED_NOBODY, 0), 0);
	confined_start(&c, "symbolizer");
	assert_int_equal(setresuid(0, 0, 0), 0);
	confined_expect(&c, "symbolizer");
	confined_expect_line(&c, "status", "Uid:", "Uid: 65534 65534 65534 65534");
	confined_expect_line(&c, "status", "CapPrm:", "CapPrm: 0000000000000000");
	confined_expect_line(&c, "status", "NoNewPrivs:", "NoNewPrivs: 1");
	confined_expect_line(&c, "status", "Seccomp:", "Seccomp: 2");
	confined_stop(&c);
}

/* Each layer by itself: the filter is not all that there is. */
static void test_leaky_filter(void **state)
{
	struct child c;

	need_root();
	confined_start(&c, "leaky");
	confined_expect(&c, "leaky");
	confined_stop(&c);
}

/* What anybody can see of it. */
static void test_status(void **state)
{
	static const char *const none[] = { "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:" };
	gid_t before[64], extra = 4;
	int count = getgroups(64, before);
	struct child c;

	need_root();
	assert_true(count >= 0);
	assert_int_equal(setgroups(1, &extra), 0);
	confined_enter(&c, "daemon");
	assert_int_equal(setgroups((size_t)count, before), 0);
	confined_expect_line(&c, "status", "Uid:", "Uid: 1 1 1 1");
	confined_expect_line(&c, "status", "Gid:", "Gid: 1 1 1 1");
	confined_expect_line(&c, "status", "Groups:", "Groups:");
	confined_stop(&c);

	confined_start(&c, "symbolizer");
	confined_expect(&c, "symbolizer"); /* so that it has got there */
	for (size_t i = 0; i < COUNT(none); i++) {
		char want[64];

		snprintf(want, sizeof(want), "%s 0000000000000000", none[i]);
		confined_expect_line(&c, "status", none[i], want);
	}
	confined_expect_line(&c, "status", "Groups:", "Groups:");
	confined_expect_line(&c, "status", "NoNewPrivs:", "NoNewPrivs: 1");
	confined_expect_line(&c, "status", "Seccomp:", "Seccomp: 2");
	confined_expect_line(&c, "limits", "Max processes", "Max processes 0 0 processes");
	confined_expect_line(&c, "limits", "Max open files", "Max open files 16 16 files");
	confined_expect_line(&c, "limits", "Max core file size", "Max core file size 0 0 bytes");
#if !ROLE_SANITIZED
	confined_expect_line(&c, "limits", "Max file size",
			     "Max file size 134217728 134217728 bytes");
	confined_expect_line(&c, "limits", "Max data size",
			     "Max data size 1073741824 1073741824 bytes");
#endif
	confined_stop(&c);
}

/* Not dumpable: to others, also of its uid, its /proc files are root's. */
static void test_not_dumpable(void **state)
{
	struct child c;
	struct stat st;
	char path[64];

	need_root();
	confined_enter(&c, "daemon");
	snprintf(path, sizeof(path), "/proc/%d/mem", c.pid);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 0);
	confined_stop(&c);
}

static void test_not_root_whatever_passwd_says(void **state)
{
	struct child c;

	need_root();
	confined_enter(&c, "root");
	confined_expect_line(&c, "status", "Uid:", "Uid: 65530 65530 65530 65530");
	confined_expect_line(&c, "status", "Gid:", "Gid: 65530 65530 65530 65530");
	confined_stop(&c);
}

/* As the supervisor, which is the user's uid and some capabilities, and whose filter they inherit. */
static int under_supervisor(void)
{
	static const char *const names[] = { "agent", "opener", "fetcher", "symbolizer" };
	struct err err = { "" };
	struct child c;

	supervisor_confine("supervisor", &err);
	assert_string_equal(err.text, "");
	for (size_t i = 0; i < COUNT(names); i++) {
		char uid[64];

		confined_start(&c, names[i]);
		confined_expect(&c, names[i]);
		confined_line(c.pid, "status", "Uid:", uid, sizeof(uid));
		assert_string_not_equal(uid, "Uid: 0 0 0 0");
		confined_stop(&c);
		assert_int_equal(kill(c.pid, 0), 0); /* pid 0: it is gone */
	}
	return 0;
}

static void test_roles_under_supervisor(void **state)
{
	need_root();
	apart(under_supervisor);
}

#if !ROLE_SANITIZED
static void test_less_memory(void **state)
{
	struct err err = { "" };
	struct child c;

	child_start_limited(&c, "symbolizer", 32 << 20, &err);
	assert_string_equal(err.text, "");
	confined_hear(&c, &(struct buffer)BUFFER_INIT(1 << 16));
	confined_expect_line(&c, "limits", "Max data size",
			     "Max data size 33554432 33554432 bytes");
	confined_stop(&c);
	child_start_limited(&c, "symbolizer", 1ULL << 40, &err);
	confined_hear(&c, &(struct buffer)BUFFER_INIT(1 << 16));
	confined_expect_line(&c, "limits", "Max data size",
			     "Max data size 1073741824 1073741824 bytes");
	confined_stop(&c);
}
#endif

/* The kernel forgets it when credentials change, and must be told again. */
static void test_dies_with_parent(void **state)
{
	int pipe_fds[2], pid = 0, status;
	pid_t between;

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	between = fork();
	assert_true(between >= 0);
	if (between == 0) {
		struct buffer text = BUFFER_INIT(1 << 16);
		struct child c;

		confined_start(&c, "symbolizer");
		confined_hear(&c, &text);
		if (write(pipe_fds[1], &c.pid, sizeof(c.pid)) != sizeof(c.pid))
			_exit(1);
		raise(SIGKILL);
	}
	assert_int_equal(read(pipe_fds[0], &pid, sizeof(pid)), sizeof(pid));
	assert_int_equal(waitpid(between, &status, 0), between);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void test_unknown_role(void **state)
{
	assert_null(role_find("nobody"));
	assert_non_null(role_find("symbolizer"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_agent),
		cmocka_unit_test(test_opener),
		cmocka_unit_test(test_fetcher),
		cmocka_unit_test(test_supervisor),
		cmocka_unit_test(test_background),
		cmocka_unit_test(test_dump_roles),
		cmocka_unit_test(test_reader_roles),
		cmocka_unit_test(test_storekeeper),
		cmocka_unit_test(test_web),
		cmocka_unit_test(test_roles_under_supervisor),
#if !ROLE_SANITIZED
		cmocka_unit_test(test_less_memory),
#endif
		cmocka_unit_test(test_refused_without_root),
		cmocka_unit_test(test_leaky_filter),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_not_dumpable),
		cmocka_unit_test(test_not_root_whatever_passwd_says),
		cmocka_unit_test(test_dies_with_parent),
		cmocka_unit_test(test_unknown_role),
	};

	if (argc > 1)
		return confined_main(argv[1]);
	attempts_aim(getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
