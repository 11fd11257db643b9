// SPDX-License-Identifier: Apache-2.0
/*
 * Each question makes the thing and closes it. libbpf_probe_bpf_helper() was refused: it takes -EPERM
 * for a yes. The programs are a handful of instructions, so that nothing but what is asked for can be
 * the reason of a refusal.
 */
#include "profiler/collect/probe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <malloc.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"

#define INSN_CALL(helper)                                            \
	{                                                            \
		.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_##helper \
	}
#define INSN_MOVE(to, from)                                                   \
	{                                                                     \
		.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_##to, \
		.src_reg = BPF_REG_##from                                     \
	}
#define INSN_ZERO(to)                                                                  \
	{                                                                              \
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_##to, .imm = 0 \
	}
#define INSN_EXIT                          \
	{                                  \
		.code = BPF_JMP | BPF_EXIT \
	}
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* All return a descriptor or a negative errno. */

static int map_create(enum bpf_map_type type, uint32_t bytes, uint32_t entries)
{
	int fd = bpf_map_create(type, "probe", bytes, bytes, entries, NULL);

	return fd < 0 ? -errno : fd;
}

static int program_load(enum bpf_prog_type type, const struct bpf_insn *insns, size_t count,
			const struct bpf_prog_load_opts *opts)
{
	int fd = bpf_prog_load(type, "probe", "GPL", insns, count, opts);

	return fd < 0 ? -errno : fd;
}

static int idle_program(void)
{
	static const struct bpf_insn insns[] = { INSN_ZERO(0), INSN_EXIT };

	return program_load(BPF_PROG_TYPE_PERF_EVENT, insns, COUNT(insns), NULL);
}

static int registers_program(void)
{
	static const struct bpf_insn insns[] = {
		INSN_CALL(get_current_task_btf),
		INSN_MOVE(1, 0),
		INSN_CALL(task_pt_regs),
		INSN_ZERO(0),
		INSN_EXIT,
	};

	return program_load(BPF_PROG_TYPE_PERF_EVENT, insns, COUNT(insns), NULL);
}

static int tracing_program(void)
{
	static const struct bpf_insn insns[] = { INSN_ZERO(0), INSN_EXIT };
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_RAW_TP);
	int id = libbpf_find_vmlinux_btf_id("sched_process_fork", BPF_TRACE_RAW_TP);

	malloc_trim(0); /* the kernel's types: 20 MiB */
	if (id < 0)
		return id;
	opts.attach_btf_id = (uint32_t)id;
	return program_load(BPF_PROG_TYPE_TRACING, insns, COUNT(insns), &opts);
}

static int event_open(uint32_t type, uint64_t config)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = type,
		.config = config,
		.sample_period = NS_PER_S,
		.disabled = 1,
	};
	int cpu = sched_getcpu();
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu < 0 ? 0 : cpu, -1,
			      PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int clock_event(void)
{
	return event_open(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK);
}

static int clock_event_with_program(void)
{
	_cleanup_(fd_close) int program = idle_program();
	_cleanup_(fd_close) int event = -1;

	if (program < 0)
		return program;
	event = clock_event();
	if (event >= 0 && ioctl(event, PERF_EVENT_IOC_SET_BPF, program) < 0)
		return -errno;
	return event < 0 ? event : take_fd(&event);
}

static int make(enum probe what)
{
	switch (what) {
	case PROBE_BPF:
		return map_create(BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), 1);
	case PROBE_RING_BUFFER:
		return map_create(BPF_MAP_TYPE_RINGBUF, 0, (uint32_t)sysconf(_SC_PAGESIZE));
	case PROBE_TASK_REGISTERS:
		return registers_program();
	case PROBE_TP_BTF:
		return tracing_program();
	case PROBE_PERF_EVENT:
		return clock_event();
	case PROBE_PERF_BPF:
		return clock_event_with_program();
	case PROBE_CYCLES:
		return event_open(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES);
	case PROBE_COUNT:
		break;
	}
	return -EINVAL;
}

int probe_kernel(enum probe what)
{
	libbpf_print_fn_t before = libbpf_set_print(NULL);
	_cleanup_(fd_close) int fd = make(what);

	libbpf_set_print(before);
	return fd < 0 ? fd : 0;
}
