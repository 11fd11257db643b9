/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this kernel can do and lets us do, asked of it by doing the smallest thing that needs it. Versions
 * are not looked at: distributions backport, and lockdown, seccomp and security modules refuse.
 */
#ifndef COLLECT_PROBE_H
#define COLLECT_PROBE_H

enum probe {
	PROBE_BPF, /* bpf(2): a map */
	PROBE_RING_BUFFER, /* a BPF_MAP_TYPE_RINGBUF */
	PROBE_TASK_REGISTERS, /* bpf_task_pt_regs(bpf_get_current_task_btf()) in a perf_event program */
	PROBE_TP_BTF, /* a tp_btf program on sched_process_fork */
	PROBE_PERF_EVENT, /* a cpu-clock event of a CPU */
	PROBE_PERF_BPF, /* a BPF program attached to it */
	PROBE_CYCLES, /* the cycles event of a CPU: a PMU */
	PROBE_COUNT
};

/*
 * 0 if it works; else the negative errno that says why not: -EPERM and -EACCES are about who asks, all
 * others about the kernel. What was made for it is gone again. One thread: libbpf's printing is switched
 * off meanwhile.
 */
int probe_kernel(enum probe what);

#endif
