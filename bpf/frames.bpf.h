/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The stacks of a sample.
 *
 * The kernel walks its own. A user stack is walked here, never by bpf_get_stack(BPF_F_USER_STACK),
 * which raced with uprobes and crashed kernels before 6.13: by the tables that user space has filled
 * in (tables.h); by frame pointer where a process, or some of its code, has none.
 *
 * The step is a global function: those are verified once, not once for each of the 1,023 rounds of the
 * loop that calls it, and so it finds its state in the scratch memory instead of taking arguments.
 */
#ifndef BPF_FRAMES_BPF_H
#define BPF_FRAMES_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "bpf/arch_x86.bpf.h"
#include "bpf/kernel.bpf.h"
#include "bpf/maps.bpf.h"
#include "bpf/tables.bpf.h"
#include "bpf/unwind_step.h"

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

/* ---- what the step reads ---- */

/*
 * A page of the stack at once: a read costs as much as the call of the helper, and several frames lie
 * on one page.
 */
UNWIND_INLINE int frames_read(void *scratch, __u64 addr, __u64 *ret)
{
	const __u64 within = SCRATCH_WINDOW_BYTES - 1;
	struct scratch *s = scratch;

	if (addr & 7)
		return 1;
	if ((addr & ~within) != s->window_addr) {
		s->window_addr = 1;
		if (bpf_probe_read_user(s->window, sizeof(s->window), (void *)(addr & ~within)))
			return 1;
		s->window_addr = addr & ~within;
	}
	*ret = s->window[(addr & within) / sizeof(__u64)];
	return 0;
}

UNWIND_INLINE int frames_register(void *scratch, __u32 number, __u64 *ret)
{
	const struct scratch *s = scratch;

	*ret = s->user.general[number & (ARCH_REGISTERS - 1)];
	return 0;
}

/* ---- a step ---- */

/* The mapping of the frame's address; those of most frames are that of the frame before. */
__attribute__((noinline)) int frames_find_mapping(void)
{
	struct scratch *s = scratch_get();

	if (!s)
		return 0;
	if (tables_mapping(&s->process, s->frame.ip, &s->mapping))
		return 1;
	s->mapping.end = 0;
	return 0;
}

/* The rule for code in no file. */
UNWIND_INLINE void frames_rule_of_code(const struct unwind_frame *f, struct unwind_rule *ret)
{
	__u64 next = f->flags & UNWIND_EXACT ? f->ip : f->ip + 1, code = 0;

	if (!bpf_probe_read_user(&code, UNWIND_EXIT_BYTES, (void *)next) &&
	    unwind_by_exit(code, ret))
		return;
	*ret = (struct unwind_rule){ .kind = UNWIND_FRAME_POINTER };
}

/* The rule for the frame. STACK_END_NONE, or why there is none. */
UNWIND_INLINE int frames_rule(struct scratch *s, struct unwind_rule *ret)
{
	__u64 ip = s->frame.ip;
	const struct unwind_rule *rule;
	__u32 number;

	if ((ip < s->mapping.start || ip >= s->mapping.end) && !frames_find_mapping())
		return STACK_END_NO_MAPPING;
	if (s->mapping.kind == UNWIND_MAPPING_UNRESOLVED)
		return STACK_END_NOT_COMPILED;
	if (s->mapping.kind == UNWIND_MAPPING_REFUSED)
		return STACK_END_UNSUPPORTED;
	if (s->mapping.kind != UNWIND_MAPPING_FILE) {
		frames_rule_of_code(&s->frame, ret);
		return STACK_END_NONE;
	}
	number = tables_rule(s->mapping.exe, ip - s->mapping.start + s->mapping.vaddr);
	rule = bpf_map_lookup_elem(&rules, &number);
	if (!rule)
		return STACK_END_NOT_COMPILED;
	*ret = *rule;
	return STACK_END_NONE;
}

/* From a frame to its caller. STACK_END_NONE to go on, else why the stack ends here. */
__attribute__((noinline)) int frames_step(void)
{
	struct scratch *s = scratch_get();
	struct unwind_source from = { .read = frames_read, .leaf_register = frames_register };
	struct unwind_rule rule;
	int end;

	if (!s)
		return STACK_END_BAD_READ;
	end = frames_rule(s, &rule);
	if (end != STACK_END_NONE)
		return end;
	from.memory = s;
	from.user_end = s->user_end;
	from.first_sp = s->first_sp;
	from.thread_pointer = s->thread_pointer;
	end = unwind_step(&rule, &s->frame, &from);
	if (end != UNWIND_END_NONE)
		return record_stack_end(end);
	if (!frames_push(&s->sample, s->frame.flags & UNWIND_GUESSED ? FRAME_POINTER : FRAME_TABLE,
			 s->frame.ip))
		return STACK_END_TOO_DEEP;
	return STACK_END_NONE;
}

/* ---- where it begins ---- */

/*
 * Where user space was left, if not in s->user. While exec replaces the image (its mm has no code yet)
 * the saved registers are those of the old one, and mean nothing in the new.
 *
 * A system call leaves the address behind its instruction, which may be another function's already. So
 * the instruction itself is taken; by what it is, since after an exec or on the way to a signal
 * handler, too, the registers say that a system call is under way.
 */
static inline int frames_saved_registers(struct task_struct *task, const struct mm_struct *mm,
					 struct registers *ret)
{
	int in_syscall;
	__u16 instruction;

	if (mm && !kernel_read(mm, start_code))
		return 0;
	/* Since 5.15. */
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		in_syscall = arch_saved_registers((void *)bpf_task_pt_regs(task), ret);
	else
		in_syscall = arch_stacked_registers(kernel_read(task, stack), ret);
	if (in_syscall &&
	    !bpf_probe_read_user(&instruction, sizeof(instruction),
				 (void *)(ret->ip - sizeof(instruction))) &&
	    instruction == ARCH_SYSCALL)
		ret->ip--;
	return ret->ip != 0; /* 0: a kernel worker in a process (io_uring) */
}

/* The leaf, and whether its process has tables by which its callers can be found. */
static inline void frames_begin(struct scratch *s)
{
	struct record_sample *sample = &s->sample;

	s->frame = (struct unwind_frame){
		.ip = s->user.ip,
		.sp = s->user.general[ARCH_SP],
		.fp = s->user.general[ARCH_FP],
		.flags = UNWIND_EXACT,
	};
	s->window_addr = 1;
	s->mapping.end = 0;
	if (tables_process(sample->tgid, sample->start_ns, sample->exec_id, &s->process) &&
	    s->process.count)
		sample->stamp = s->process.stamp;
	else
		sample->flags |= RECORD_FLAG_NO_TABLES;
}

/* ---- where it can't go on ---- */

/*
 * User space finds the rest of the stack when it has what is missing here: from the frame's registers and a copy
 * of the stack. Not if that would fill the ring: then samples would be lost. 0: there is none.
 */
static inline int rest_has_room(const struct scratch *s)
{
	void *ring = ring_get(s->sample.cpu);
	__u64 used, size;

	if (!ring)
		return 0;
	used = bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA);
	size = bpf_ringbuf_query(ring, BPF_RB_RING_SIZE);
	return used + sizeof(s->bytes) <= size / 2;
}

/* The frame's state, at `to`. */
static inline void rest_fill(const struct scratch *s, struct record_rest *to)
{
	int is_leaf = s->frame.flags & UNWIND_EXACT && !s->frame.context &&
		      !(s->frame.flags & UNWIND_NO_REGISTERS);

	to->ip = s->frame.ip;
	to->sp = s->frame.sp;
	to->fp = s->frame.fp;
	to->context = s->frame.context;
	to->user_end = s->user_end;
	to->first_sp = s->first_sp;
	to->flags = s->frame.flags;
	for (int i = 0; i < RECORD_REGISTERS; i++)
		to->general[i] = is_leaf ? s->user.general[i] : 0;
}

/* No piece lies on two pages. One more than a copy has: it may begin in the middle of one. */
#define REST_PIECE_BYTES 1024
#define REST_PIECES (RECORD_MAX_STACK_BYTES / REST_PIECE_BYTES + 1)

/*
 * Behind byte `at` of the record, up to what can't be read, or as much as there is room for; nothing above a
 * thread's frames. What is first may not be there: a process that was interrupted as it reached a new page of its stack
 * has nothing on it.
 */
static inline void rest_copy(struct scratch *s, struct record_rest *rest, __u32 at)
{
	__u64 from = (s->frame.sp - RECORD_RED_ZONE) & ~7ULL;
	__u64 end = from + RECORD_MAX_STACK_BYTES;
	__u32 done = 0;

	if (s->frame.sp < s->first_sp && s->first_sp < end)
		end = s->first_sp & ~7ULL;
	if (s->frame.sp < s->thread_pointer && s->thread_pointer < end)
		end = s->thread_pointer & ~7ULL;
	rest->stack = from;
	for (int i = 0; i < REST_PIECES && from < end; i++) {
		__u32 size = REST_PIECE_BYTES - (from & (REST_PIECE_BYTES - 1));
		__u32 to = at + done;

		if (to > sizeof(s->bytes) - REST_PIECE_BYTES)
			break;
		from += size;
		if (!bpf_probe_read_user(s->bytes + to, size, (void *)(from - size)))
			done += size;
		else if (done)
			break;
		else
			rest->stack = from;
	}
	rest->bytes = done && rest->stack + done > end ? end - rest->stack : done;
}

/* The sample may have to do without. Global, as the step is: so it returns something, which says nothing. */
__attribute__((noinline)) int frames_rest(void)
{
	struct scratch *s = scratch_get();
	struct record_rest *rest;
	__u32 at;

	if (!s)
		return 0;
	if (!rest_has_room(s)) {
		struct bpf_tally *tally = tally_get();

		if (tally)
			tally->count[BPF_COUNTER_STACKS_UNCOPIED]++;
		return 0;
	}
	at = sample_bytes(&s->sample);
	if (at > RECORD_MAX_BYTES)
		return 0;
	rest = (struct record_rest *)(s->bytes + at);
	rest_fill(s, rest);
	rest_copy(s, rest, at + sizeof(*rest));
	s->rest_bytes = sizeof(*rest) + rest->bytes;
	s->sample.flags |= RECORD_FLAG_REST;
	return 0;
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

	/* The memory of an exiting task is gone, and what is mapped now may be another's. */
	if (!s || !mm || kernel_read(task, flags) & PF_KTHREAD)
		return STACK_END_NONE;
	if (s->sample.flags & RECORD_FLAG_KERNEL && !frames_saved_registers(task, mm, &s->user))
		return STACK_END_NONE;
	frames_push(&s->sample, FRAME_REGISTER, s->user.ip & FRAME_ADDR_MASK);

	s->user_end = kernel_read(mm, task_size);
	if (s->user_end <= FRAMES_COMPAT_END)
		return STACK_END_COMPAT;
	s->first_sp = kernel_read(mm, start_stack);
	s->thread_pointer = arch_thread_pointer(task);
	frames_begin(s);
	if (s->sample.flags & RECORD_FLAG_NO_TABLES) {
		frames_rest();
		return STACK_END_NO_MAPPING;
	}
	for (int i = 0; i < RECORD_MAX_USER_FRAMES - 1; i++) {
		int end = frames_step();

		/* A guess that leads nowhere is no stack that user space could find more of. */
		if (end == STACK_END_NOT_COMPILED ||
		    (end == STACK_END_NO_MAPPING && !(s->frame.flags & UNWIND_GUESSED)))
			frames_rest();
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
