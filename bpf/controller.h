/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The controllers whose cgroup v1 hierarchy may give the cgroup ids. The kernel numbers them by its
 * configuration, so user space hands down our number, and the kernel's is found by CO-RE.
 *
 * X(identifier, kernel's name, "name in a v1 mount's options")
 */
#ifndef BPF_CONTROLLER_H
#define BPF_CONTROLLER_H

#define BPF_CONTROLLERS(X)                      \
	X(PIDS, pids, "pids")                   \
	X(MEMORY, memory, "memory")             \
	X(CPU, cpu, "cpu")                      \
	X(CPUACCT, cpuacct, "cpuacct")          \
	X(CPUSET, cpuset, "cpuset")             \
	X(IO, io, "blkio")                      \
	X(DEVICES, devices, "devices")          \
	X(FREEZER, freezer, "freezer")          \
	X(NET_CLS, net_cls, "net_cls")          \
	X(NET_PRIO, net_prio, "net_prio")       \
	X(PERF_EVENT, perf_event, "perf_event") \
	X(HUGETLB, hugetlb, "hugetlb")

enum bpf_controller {
	BPF_CONTROLLER_NONE, /* the v2 hierarchy */
#define X(id, kernel_name, name) BPF_CONTROLLER_##id,
	BPF_CONTROLLERS(X)
#undef X
		BPF_CONTROLLER_COUNT
};

#endif
