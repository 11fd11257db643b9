/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much memory our cgroup lets us use: the least of its own limit and those above it, in v2 or in v1's
 * memory hierarchy.
 */
#ifndef COMMAND_MEMORY_LIMIT_H
#define COMMAND_MEMORY_LIMIT_H

#include <stddef.h>
#include <stdint.h>

#define MEMORY_LIMIT_NONE UINT64_MAX

/*
 * From the texts of /proc/self/mountinfo and /proc/self/cgroup, any bytes, and the files that they lead to
 * below `root` ("" but in tests). MEMORY_LIMIT_NONE where there is none, or none can be seen.
 */
uint64_t memory_limit_read(const char *root, const char *mounts, size_t mounts_len,
			   const char *cgroups, size_t cgroups_len);

/* Ours. */
uint64_t memory_limit_find(void);

#endif
