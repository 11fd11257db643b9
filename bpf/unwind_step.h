/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The step from a frame to its caller by a rule of unwind.h.
 *
 *	          ┌────────────────┐  higher addresses are the callers' frames
 *	CFA ────► │ caller's frame │  the caller's sp
 *	CFA - 8   │ return address │
 *	          │ saved fp, …    │  somewhere here
 *	sp ─────► └────────────────┘
 *
 * A wrong frame is worse than a missing one: each step has to lead up the stack, to an aligned CFA
 * and an address that may be code. Plain C over a way to read memory that the caller brings, and
 * which is inlined: the kernel side, the tests and the unwinder on the host use the same lines.
 * x86-64: what is particular to it are the signal frame and the numbers of registers.
 */
#ifndef BPF_UNWIND_STEP_H
#define BPF_UNWIND_STEP_H

#include <linux/types.h>

#include "bpf/frame_pointer.h"
#include "bpf/unwind.h"

/* Why a stack ended. */
enum unwind_end {
	UNWIND_END_NONE, /* it didn't: there is a caller */
	UNWIND_END_BOTTOM, /* the outermost frame: the file says so, or its return address is 0 */
	UNWIND_END_NO_ROW, /* the file has no unwind information for this code */
	UNWIND_END_UNSUPPORTED, /* it has, but such that we can't follow it */
	UNWIND_END_LOST, /* by a register whose value isn't known in this frame */
	UNWIND_END_BAD_READ, /* stack memory not resident or not readable */
	UNWIND_END_BAD_FRAME, /* a CFA, fp or return address that can't be one */
	UNWIND_END_COUNT
};

/* flags of a frame */
#define UNWIND_EXACT 1 /* ip is where it stood, not a return address: leaf, or interrupted */
#define UNWIND_GUESSED 2 /* found by frame pointer */
#define UNWIND_FP_UNKNOWN 4 /* fp isn't the frame's */
#define UNWIND_NO_REGISTERS 8 /* UNWIND_EXACT, but its other registers aren't known */
#define UNWIND_FRAME_FLAGS 15u

struct unwind_frame {
	__u64 ip; /* to look up: the return address minus one, but where UNWIND_EXACT is set */
	__u64 sp, fp;
	__u64 context; /* of a frame that a signal interrupted: where its registers are; else 0 */
	__u32 flags;
	__u32 reserved;
};

/*
 * The 8 bytes at an address of the process. 0, or anything else if they can't be read.
 */
typedef int (*unwind_read_fn)(void *source, __u64 addr, __u64 *ret);
/* A register of the leaf, by its DWARF number (0 to 15, no other). 0 if it is known. */
typedef int (*unwind_register_fn)(void *source, __u32 number, __u64 *ret);

struct unwind_source {
	unwind_read_fn read;
	unwind_register_fn leaf_register;
	void *memory; /* what these get */
	__u64 user_end; /* the end of user addresses */
	/* sp of the main thread's first instruction: only arguments are above. 0: not known. */
	__u64 first_sp;
	__u64 thread_pointer; /* fs base. 0: not known */
};

#define UNWIND_INLINE static inline __attribute__((always_inline))

/*
 * struct sigcontext of x86-64 (arch/x86/include/uapi/asm/sigcontext.h) begins with r8 … r15, rdi,
 * rsi, rbp, rbx, rdx, rax, rcx, rsp, rip.
 */
#define UNWIND_CONTEXT_FP 10
#define UNWIND_CONTEXT_SP 15
#define UNWIND_CONTEXT_IP 16

/* The place there of a register with this DWARF number. */
UNWIND_INLINE __u32 unwind_context_slot(__u32 number)
{
	/* a nibble each for rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp */
	return number >= 8 ? number - 8 : 0xfa89becdU >> number * 4 & 15;
}

UNWIND_INLINE int unwind_register(const struct unwind_frame *f, const struct unwind_source *from,
				  __u32 number, __u64 *ret)
{
	if (number > 15 || !(f->flags & UNWIND_EXACT) || f->flags & UNWIND_NO_REGISTERS)
		return UNWIND_END_LOST;
	if (f->context)
		return from->read(from->memory, f->context + unwind_context_slot(number) * 8, ret)
			       ? UNWIND_END_BAD_READ
			       : UNWIND_END_NONE;
	return from->leaf_register(from->memory, number, ret) ? UNWIND_END_LOST : UNWIND_END_NONE;
}

UNWIND_INLINE int unwind_deref(const struct unwind_rule *rule, const struct unwind_source *from,
			       __u64 base, __u64 *ret_cfa)
{
	if (from->read(from->memory, base + (__s64)rule->cfa_offset, ret_cfa))
		return UNWIND_END_BAD_READ;
	*ret_cfa += unwind_rule_parameter(rule) * 8;
	return UNWIND_END_NONE;
}

UNWIND_INLINE int unwind_by_frame_pointer(const struct unwind_frame *f,
					  const struct unwind_source *from, __u64 *ret_cfa)
{
	/* 0 is the outermost frame's mark only at the end of a chain: elsewhere it says nothing. */
	if (f->fp == 0 && f->flags & UNWIND_GUESSED)
		return UNWIND_END_BOTTOM;
	if (!frame_pointer_is_sane(f->fp, f->sp, from->user_end))
		return UNWIND_END_BAD_FRAME;
	*ret_cfa = f->fp + sizeof(struct frame_pair);
	return UNWIND_END_NONE;
}

/* systemstack() leaves the goroutine's sp in its g, which is the m's current one: g0, where it runs, isn't. */
UNWIND_INLINE int unwind_goroutine(const struct unwind_rule *rule, const struct unwind_source *from,
				   __u64 *ret_cfa)
{
	__u64 at = from->thread_pointer + (__u64)(__s64)rule->fp_offset, sp = 0;

	if (!from->thread_pointer)
		return UNWIND_END_LOST;
	if (from->read(from->memory, at, &at) || from->read(from->memory, at + UNWIND_GO_M, &at) ||
	    from->read(from->memory, at + (__u64)(__s64)rule->cfa_offset, &at) ||
	    from->read(from->memory, at + UNWIND_GO_SCHED_SP, &sp))
		return UNWIND_END_BAD_READ;
	*ret_cfa = sp + sizeof(__u64);
	return UNWIND_END_NONE;
}

/*
 * asmcgocall() leaves how deep the goroutine's stack is, since that may be moved, and behind it the g; or sp, and
 * 0, if it was on the thread's own stack already.
 */
UNWIND_INLINE int unwind_go_calls_c(const struct unwind_rule *rule, const struct unwind_frame *f,
				    const struct unwind_source *from, __u64 *ret_cfa)
{
	__u64 at = f->sp + (__u64)(__s64)rule->cfa_offset, depth = 0, g = 0, sp = 0;

	if (from->read(from->memory, at, &depth) ||
	    from->read(from->memory, at + sizeof(depth), &g))
		return UNWIND_END_BAD_READ;
	sp = depth;
	if (g) {
		if (from->read(from->memory, g + UNWIND_GO_STACK_HI, &sp))
			return UNWIND_END_BAD_READ;
		sp -= depth;
	}
	*ret_cfa = sp + sizeof(__u64);
	return UNWIND_END_NONE;
}

UNWIND_INLINE int unwind_cfa(const struct unwind_rule *rule, const struct unwind_frame *f,
			     const struct unwind_source *from, __u64 *ret_cfa)
{
	__u64 offset = (__u64)(__s64)rule->cfa_offset, value = 0;
	int end = UNWIND_END_NONE;

	if (f->flags & UNWIND_FP_UNKNOWN &&
	    (rule->kind == UNWIND_FP || rule->kind == UNWIND_DEREF_FP ||
	     rule->kind == UNWIND_FRAME_POINTER))
		return UNWIND_END_LOST;
	switch (rule->kind) {
	case UNWIND_SP:
		*ret_cfa = f->sp + offset;
		return UNWIND_END_NONE;
	case UNWIND_FP:
		*ret_cfa = f->fp + offset;
		return UNWIND_END_NONE;
	case UNWIND_PLT:
		*ret_cfa = f->sp + offset + ((f->ip & 15) >= unwind_rule_parameter(rule)) * 8ULL;
		return UNWIND_END_NONE;
	case UNWIND_DEREF_SP:
		return unwind_deref(rule, from, f->sp, ret_cfa);
	case UNWIND_DEREF_FP:
		return unwind_deref(rule, from, f->fp, ret_cfa);
	case UNWIND_REGISTER:
		end = unwind_register(f, from, unwind_rule_parameter(rule), &value);
		*ret_cfa = value + offset;
		return end;
	case UNWIND_FRAME_POINTER:
		return unwind_by_frame_pointer(f, from, ret_cfa);
	case UNWIND_GOROUTINE:
		return unwind_goroutine(rule, from, ret_cfa);
	case UNWIND_GO_CALLS_C:
		return unwind_go_calls_c(rule, f, from, ret_cfa);
	case UNWIND_STOP:
		return UNWIND_END_BOTTOM;
	case UNWIND_NONE:
		return UNWIND_END_NO_ROW;
	default:
		return UNWIND_END_UNSUPPORTED;
	}
}

/* The frame that a signal interrupted: all of its registers were saved. */
UNWIND_INLINE int unwind_signal(const struct unwind_rule *rule, struct unwind_frame *f,
				const struct unwind_source *from)
{
	struct unwind_frame next = { .context = f->sp + (__u64)(__s64)rule->cfa_offset,
				     .flags = UNWIND_EXACT };

	if (from->read(from->memory, next.context + UNWIND_CONTEXT_IP * 8, &next.ip) ||
	    from->read(from->memory, next.context + UNWIND_CONTEXT_SP * 8, &next.sp) ||
	    from->read(from->memory, next.context + UNWIND_CONTEXT_FP * 8, &next.fp))
		return UNWIND_END_BAD_READ;
	if (!frame_pointer_is_code(next.ip, from->user_end) || next.sp >= from->user_end)
		return UNWIND_END_BAD_FRAME;
	/* The kernel puts it below what it interrupted, or on another stack: this one is made up. */
	if (next.sp == f->sp)
		return UNWIND_END_BAD_FRAME;
	*f = next;
	return UNWIND_END_NONE;
}

/* The caller's fp into next; by the frame `f` and its CFA. */
UNWIND_INLINE int unwind_caller_fp(const struct unwind_rule *rule, const struct unwind_frame *f,
				   const struct unwind_source *from, __u64 cfa,
				   struct unwind_frame *next)
{
	__u64 at = cfa + (__u64)(__s64)rule->fp_offset;

	if (rule->kind == UNWIND_FRAME_POINTER) {
		at = cfa - sizeof(struct frame_pair);
	} else if (unwind_rule_fp(rule) == UNWIND_FP_SAME) {
		next->fp = f->fp;
		next->flags |= f->flags & UNWIND_FP_UNKNOWN;
		return UNWIND_END_NONE;
	} else if (unwind_rule_fp(rule) == UNWIND_FP_LOST) {
		next->flags |= UNWIND_FP_UNKNOWN;
		return UNWIND_END_NONE;
	} else if (unwind_rule_fp(rule) == UNWIND_FP_AT_FP) {
		if (f->flags & UNWIND_FP_UNKNOWN)
			return UNWIND_END_LOST;
		at = f->fp + (__u64)(__s64)rule->fp_offset;
	}
	return from->read(from->memory, at, &next->fp) ? UNWIND_END_BAD_READ : UNWIND_END_NONE;
}

/*
 * Code in no file has no rows. But code that goes on with its own way out, ret or add $n, %rsp;
 * ret, says by these instructions where its caller's frame is, and that the caller's fp is in its
 * register: CPython's trampolines (3.12 and 3.13, -X perf), which keep no frame pointer, where what
 * they called returns to. `code` are the UNWIND_EXIT_BYTES bytes of the next instructions, from the
 * lowest on. 0: they say nothing.
 */
#define UNWIND_EXIT_BYTES 5
UNWIND_INLINE int unwind_by_exit(__u64 code, struct unwind_rule *ret)
{
	__s32 more = 0;

	/* 48 83 c4 n: add; n is no less than 0, and whole words */
	if ((code & 0x87ffffffULL) == 0x00c48348ULL) {
		more = (__s32)(code >> 24 & 0xff);
		code >>= 32;
	}
	if ((code & 0xff) != 0xc3)
		return 0;
	*ret = (struct unwind_rule){ .kind = UNWIND_SP, .cfa_offset = more + 8 };
	return 1;
}

/* What the rule says of the caller: UNWIND_INTERRUPTED, UNWIND_OTHER_STACK. */
UNWIND_INLINE __u32 unwind_caller_is(const struct unwind_rule *rule)
{
	if (rule->kind == UNWIND_GOROUTINE || rule->kind == UNWIND_GO_CALLS_C)
		return UNWIND_OTHER_STACK;
	return rule->kind == UNWIND_SP || rule->kind == UNWIND_FP ? unwind_rule_parameter(rule) : 0;
}

/*
 * From a frame to its caller: UNWIND_END_NONE, and *f is the caller; else why the stack ends, and
 * *f is as it was.
 */
UNWIND_INLINE int unwind_step(const struct unwind_rule *rule, struct unwind_frame *f,
			      const struct unwind_source *from)
{
	struct unwind_frame next = { 0 };
	__u64 cfa = 0, return_address = 0;
	int end;

	if (rule->kind == UNWIND_SIGNAL)
		return unwind_signal(rule, f, from);
	end = unwind_cfa(rule, f, from, &cfa);
	/* Start code often says nothing of itself: that of musl, and of glibc's dynamic linker. */
	if (end == UNWIND_END_NO_ROW && from->first_sp && f->sp >= from->first_sp)
		return UNWIND_END_BOTTOM;
	if (end != UNWIND_END_NONE)
		return end;
	/*
	 * Each caller's frame lies above, so that every stack has an end, whatever it holds. Not so what a signal
	 * interrupted, or what went to another stack for the call: made-up frames of that kind that lead to each
	 * other go on until the caller has as many frames as it takes.
	 */
	if (cfa & 7 || cfa >= from->user_end || cfa == f->sp ||
	    (cfa < f->sp && !(unwind_caller_is(rule) & UNWIND_OTHER_STACK)))
		return UNWIND_END_BAD_FRAME;
	if (from->read(from->memory, cfa - 8, &return_address))
		return UNWIND_END_BAD_READ;
	/* What a leaf has in that register may be anything: a 0 up there marks nothing yet. */
	if (!return_address)
		return rule->kind == UNWIND_FRAME_POINTER && !(f->flags & UNWIND_GUESSED)
			       ? UNWIND_END_BAD_FRAME
			       : UNWIND_END_BOTTOM;
	if (!frame_pointer_is_code(return_address, from->user_end))
		return UNWIND_END_BAD_FRAME;
	end = unwind_caller_fp(rule, f, from, cfa, &next);
	if (end != UNWIND_END_NONE)
		return end;
	next.ip = return_address - 1;
	if (unwind_caller_is(rule) & UNWIND_INTERRUPTED) {
		next.ip = return_address;
		next.flags |= UNWIND_EXACT | UNWIND_NO_REGISTERS;
	}
	next.sp = cfa;
	next.flags |= rule->kind == UNWIND_FRAME_POINTER ? UNWIND_GUESSED : 0;
	*f = next;
	return UNWIND_END_NONE;
}

#endif
