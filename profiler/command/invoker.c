// SPDX-License-Identifier: Apache-2.0
/*
 * sudo says in SUDO_UID and SUDO_GID who called it. They are believed only by root: anybody else can
 * set them, but has nothing to gain. The user's further groups come from the user database; without an
 * entry there, there are none. PAM sessions, login shells and the like were refused: the command runs
 * in sudo's environment, but for who and where home is.
 */
#include "profiler/command/invoker.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/number.h"

/* 1: set, and a number; 0: not set; -EINVAL. */
static int id_from_environment(const char *name, uint32_t *ret)
{
	const char *s = getenv(name);
	uint64_t value;

	if (!s)
		return 0;
	/* The largest is (uid_t)-1, "leave it as it is". */
	if (number_parse(s, strlen(s), UINT32_MAX - 1, &value) < 0)
		return -EINVAL;
	*ret = (uint32_t)value;
	return 1;
}

/* The ids alone. 1, 0 if it is nobody else, -EINVAL. */
static int find_ids(uid_t *ret_uid, gid_t *ret_gid)
{
	int r;

	if (geteuid() != 0)
		return 0;
	r = id_from_environment("SUDO_UID", ret_uid);
	if (r <= 0)
		return r;
	if (id_from_environment("SUDO_GID", ret_gid) != 1)
		return -EINVAL;
	return *ret_uid != 0;
}

static void text_set(char *to, size_t size, const char *from)
{
	size_t len;

	if (!from || strlen(from) >= size)
		from = "";
	len = strlen(from);
	memcpy(to, from, len);
	to[len] = '\0';
}

static void find_user(struct invoker *v)
{
	char bytes[16384];
	struct passwd entry, *found = NULL;

	v->groups[0] = v->gid;
	v->group_count = 1;
	if (getpwuid_r(v->uid, &entry, bytes, sizeof(bytes), &found) != 0 || !found)
		return;
	text_set(v->name, sizeof(v->name), entry.pw_name);
	text_set(v->home, sizeof(v->home), entry.pw_dir);
	text_set(v->shell, sizeof(v->shell), entry.pw_shell);
	v->group_count = INVOKER_MAX_GROUPS;
	if (getgrouplist(entry.pw_name, v->gid, v->groups, &v->group_count) < 0)
		v->group_count = INVOKER_MAX_GROUPS; /* as many as there is room for */
}

int invoker_find(struct invoker *ret, struct err *err)
{
	struct invoker v = { 0 };
	int r = find_ids(&v.uid, &v.gid);

	if (r < 0)
		return err_set(err, r,
			       "SUDO_UID \"%s\" and SUDO_GID \"%s\" don't say who called sudo",
			       getenv("SUDO_UID"), getenv("SUDO_GID") ?: "");
	v.other = r == 1;
	if (v.other)
		find_user(&v);
	*ret = v;
	return 0;
}

static int set_environment(const char *name, const char *value)
{
	return (*value ? setenv(name, value, 1) : unsetenv(name)) < 0 ? -errno : 0;
}

int invoker_become(const struct invoker *v)
{
	int r;

	if (!v->other)
		return 0;
	if (setgroups((size_t)v->group_count, v->groups) < 0 ||
	    setresgid(v->gid, v->gid, v->gid) < 0 || setresuid(v->uid, v->uid, v->uid) < 0)
		return -errno;
	r = set_environment("HOME", *v->home ? v->home : "/");
	if (r == 0)
		r = set_environment("USER", v->name);
	if (r == 0)
		r = set_environment("LOGNAME", v->name);
	return r < 0 ? r : set_environment("SHELL", v->shell);
}

int invoker_own(int fd)
{
	uid_t uid;
	gid_t gid;
	int r = find_ids(&uid, &gid);

	if (r <= 0)
		return r;
	/* EPERM: a file system without owners, on which everything is whoever mounted it's. */
	return fchown(fd, uid, gid) < 0 && errno != EPERM ? -errno : 0;
}
