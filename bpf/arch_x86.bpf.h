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

#include "bpf/kernel.bpf.h"

struct pt_regs___kernel {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, sp;
} __attribute__((preserve_access_index));

/* By their DWARF numbers. */
#define ARCH_GENERAL(X) \
	X(0, ax)        \
	X(1, dx)        \
	X(2, cx)        \
	X(3, bx)        \
	X(4, si)        \
	X(5, di)        \
	X(6, bp)        \
	X(7, sp)        \
	X(8, r8)        \
	X(9, r9)        \
	X(10, r10)      \
	X(11, r11)      \
	X(12, r12)      \
	X(13, r13)      \
	X(14, r14)      \
	X(15, r15)
#define ARCH_FP 6
#define ARCH_SP 7
#define ARCH_REGISTERS 16 /* a power of two */

/* Two bytes, as they are in memory. */
#define ARCH_SYSCALL 0x050f

/* THREAD_SIZE: four pages, but for kernels with KASAN, which nobody profiles. */
#define ARCH_KERNEL_STACK_BYTES (4 * 4096)

/* What unwinding starts from. */
struct registers {
	__u64 ip;
	__u64 general[ARCH_REGISTERS];
};

/*
 * Where a thread keeps what is its own: C libraries put that above its stack, in one mapping. A main thread's and other
 * languages' are anywhere.
 */
#define arch_thread_pointer(task) kernel_read(task, thread.fsbase)

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
	ret->general[0] = ctx->regs.rax;
	ret->general[1] = ctx->regs.rdx;
	ret->general[2] = ctx->regs.rcx;
	ret->general[3] = ctx->regs.rbx;
	ret->general[4] = ctx->regs.rsi;
	ret->general[5] = ctx->regs.rdi;
	ret->general[6] = ctx->regs.rbp;
	ret->general[7] = ctx->regs.rsp;
	ret->general[8] = ctx->regs.r8;
	ret->general[9] = ctx->regs.r9;
	ret->general[10] = ctx->regs.r10;
	ret->general[11] = ctx->regs.r11;
	ret->general[12] = ctx->regs.r12;
	ret->general[13] = ctx->regs.r13;
	ret->general[14] = ctx->regs.r14;
	ret->general[15] = ctx->regs.r15;
}

/*
 * The registers that the kernel saved. Was it entered by a system call, as far as they say? It needn't be
 * so.
 */
static inline int arch_saved_registers(const struct pt_regs___kernel *regs, struct registers *ret)
{
	ret->ip = regs->ip;
#define X(number, name) ret->general[number] = regs->name;
	ARCH_GENERAL(X)
#undef X
	return (__s64)regs->orig_ax >= 0;
}

/* The same, where nobody says where they are: at the upper end of the kernel's stack. */
static inline int arch_stacked_registers(void *stack, struct registers *ret)
{
	const struct pt_regs___kernel *regs =
		stack + ARCH_KERNEL_STACK_BYTES - bpf_core_type_size(struct pt_regs___kernel);
	__s64 orig_ax = -1;

	bpf_core_read(&ret->ip, sizeof(ret->ip), &regs->ip);
#define X(number, name) bpf_core_read(&ret->general[number], sizeof(__u64), &regs->name);
	ARCH_GENERAL(X)
#undef X
	bpf_core_read(&orig_ax, sizeof(orig_ax), &regs->orig_ax);
	return orig_ax >= 0;
}

#endif
