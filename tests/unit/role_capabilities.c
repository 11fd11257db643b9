// SPDX-License-Identifier: Apache-2.0
/*
 * Which capabilities a role has: each is needed, which is shown by taking it away, and no other is kept, whoever
 * starts it.
 */
#include "profiler/role/role.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "profiler/role/supervisor.h"
#include "tests/unit/role_attempts.h"
#include "tests/unit/role_confined.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A role that needs some keeps those, and them only, over the change of uid. */
static void test_kept_capabilities(void **state)
{
	struct child c;

	need_root();
	confined_enter(&c, "keeper");
	confined_expect_line(&c, "status", "Uid:", "Uid: 65530 65530 65530 65530");
	confined_expect_line(&c, "status", "CapInh:", "CapInh: 0000000000000000");
	confined_expect_line(&c, "status", "CapPrm:", "CapPrm: 0000000400000400");
	confined_expect_line(&c, "status", "CapEff:", "CapEff: 0000000400000400");
	confined_expect_line(&c, "status", "CapBnd:", "CapBnd: 0000000400000400");
	confined_expect_line(&c, "status", "CapAmb:", "CapAmb: 0000000000000000");
	confined_stop(&c);
}

/*
 * What is lost with each capability: the role is started without it, and one thing, which it could do
 * with all of them, fails.
 */
static const struct loss {
	const char *role;
	uint32_t capability;
	const char *name;
	int want;
} losses[] = {
	{ "agent", CAP_BPF, "load_program", EPERM },
	{ "agent", CAP_PERFMON, "sample", EACCES },
	{ "agent", CAP_SYS_ADMIN, "sample", EACCES },
	{ "opener", CAP_SYS_PTRACE, "others_maps", EACCES },
	{ "opener", CAP_DAC_READ_SEARCH, "shadow", EACCES },
	{ "opener", CAP_CHECKPOINT_RESTORE, "map_files", EPERM },
	{ "opener", CAP_SYSLOG, "own_kallsyms", EACCES },
	{ "fetcher", CAP_SYS_PTRACE, "others_root", EACCES },
	{ "fetcher", CAP_DAC_READ_SEARCH, "shadow", EACCES },
	{ "fetcher", CAP_CHECKPOINT_RESTORE, "mapped", EPERM },
	{ "tracer", CAP_SYS_PTRACE, "seize", EPERM },
};

static const struct loss *lost;

/* Does the report have this line, and does the same without the loss say that it is fine? */
static bool says(const struct loss *l, int e)
{
	struct buffer text = BUFFER_INIT(1 << 16);
	char line[128];
	struct child c;
	bool found;

	confined_start(&c, l->role);
	confined_hear(&c, &text);
	confined_stop(&c);
	snprintf(line, sizeof(line), "%s: %s\n", l->name, e ? strerrorname_np(e) : "fine");
	found = strstr(text.data, line) != NULL;
	if (!found)
		print_message("%s without capability %u: no \"%s\" in\n%s", l->role, l->capability,
			      line, text.data);
	buffer_release(&text);
	return found;
}

/* CAP_SYS_ADMIN, where the agent has it, does what the others are for. */
static int without_one(void)
{
	if (prctl(PR_CAPBSET_DROP, lost->capability) < 0 ||
	    (strcmp(lost->role, "agent") == 0 && prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN) < 0))
		return 1;
	return says(lost, lost->want) ? 0 : 2;
}

static void test_each_capability_is_needed(void **state)
{
	need_root();
	for (size_t i = 0; i < COUNT(losses); i++) {
		lost = &losses[i];
		if (!(role_capabilities(role_find(lost->role)) >> lost->capability & 1)) {
			print_message("not needed on this machine: capability %u\n",
				      lost->capability);
			continue;
		}
		if (attempt_try(lost->role, lost->name) != 0) {
			print_message("not even root may, here: %s\n", lost->name);
			continue;
		}
		assert_true(says(lost, 0));
		apart(without_one);
	}
}

/* Every capability in the table is one of those above, or the supervisor's. */
static void test_no_capability_for_nothing(void **state)
{
	for (size_t i = 0; i < role_count(); i++) {
		uint64_t left = role_capabilities(role_at(i));

		for (size_t k = 0; k < COUNT(losses); k++)
			if (strcmp(losses[k].role, role_at(i)->name) == 0)
				left &= ~(1ULL << losses[k].capability);
		if (!role_at(i)->crew)
			assert_int_equal(left, 0);
	}
}

/* Becomes somebody who has these capabilities only, as systemd and setpriv can start one. */
static int become(uid_t uid, uint64_t capabilities)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .permitted = (uint32_t)capabilities, .effective = (uint32_t)capabilities },
		{ .permitted = (uint32_t)(capabilities >> 32),
		  .effective = (uint32_t)(capabilities >> 32) },
	};

	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0 ||
	    syscall(SYS_capset, &header, data) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0)
		return -errno;
	return 0;
}

static int not_root(void)
{
	struct buffer text = BUFFER_INIT(1 << 16);
	struct child c;

	if (become(CONFINED_NOBODY, 1ULL << CAP_BPF | 1ULL << CAP_PERFMON | 1ULL << CAP_NET_ADMIN) <
	    0)
		return 1;
	confined_start(&c, "agent");
	confined_hear(&c, &text);
	assert_true(attempt_try("agent", "load_program") != 0 ||
		    strstr(text.data, "load_program: fine\n"));
	buffer_release(&text);
	confined_expect_line(&c, "status", "Uid:", "Uid: 65534 65534 65534 65534");
	confined_expect_line(&c, "status", "CapInh:", "CapInh: 0000000000000000");
	confined_expect_line(&c, "status", "CapPrm:", "CapPrm: 000000c000000000");
	confined_expect_line(&c, "status", "CapEff:", "CapEff: 000000c000000000");
	confined_expect_line(&c, "status", "CapAmb:", "CapAmb: 0000000000000000");
	confined_stop(&c);
	return 0;
}

/* Capabilities are passed on by who isn't root, too. */
static void test_capabilities_without_root(void **state)
{
	need_root();
	apart(not_root);
}

static int not_root_but_setuid(void)
{
	uint64_t all = role_capabilities(role_find("supervisor"));
	struct child c;

	if (become(CONFINED_NOBODY, all) < 0)
		return 1;
	confined_start(&c, "opener");
	confined_expect(&c, "opener");
	confined_expect_line(&c, "status", "Uid:", "Uid: 65523 65523 65523 65523");
	confined_expect_line(&c, "status", "CapPrm:", "CapPrm: 0000010400080004");
	confined_expect_line(&c, "status", "CapBnd:", "CapBnd: 0000010400080004");
	confined_stop(&c);
	return 0;
}

static void test_own_uid_without_root(void **state)
{
	need_root();
	apart(not_root_but_setuid);
}

static char from[64], to[64];

/* What the bounding set lost is still in the others of a process that runs already. */
static int effective_drop(uint32_t capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	data[0].effective &= ~(1U << capability);
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int rename_as_supervisor(void)
{
	struct err err;

	if (supervisor_confine("supervisor", &err) < 0)
		return 1;
	if (lost->capability && effective_drop(lost->capability) < 0)
		return 2;
	return (rename(from, to) < 0 ? errno : 0) == lost->want ? 0 : 3;
}

/* The answer is renamed in a folder of another user, whose file it is; that may be a sticky one. */
static void test_supervisor_renames(void **state)
{
	static const struct loss cases[] = {
		{ .want = 0 },
		{ .capability = CAP_DAC_OVERRIDE, .want = EACCES },
		{ .capability = CAP_FOWNER, .want = EPERM },
	};

	need_root();
	for (size_t i = 0; i < COUNT(cases); i++) {
		char folder[] = "/tmp/slowburn-test-XXXXXX";

		assert_non_null(mkdtemp(folder));
		snprintf(from, sizeof(from), "%s/a", folder);
		snprintf(to, sizeof(to), "%s/b", folder);
		close(open(from, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
		assert_int_equal(chown(from, CONFINED_NOBODY, CONFINED_NOBODY), 0);
		assert_int_equal(chown(folder, 1, 1), 0);
		assert_int_equal(chmod(folder, 01755), 0);
		lost = &cases[i];
		apart(rename_as_supervisor);
		assert_int_equal(unlink(cases[i].want ? from : to), 0);
		assert_int_equal(rmdir(folder), 0);
	}
}

static int without_kill(void)
{
	char uid[64], permitted[64];
	struct child c;

	if (prctl(PR_CAPBSET_DROP, CAP_KILL) < 0)
		return 1;
	confined_enter(&c, "daemon");
	confined_line(c.pid, "status", "Uid:", uid, sizeof(uid));
	confined_line(c.pid, "status", "CapPrm:", permitted, sizeof(permitted));
	confined_stop(&c);
	return strcmp(uid, "Uid: 0 0 0 0") == 0 &&
			       strcmp(permitted, "CapPrm: 0000000000000000") == 0
		       ? 0
		       : 2;
}

/* A parent that could not end a child that is somebody else keeps one that it can. */
static void test_without_kill(void **state)
{
	need_root();
	apart(without_kill);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_capability_is_needed),
		cmocka_unit_test(test_no_capability_for_nothing),
		cmocka_unit_test(test_capabilities_without_root),
		cmocka_unit_test(test_own_uid_without_root),
		cmocka_unit_test(test_supervisor_renames),
		cmocka_unit_test(test_kept_capabilities),
		cmocka_unit_test(test_without_kill),
	};

	if (argc > 1)
		return confined_main(argv[1]);
	attempts_aim(getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
