/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who needs no token on this machine: root, and the members of the group "slowburn", by /etc/group
 * and /etc/passwd as they are when the server starts.
 */
#ifndef SERVER_AUTHORITY_H
#define SERVER_AUTHORITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define AUTHORITY_GROUP "slowburn"
#define AUTHORITY_MAX_UIDS 64u

struct authority {
	bool has_group;
	gid_t gid;
	uint32_t count;
	uid_t uids[AUTHORITY_MAX_UIDS]; /* root first, then who started us, then members */
	bool cut; /* there are more than fit: those need the token */
};

/* `root` is "" but in tests: what is before "/etc". Without the files there is no group. */
void authority_find(struct authority *ret, const char *root, uid_t own);

#endif
