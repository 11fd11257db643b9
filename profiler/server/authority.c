// SPDX-License-Identifier: Apache-2.0
/*
 * The two files are read as they are, as role/sandbox.c does and for its reason: getgrnam loads
 * libraries, and asks whoever /etc/nsswitch.conf names. Members who come from a directory service
 * need the token.
 */
#include "profiler/server/authority.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/cleanup.h"

#define MAX_ENTRY_BYTES 16384

static FILE *open_in(const char *root, const char *path)
{
	char full[PATH_MAX];
	int n = snprintf(full, sizeof(full), "%s%s", root, path);

	return n > 0 && (size_t)n < sizeof(full) ? fopen(full, "re") : NULL;
}

static void add(struct authority *a, uid_t uid)
{
	for (uint32_t i = 0; i < a->count; i++)
		if (a->uids[i] == uid)
			return;
	if (a->count == AUTHORITY_MAX_UIDS)
		a->cut = true;
	else
		a->uids[a->count++] = uid;
}

static bool is_member(const struct group *g, const char *name)
{
	for (char **m = g->gr_mem; *m; m++)
		if (strcmp(*m, name) == 0)
			return true;
	return false;
}

static void add_members(struct authority *a, const char *root, const struct group *g)
{
	_cleanup_(file_close) FILE *file = open_in(root, "/etc/passwd");
	struct passwd entry, *found;
	char text[1024];

	while (file && fgetpwent_r(file, &entry, text, sizeof(text), &found) == 0)
		if (found->pw_gid == g->gr_gid || is_member(g, found->pw_name))
			add(a, found->pw_uid);
}

void authority_find(struct authority *ret, const char *root, uid_t own)
{
	_cleanup_(file_close) FILE *file = open_in(root, "/etc/group");
	struct group entry, *found;
	char text[MAX_ENTRY_BYTES];

	*ret = (struct authority){ 0 };
	add(ret, 0);
	add(ret, own);
	while (file && fgetgrent_r(file, &entry, text, sizeof(text), &found) == 0) {
		/* Root's own group by another name would be everybody who has it. */
		if (strcmp(found->gr_name, AUTHORITY_GROUP) != 0 || !found->gr_gid)
			continue;
		ret->has_group = true;
		ret->gid = found->gr_gid;
		add_members(ret, root, found);
		return;
	}
}
