/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The few fields of kernel structures that we read. Their offsets are found in the running kernel's
 * BTF when the programs are loaded (CO-RE), so the order and the rest of each structure don't matter
 * here. Loads are BTF-typed: the verifier checks them and a bad pointer reads as zero;
 * bpf_probe_read_kernel() is refused under lockdown=confidentiality.
 *
 * Before 5.11 there is no typed pointer to begin with, and kernel_read() copies. Each use is a branch on
 * something that is constant when the program is loaded; the verifier removes the other side. Can be
 * deleted, with kernel_is_typed(), when 5.11 is the oldest kernel that anyone runs.
 */
#ifndef BPF_KERNEL_BPF_H
#define BPF_KERNEL_BPF_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define PF_KTHREAD 0x00200000

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kernfs_node {
	__u64 id;
};

struct cgroup;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup_subsys_state *subsys[1]; /* by enum cgroup_subsys_id */
	struct cgroup *dfl_cgrp; /* in the v2 hierarchy */
};

struct mm_struct {
	unsigned long task_size; /* the end of user addresses; below 4 GiB: a 32-bit process */
	unsigned long start_code; /* 0 from exec's point of no return until the new image runs */
	unsigned long start_stack; /* arguments and environment are above */
};

struct thread_struct {
	unsigned long fsbase; /* x86-64 */
};

struct task_struct {
	struct thread_struct thread;
	unsigned int flags;
	int pid;
	int tgid;
	struct task_struct *group_leader;
	struct mm_struct *mm;
	void *stack;
	struct css_set *cgroups;
	__u64 start_boottime;
	__u32 self_exec_id;
	char comm[16];
};

#pragma clang attribute pop

static inline int kernel_is_typed(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf);
}

/* The task that runs here. To be read by kernel_read() only, as all that it leads to. */
static inline struct task_struct *kernel_current(void)
{
	if (kernel_is_typed())
		return bpf_get_current_task_btf();
	return (struct task_struct *)bpf_get_current_task();
}

/* src->field. The comma takes `const` from the type. */
#define kernel_read(src, field)                                                \
	({                                                                     \
		__typeof__(((void)0, (src)->field)) value_;                    \
		if (kernel_is_typed())                                         \
			value_ = (src)->field;                                 \
		else                                                           \
			bpf_core_read(&value_, sizeof(value_), &(src)->field); \
		value_;                                                        \
	})

#endif
