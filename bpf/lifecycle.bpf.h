/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The filter follows processes: a child is wanted as its parent is, exec changes nothing.
 *
 * A process is forgotten when its leader's task is freed, which is after the last thread and after the
 * parent's wait. At sched_process_exit it would be too early: a leader may exit before its threads,
 * and tearing down the memory of a process is work of that process. Until then its tgid can't be
 * another's, except for the grace period before the free; there the start times differ.
 */
#ifndef BPF_LIFECYCLE_BPF_H
#define BPF_LIFECYCLE_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/kernel.bpf.h"
#include "bpf/maps.bpf.h"

SEC("tp_btf/sched_process_fork")
int BPF_PROG(target_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 from = parent->tgid, to = child->tgid;
	__u64 start_ns = child->start_boottime;
	struct bpf_tally *tally;

	if (from == to || !bpf_map_lookup_elem(&targets, &from))
		return 0;
	if (!bpf_map_update_elem(&targets, &to, &start_ns, BPF_ANY))
		return 0;
	tally = tally_get();
	if (tally)
		tally->count[BPF_COUNTER_TARGETS_FULL]++;
	return 0;
}

SEC("tp_btf/sched_process_free")
int BPF_PROG(target_free, struct task_struct *task)
{
	__u32 tgid = task->tgid;
	__u64 *start_ns;

	if (task->pid != task->tgid)
		return 0;
	start_ns = bpf_map_lookup_elem(&targets, &tgid);
	if (start_ns && (!*start_ns || *start_ns == task->start_boottime))
		bpf_map_delete_elem(&targets, &tgid);
	return 0;
}

#endif
