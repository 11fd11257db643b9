/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * A task's name as two words, so that it is copied and compared in two instructions.
 */
#ifndef BPF_COMM_BPF_H
#define BPF_COMM_BPF_H

#include "bpf/kernel.bpf.h"
#include "bpf/record.h"

struct comm {
	__u64 low, high;
};
_Static_assert(sizeof(struct comm) == RECORD_COMM_BYTES, "a name is two words");

/* The bytes of `word` before its first zero byte, which is the lowest that `zeros` finds exactly. */
static inline __u64 comm_cut(__u64 word, __u64 *ret_zeros)
{
	__u64 zeros = (word - 0x0101010101010101ULL) & ~word & 0x8080808080808080ULL;

	*ret_zeros = zeros;
	return zeros ? word & (((zeros & -zeros) >> 7) - 1) : word;
}

/*
 * What is behind the NUL may be the rest of an older name: cut off, so that names compare as words
 * and nothing undefined leaves the kernel. A name that is being changed may be read half old.
 */
static inline struct comm comm_of(const struct task_struct *task)
{
	const __u64 *words = (const __u64 *)task->comm;
	struct comm comm;
	__u64 zeros;

	if (kernel_is_typed()) {
		comm.low = words[0];
		comm.high = words[1];
	} else {
		bpf_core_read(&comm, sizeof(comm), &task->comm);
	}
	comm.low = comm_cut(comm.low, &zeros);
	comm.high = zeros ? 0 : comm_cut(comm.high & (~0ULL >> 8), &zeros);
	return comm;
}

static inline void comm_store(char *dst, struct comm comm)
{
	((__u64 *)dst)[0] = comm.low;
	((__u64 *)dst)[1] = comm.high;
}

#endif
