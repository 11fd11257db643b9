// SPDX-License-Identifier: Apache-2.0
/*
 * The order is what each step needs of what a later one takes away: the user's name is looked up
 * while files can be opened, identity is changed while there is CAP_SETUID, the filter comes last,
 * as it forbids all the rest. Whatever the filter lets through by mistake, the uid, the missing
 * capabilities and the limits still stand in the way, and the other way round.
 *
 * Refused: getpwnam, which loads libraries and asks whoever /etc/nsswitch.conf names, as root;
 * empty namespaces (2 ms, and they hide what can't be opened anyway); SECCOMP_RET_KILL, which would
 * make the loss of a file's names out of a library's harmless try. A call with the numbers of
 * another architecture (i386, x32) does kill: nothing of ours makes one.
 */
#include "profiler/role/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#define LOWEST_NICE 19
#define FIRST_USER_NAMESPACE 0xEFFFFFFDu /* PROC_USER_INIT_INO: its inode, since 3.8 */

static void caps_free(cap_t *caps)
{
	if (*caps)
		cap_free(*caps);
}

static void filter_free(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}

static bool has(cap_t caps, cap_value_t capability, cap_flag_t set)
{
	cap_flag_value_t value = CAP_CLEAR;

	return cap_get_flag(caps, capability, set, &value) == 0 && value == CAP_SET;
}

/* The package's user in /etc/passwd; root is not believed to be it. */
static struct identity identity_of(const struct role *role)
{
	struct identity id = { role->fallback_id, role->fallback_id };
	_cleanup_(file_close) FILE *file = fopen("/etc/passwd", "re");
	struct passwd entry, *found;
	char text[1024];

	while (file && fgetpwent_r(file, &entry, text, sizeof(text), &found) == 0) {
		if (strcmp(found->pw_name, role->user) != 0 || !found->pw_uid || !found->pw_gid)
			continue;
		id = (struct identity){ found->pw_uid, found->pw_gid };
		break;
	}
	return id;
}

/*
 * In a user namespace of its own the fallback id is no id, and the capabilities count for nothing outside
 * it: the uid stays the caller's, as without root.
 */
static bool in_first_user_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/user", &st) < 0 || st.st_ino == FIRST_USER_NAMESPACE;
}

static int identity_change(const struct role *role, uint64_t kept)
{
	struct identity id = identity_of(role);

	/* setresuid would clear them all; those that go, go with the next step. */
	if (prctl(PR_SET_KEEPCAPS, kept != 0) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(id.gid, id.gid, id.gid) < 0 || setresuid(id.uid, id.uid, id.uid) < 0)
		return -errno;
	return 0;
}

static int bounds_drop(uint64_t kept)
{
	for (cap_value_t c = 0; c < cap_max_bits(); c++)
		if (!(kept >> c & 1) && cap_drop_bound(c) < 0)
			return -errno;
	return 0;
}

/*
 * The permitted, effective and inheritable sets; the kernel takes the ambient set after them. What there
 * is of `kept`: somebody without privileges has less.
 */
static int capabilities_set(uint64_t kept, cap_t have)
{
	_cleanup_(caps_free) cap_t caps = cap_init();

	if (!caps)
		return -errno;
	for (cap_value_t c = 0; c < cap_max_bits(); c++)
		if (kept >> c & 1 && has(have, c, CAP_PERMITTED) &&
		    (cap_set_flag(caps, CAP_PERMITTED, 1, &c, CAP_SET) < 0 ||
		     cap_set_flag(caps, CAP_EFFECTIVE, 1, &c, CAP_SET) < 0))
			return -errno;
	return cap_set_proc(caps) < 0 ? -errno : 0;
}

static bool may_change_identity(const struct role *role, cap_t have)
{
	return role->user && has(have, CAP_SETUID, CAP_EFFECTIVE) &&
	       has(have, CAP_SETGID, CAP_EFFECTIVE) && has(have, CAP_KILL, CAP_EFFECTIVE) &&
	       in_first_user_namespace();
}

struct identity sandbox_identity(const struct role *role)
{
	_cleanup_(caps_free) cap_t have = cap_get_proc();

	if (have && may_change_identity(role, have))
		return identity_of(role);
	return (struct identity){ geteuid(), getegid() };
}

static int privileges_drop(const struct role *role)
{
	_cleanup_(caps_free) cap_t have = cap_get_proc();
	uint64_t kept = role_capabilities(role);
	int r = 0;

	if (!have || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	/* Without CAP_SETPCAP they stay, and mean nothing: they are for exec of what may add more. */
	if (has(have, CAP_SETPCAP, CAP_EFFECTIVE))
		r = bounds_drop(kept);
	if (r == 0 && may_change_identity(role, have))
		r = identity_change(role, kept);
	return r < 0 ? r : capabilities_set(kept, have);
}

/* Never raises one: who was given less keeps less. */
static int limits_set(const struct role *role)
{
	for (size_t i = 0; i < role->limit_count; i++) {
		const struct role_limit *l = &role->limits[i];
		struct rlimit limit;

		if (getrlimit(l->resource, &limit) < 0)
			return -errno;
		if (limit.rlim_max > l->most)
			limit.rlim_max = l->most;
		if (limit.rlim_cur > limit.rlim_max)
			limit.rlim_cur = limit.rlim_max;
		if (setrlimit(l->resource, &limit) < 0)
			return -errno;
	}
	return 0;
}

static int filter_add(scmp_filter_ctx filter, uint32_t action, const struct role_call *call)
{
	struct scmp_arg_cmp compare[ROLE_MAX_CONDITIONS];
	int number = seccomp_syscall_resolve_name(call->name);
	unsigned int count = 0;

	if (number == __NR_SCMP_ERROR)
		return -EINVAL;
	if (number < 0)
		return 0; /* another architecture's */
	for (size_t i = 0; i < ROLE_MAX_CONDITIONS; i++) {
		const struct role_condition *c = &call->conditions[i];

		if (c->mask)
			compare[count++] = (struct scmp_arg_cmp){ c->argument, SCMP_CMP_MASKED_EQ,
								  c->mask, c->value };
	}
	return seccomp_rule_add_exact_array(filter, action, number, count, compare);
}

static int filter_add_group(scmp_filter_ctx filter, uint32_t action, const struct role_calls *group)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < group->count; i++)
		r = filter_add(filter, action, &group->calls[i]);
	return r;
}

/*
 * A filter that is `sealed` is loaded beside the first one: what either refuses is refused, and the kernel
 * remembers per system call that both allow it whatever its arguments.
 */
static int filter_load(const struct role *role, bool sealed)
{
	bool allows = role->filter == ROLE_ALLOWS;
	uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
	_cleanup_(filter_free)
		scmp_filter_ctx filter = seccomp_init(allows ? refuse : SCMP_ACT_ALLOW);
	int r;

	if (!filter)
		return -ENOMEM;
	/* ThreadSanitizer has a thread of its own. */
	r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	for (size_t i = 0; r == 0 && i < role->group_count; i++)
		if (!sealed || !role->groups[i].until_sealed)
			r = filter_add_group(filter, allows ? SCMP_ACT_ALLOW : refuse,
					     &role->groups[i]);
	return r < 0 ? r : seccomp_load(filter);
}

/*
 * Not to be looked at by others of its uid. A change of credentials made the kernel forget whose
 * death is ours; a parent that died just then has closed our socket.
 */
static int seclude(void)
{
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	return 0;
}

/* Standard error, which may be somebody's terminal, is there again if it is needed to say why not. */
static int silence_and_filter(const struct role *role)
{
	_cleanup_(fd_close) int said = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	int r;

	if (said < 0 || dup2(STDIN_FILENO, STDERR_FILENO) < 0)
		return -errno;
	r = filter_load(role, false);
	if (r < 0)
		dup2(said, STDERR_FILENO);
	return r;
}

/* For good: who has no capability can't raise it again. */
static int priority_set(const struct role *role)
{
	const struct sched_param none = { 0 };

	if (role->ordinary && getpriority(PRIO_PROCESS, 0) < 0 &&
	    setpriority(PRIO_PROCESS, 0, 0) < 0)
		return -errno;
	if (!role->background)
		return 0;
	if (setpriority(PRIO_PROCESS, 0, LOWEST_NICE) < 0 ||
	    sched_setscheduler(0, SCHED_BATCH, &none) < 0)
		return -errno;
	return 0;
}

int sandbox_enter(const struct role *role, struct err *err)
{
	int r;

#ifdef __SANITIZE_ADDRESS__
	/* It stops all threads by ptrace. Asked now, it does not try again when the process ends. */
	__lsan_do_leak_check();
#endif
	r = priority_set(role);
	if (r < 0)
		return err_errno(err, r, "the %s's priority could not be lowered", role->name);
	r = privileges_drop(role);
	if (r < 0)
		return err_errno(err, r, "the %s could not give up its privileges", role->name);
	r = limits_set(role);
	if (r < 0)
		return err_errno(err, r, "the %s could not be limited", role->name);
	r = seclude();
	if (r < 0)
		return err_errno(err, r, "the %s could not be secluded", role->name);
	r = ROLE_SANITIZED ? filter_load(role, false) : silence_and_filter(role);
	if (r < 0)
		return err_errno(err, r, "the %s's system calls could not be filtered", role->name);
	return 0;
}

int sandbox_demote(const struct role *role, struct err *err)
{
	int r = privileges_drop(role);

	return r < 0 ? err_errno(err, r, "the %s could not give up its privileges", role->name) : 0;
}

/* Whether it was needed is not asked again: the setting may have changed since. */
static int setup_capability_drop(const struct role *role)
{
	_cleanup_(caps_free) cap_t have = cap_get_proc();

	return have ? capabilities_set(~(1ULL << role->setup->capability.number), have) : -errno;
}

int sandbox_seal(const struct role *role, struct err *err)
{
	int r = role->setup ? setup_capability_drop(role) : 0;

	if (r == 0)
		r = filter_load(role, true);
	return r < 0 ? err_errno(err, r, "the %s could not be sealed", role->name) : 0;
}

int sandbox_confine(const struct role *role, struct err *err)
{
	int r = privileges_drop(role);

	if (r == 0)
		r = filter_load(role, false);
	return r < 0 ? err_errno(err, r, "the %s could not give up its privileges", role->name) : 0;
}
