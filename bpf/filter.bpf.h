/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Which samples are wanted. The switches are read-only data: the verifier knows their values when
 * it loads the programs, and a filter that is off is not even there.
 */
#ifndef BPF_FILTER_BPF_H
#define BPF_FILTER_BPF_H

#include "bpf/cgroup.bpf.h"
#include "bpf/comm.bpf.h"
#include "bpf/maps.bpf.h"

#define FILTER_MAX_COMMS 16

const volatile __u32 filter_targets; /* only processes in `targets` */
const volatile __u32 filter_threads; /* only threads in `threads` */
const volatile __u32 filter_user_only;
const volatile __u32 filter_kernel_only;
const volatile __u32 filter_comm_count;
const volatile __u64 filter_comms[FILTER_MAX_COMMS][2]; /* the thread's or the process's */
const volatile __u64 filter_cgroup; /* 0: off */

static inline int filter_has_comm(struct comm comm)
{
	for (__u32 i = 0; i < FILTER_MAX_COMMS && i < filter_comm_count; i++) {
		if (filter_comms[i][0] == comm.low && filter_comms[i][1] == comm.high)
			return 1;
	}
	return 0;
}

static inline int filter_accepts(const struct task_struct *task, int in_kernel)
{
	__u32 id;

	if (filter_user_only && in_kernel)
		return 0;
	if (filter_kernel_only && !in_kernel)
		return 0;
	id = kernel_read(task, tgid);
	if (filter_targets && !bpf_map_lookup_elem(&targets, &id))
		return 0;
	id = kernel_read(task, pid);
	if (filter_threads && !bpf_map_lookup_elem(&threads, &id))
		return 0;
	if (filter_comm_count && !filter_has_comm(comm_of(task)) &&
	    !filter_has_comm(comm_of(kernel_read(task, group_leader))))
		return 0;
	if (filter_cgroup && !cgroup_is_within(cgroup_state(task), filter_cgroup))
		return 0;
	return 1;
}

#endif
