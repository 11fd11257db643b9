/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The stacks of a sample.
 *
 * The kernel walks its own. A user stack is walked here, never by bpf_get_stack(BPF_F_USER_STACK),
 * which raced with uprobes and crashed kernels before 6.13. The step is a global function: those are
 * verified once, not once for each of the 1,023 rounds of the loop that calls it, and so it finds its
 * state in the scratch memory instead of taking arguments.
 */
#ifndef BPF_FRAMES_BPF_H
#define BPF_FRAMES_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "bpf/arch_x86.bpf.h"
#include "bpf/frame_pointer.h"
#include "bpf/kernel.bpf.h"
#include "bpf/maps.bpf.h"

#define FRAMES_COMPAT_END (1ULL << 32)

static inline int frames_push(struct record_sample *sample, enum record_frame_kind kind, __u64 addr)
{
	__u32 n = sample->kernel_frames + sample->user_frames;

	if (n >= RECORD_MAX_FRAMES)
		return 0;
	sample->frames[n] = (__u64)kind << FRAME_KIND_SHIFT | addr;
	sample->user_frames++;
	return 1;
}

/* From a frame to its caller. STACK_END_NONE to go on, else why the stack ends here. */
__attribute__((noinline)) int frames_step(void)
{
	struct scratch *s = scratch_get();
	struct frame_pair pair;
	__u64 fp;

	if (!s)
		return STACK_END_BAD_READ;
	fp = s->fp;
	if (bpf_probe_read_user(&pair, sizeof(pair), (void *)fp))
		return STACK_END_BAD_READ;
	if (!pair.return_address)
		return STACK_END_BOTTOM;
	if (!frame_pointer_is_code(pair.return_address, s->user_end))
		return STACK_END_BAD_FRAME;
	if (!frames_push(&s->sample, FRAME_POINTER, pair.return_address - 1))
		return STACK_END_TOO_DEEP;
	if (!pair.fp)
		return STACK_END_BOTTOM;
	if (!frame_pointer_is_sane(pair.fp, fp + sizeof(pair), s->user_end))
		return STACK_END_BAD_FRAME;
	s->fp = pair.fp;
	return STACK_END_NONE;
}

/*
 * Where user space was left, if not in s->user. While exec replaces the image (its mm has no code yet)
 * the saved registers are those of the old one, and mean nothing in the new.
 */
static inline int frames_saved_registers(struct task_struct *task, const struct mm_struct *mm,
					 struct registers *ret)
{
	if (mm && !kernel_read(mm, start_code))
		return 0;
	/* Since 5.15. */
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		arch_saved_registers((void *)bpf_task_pt_regs(task), ret);
	else
		arch_stacked_registers(kernel_read(task, stack), ret);
	return ret->ip != 0; /* 0: a kernel worker in a process (io_uring) */
}

/*
 * The user stack, behind the kernel's; why it ends where it does. Global, as the step is: for each pointer
 * that is followed in a task the verifier searches all names of the kernel's types (0.3 ms and more), on
 * each path that leads there.
 */
__attribute__((noinline)) int frames_user(void)
{
	struct task_struct *task = kernel_current();
	const struct mm_struct *mm = kernel_read(task, mm);
	struct scratch *s = scratch_get();

	if (!s || kernel_read(task, flags) & PF_KTHREAD)
		return STACK_END_NONE;
	if (s->sample.flags & RECORD_FLAG_KERNEL && !frames_saved_registers(task, mm, &s->user))
		return STACK_END_NONE;
	frames_push(&s->sample, FRAME_REGISTER, s->user.ip & FRAME_ADDR_MASK);

	/* The memory of an exiting task is gone, and what is mapped now may be another's. */
	if (!mm)
		return STACK_END_BAD_READ;
	s->user_end = kernel_read(mm, task_size);
	if (s->user_end <= FRAMES_COMPAT_END)
		return STACK_END_COMPAT;
	/*
	 * 0 here says nothing: code without frame pointers keeps it in that register all the time. In
	 * a chain that was believed so far it is the outermost frame's mark.
	 */
	if (!frame_pointer_is_sane(s->user.fp, s->user.sp, s->user_end))
		return STACK_END_BAD_FRAME;
	s->fp = s->user.fp;
	for (int i = 0; i < RECORD_MAX_USER_FRAMES - 1; i++) {
		int end = frames_step();

		if (end != STACK_END_NONE)
			return end;
	}
	return STACK_END_TOO_DEEP;
}

/*
 * False if the kernel did not walk its stack, as when the tick interrupted a guest of KVM. The leaf is
 * known even then: without it the time would be taken for the caller's in user space.
 */
static inline int frames_kernel(struct record_sample *sample, struct bpf_perf_event_data *ctx)
{
	long bytes =
		bpf_get_stack(ctx, sample->frames, RECORD_MAX_KERNEL_FRAMES * sizeof(__u64), 0);

	if (bytes <= 0) {
		sample->frames[0] = ctx->regs.rip;
		sample->kernel_frames = 1;
		return 0;
	}
	/* After the leaf they are return addresses: point into the call. */
	for (__u32 i = 1; i < RECORD_MAX_KERNEL_FRAMES && i < bytes / sizeof(__u64); i++)
		sample->frames[i]--;
	sample->kernel_frames = bytes / sizeof(__u64);
	return 1;
}

#endif
