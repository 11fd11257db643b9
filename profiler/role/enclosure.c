// SPDX-License-Identifier: Apache-2.0
/*
 * One ruleset that knows every right that this kernel does, and gives back five of them below the directory. Refused: chroot(2), which takes
 * a capability, and which an open descriptor leads out of.
 */
#include "profiler/role/enclosure.h"

#include <errno.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

/* In the first version; REFER came with the second, TRUNCATE with the third. */
#define FIRST_RIGHTS ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)

static uint64_t rights_of(long version)
{
	return FIRST_RIGHTS | (version >= 3 ? LANDLOCK_ACCESS_FS_TRUNCATE : 0);
}

int enclosure_enter(int dirfd)
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_ruleset_attr all = { .handled_access_fs = rights_of(version) };
	struct landlock_path_beneath_attr store = {
		.allowed_access = (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
				   LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
				   LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_TRUNCATE) &
				  rights_of(version),
		.parent_fd = dirfd,
	};
	_cleanup_(fd_close) int ruleset = -1;

	/* Not in this kernel, switched off, or not for this container. */
	if (version < 0)
		return -EOPNOTSUPP;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all.handled_access_fs), 0);
	if (ruleset < 0 ||
	    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &store, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return -errno;
	return 0;
}
