/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What is kept of a process follows it: a child is wanted as its parent is, and unwinds by the same
 * tables, from its first moment. exec changes nothing for the filter, and leaves nothing of the tables.
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

#include "bpf/filter.bpf.h"
#include "bpf/kernel.bpf.h"
#include "bpf/maps.bpf.h"
#include "bpf/tables.bpf.h"

static inline void lifecycle_count(enum bpf_counter counter)
{
	struct bpf_tally *tally = tally_get();

	if (tally)
		tally->count[counter]++;
}

static inline void target_fork(__u32 from, __u32 to, __u64 start_ns)
{
	if (bpf_map_lookup_elem(&targets, &from) &&
	    bpf_map_update_elem(&targets, &to, &start_ns, BPF_ANY))
		lifecycle_count(BPF_COUNTER_TARGETS_FULL);
}

static inline void target_free(__u32 tgid, __u64 start_ns)
{
	const __u64 *is = bpf_map_lookup_elem(&targets, &tgid);

	if (is && (!*is || *is == start_ns))
		bpf_map_delete_elem(&targets, &tgid);
}

static inline void process_set(__u32 tgid, const struct unwind_process *p)
{
	if (bpf_map_update_elem(&processes, &tgid, p, BPF_ANY))
		lifecycle_count(BPF_COUNTER_PROCESSES_FULL);
}

/* The memory of the child is a copy of its parent's, or the same. */
static inline void process_fork(const struct task_struct *parent, __u32 to, __u64 start_ns,
				__u32 exec_id)
{
	const struct task_struct *leader = parent->group_leader;
	struct unwind_process p;

	if (!tables_process(parent->tgid, leader->start_boottime, leader->self_exec_id, &p))
		return;
	p.start_ns = start_ns;
	p.exec_id = exec_id;
	p.since_ns = bpf_ktime_get_ns();
	process_set(to, &p);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(lifecycle_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 from = parent->tgid, to = child->tgid;
	__u64 start_ns = child->start_boottime;

	if (from == to)
		return 0;
	if (filter_targets)
		target_fork(from, to, start_ns);
	process_fork(parent, to, start_ns, child->self_exec_id);
	return 0;
}

/*
 * Another image, of which nothing is known. Its entry, with no mappings, tells user space how it is
 * called before its first sample does, so that there may be tables in it by then.
 */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(lifecycle_exec, struct task_struct *task)
{
	struct unwind_process p = {
		.start_ns = task->start_boottime,
		.exec_id = task->self_exec_id,
		.since_ns = bpf_ktime_get_ns(),
	};
	__u32 tgid = task->tgid;

	process_set(tgid, &p);
	return 0;
}

SEC("tp_btf/sched_process_free")
int BPF_PROG(lifecycle_free, struct task_struct *task)
{
	__u64 start_ns = task->start_boottime;
	const struct unwind_process *p;
	__u32 tgid = task->tgid;

	if (task->pid != task->tgid)
		return 0;
	if (filter_targets)
		target_free(tgid, start_ns);
	p = bpf_map_lookup_elem(&processes, &tgid);
	if (p && p->start_ns == start_ns)
		bpf_map_delete_elem(&processes, &tgid);
	return 0;
}

#endif
