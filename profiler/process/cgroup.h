/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroup ids and their paths. An id is the inode number of the cgroup's directory, in v1 as in v2.
 *
 * Which hierarchy speaks for a process: v2 where it is the only one; on hybrid and v1 hosts the v2 id
 * is often the root's for everything, so then the first mounted one of pids, memory, cpu.
 */
#ifndef PROCESS_CGROUP_H
#define PROCESS_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/err.h"
#include "profiler/process/source.h"

/* The controller's name of a v1 hierarchy ("pids"), or "" for v2. */
struct cgroup_hierarchy {
	char controller[32];
	char mount[256]; /* where it is mounted; "" if nowhere */
};

/* Reads /proc/self/mountinfo and /proc/self/cgroup. */
int cgroup_hierarchy_choose(struct cgroup_hierarchy *ret, struct err *err);

/* The same from the texts of those files: any bytes. */
void cgroup_hierarchy_parse(const char *mounts, size_t mounts_len, const char *cgroups,
			    size_t cgroups_len, struct cgroup_hierarchy *ret);

/*
 * The path in a text of /proc/PID/cgroup, any bytes, for a v1 controller or "" for v2, in `size` bytes.
 * 0; -ENOENT when the hierarchy isn't in it; -EINVAL, -E2BIG.
 */
int cgroup_path_parse(const char *text, size_t len, const char *controller, char *ret_path,
		      size_t size);

/*
 * The cgroup that a user names: an absolute directory in a cgroup mount, or a path in the chosen
 * hierarchy. On success `h` is set to the hierarchy that it is in and *ret_id to its id.
 */
int cgroup_find(const char *path, struct cgroup_hierarchy *h, uint64_t *ret_id, struct err *err);

struct cgroup_names;

int cgroup_names_new(struct cgroup_names **ret, const struct cgroup_hierarchy *h,
		     const struct process_source *source);
void cgroup_names_free(struct cgroup_names *n);

/*
 * Learns the path of cgroup `id` from a process that is in it, while both are there. It may walk the
 * hierarchy (bounded: 65,536 directories, at most once a second). An id that isn't found is looked for
 * 4 times, at least a second apart: calling it again for each sample costs a look-up.
 */
void cgroup_names_learn(struct cgroup_names *n, uint64_t id, uint32_t pid);

/* Enters what a recording says. 0 or -ENOMEM, -E2BIG. */
int cgroup_names_set(struct cgroup_names *n, uint64_t id, const char *path);

/* How many ids are known, or were asked about; and are they nearly as many as there may be? */
uint32_t cgroup_names_count(const struct cgroup_names *n);
bool cgroup_names_is_full(const struct cgroup_names *n);

/* The path from the hierarchy's root ("/system.slice/ssh.service"), or NULL if it was not learnt. */
const char *cgroup_names_path(const struct cgroup_names *n, uint64_t id);

#endif
