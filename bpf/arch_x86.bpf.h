/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * x86-64: where registers are, in the two structures that name them differently: the one of a perf
 * event's context (uapi), and the one that the kernel saved when it was entered from user space.
 *
 * The mode is told by the sign of the instruction pointer, not by regs.cs: since FRED (6.9) cs is a
 * 16-bit member and the verifier refuses loads from the context that aren't 8 bytes.
 */
#ifndef BPF_ARCH_X86_BPF_H
#define BPF_ARCH_X86_BPF_H

#include <linux/types.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct pt_regs___kernel {
	unsigned long bp, ip, sp;
} __attribute__((preserve_access_index));

/* THREAD_SIZE: four pages, but for kernels with KASAN, which nobody profiles. */
#define ARCH_KERNEL_STACK_BYTES (4 * 4096)

/* What unwinding starts from. */
struct registers {
	__u64 ip, sp, fp;
};

static inline int arch_in_kernel(const struct bpf_perf_event_data *ctx)
{
	return (__s64)ctx->regs.rip < 0;
}

/*
 * volatile: else the compiler may first choose between two structures and then load, by an address
 * into the context that the verifier doesn't follow.
 */
static inline void arch_context_registers(const volatile struct bpf_perf_event_data *ctx,
					  struct registers *ret)
{
	ret->ip = ctx->regs.rip;
	ret->sp = ctx->regs.rsp;
	ret->fp = ctx->regs.rbp;
}

static inline void arch_saved_registers(const struct pt_regs___kernel *regs, struct registers *ret)
{
	ret->ip = regs->ip;
	ret->sp = regs->sp;
	ret->fp = regs->bp;
}

/* The same, where nobody says where they are: at the upper end of the kernel's stack. */
static inline void arch_stacked_registers(void *stack, struct registers *ret)
{
	const struct pt_regs___kernel *regs =
		stack + ARCH_KERNEL_STACK_BYTES - bpf_core_type_size(struct pt_regs___kernel);

	bpf_core_read(&ret->ip, sizeof(ret->ip), &regs->ip);
	bpf_core_read(&ret->sp, sizeof(ret->sp), &regs->sp);
	bpf_core_read(&ret->fp, sizeof(ret->fp), &regs->bp);
}

#endif
