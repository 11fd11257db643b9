/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * A task's cgroup in the hierarchy that the session chose. On hybrid and v1 hosts most tasks are in
 * the root of v2, which says nothing, so the ids are then those of a v1 controller's hierarchy. An id
 * is the inode number of the cgroup's directory in either.
 */
#ifndef BPF_CGROUP_BPF_H
#define BPF_CGROUP_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "bpf/controller.h"
#include "bpf/kernel.bpf.h"

/* Deeper than any hierarchy in use; deeper ones are matched by their lower end only. */
#define CGROUP_MAX_DEPTH 64

enum cgroup_subsys_id___kernel {
#define X(id, kernel_name, name) kernel_name##_cgrp_id,
	BPF_CONTROLLERS(X)
#undef X
};

const volatile __u32 cgroup_controller = BPF_CONTROLLER_NONE; /* enum bpf_controller */

/*
 * The verifier knows `cgroup_controller` and drops the other cases, also those of controllers that
 * this kernel lacks.
 */
static inline struct cgroup_subsys_state *cgroup_state(const struct task_struct *task)
{
	struct css_set *set = kernel_read(task, cgroups);

	switch (cgroup_controller) {
#define X(id, kernel_name, name)                                                                   \
	case BPF_CONTROLLER_##id:                                                                  \
		return kernel_read(set, subsys[bpf_core_enum_value(enum cgroup_subsys_id___kernel, \
								   kernel_name##_cgrp_id)]);
		BPF_CONTROLLERS(X)
#undef X
	default:
		return &kernel_read(set, dfl_cgrp)->self;
	}
}

static inline __u64 cgroup_id(const struct cgroup_subsys_state *state)
{
	const struct cgroup *cgroup = kernel_read(state, cgroup);
	const struct kernfs_node *node = kernel_read(cgroup, kn);

	return kernel_read(node, id);
}

/* Is the cgroup `id`, or one below it? */
static inline int cgroup_is_within(struct cgroup_subsys_state *state, __u64 id)
{
	for (int i = 0; i < CGROUP_MAX_DEPTH && state; i++) {
		if (cgroup_id(state) == id)
			return 1;
		state = kernel_read(state, parent);
	}
	return 0;
}

#endif
