/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * All BPF programs that are loaded, with where their code lies and how long it is: /proc/kallsyms doesn't have the
 * length, and asking by id (BPF_PROG_GET_NEXT_ID) needs CAP_SYS_ADMIN. An iterator needs what we have. Since 5.9.
 *
 * Functions of a program are programs of their own, in an array that no typed load reaches: so they are copied,
 * which lockdown=confidentiality refuses. Then there is no list (collect/programs.c).
 *
 * Classic filters (seccomp, sockets) are in no list: they have no id.
 */
#ifndef BPF_PROGRAM_LIST_BPF_H
#define BPF_PROGRAM_LIST_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "bpf/record.h"

/* Of 256 that there can be. Each takes the verifier 0.1 ms; those beyond have the name that /proc/kallsyms gives them. */
#define MAX_FUNCTIONS 48

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct bpf_ksym {
	unsigned long start;
	unsigned long end;
	char name[RECORD_PROGRAM_NAME_BYTES]; /* the kernel's is longer since 6.1 */
};

struct bpf_prog_aux {
	__u32 func_cnt;
	struct bpf_prog **func;
	struct bpf_ksym ksym;
};

struct bpf_prog {
	__u32 jited_len;
	struct bpf_prog_aux *aux;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__bpf_prog {
	struct bpf_iter_meta *meta;
	struct bpf_prog *prog;
};

#pragma clang attribute pop

/* Of a name no more counts than up to its NUL: what is behind it is the last one's. */
static inline void program_write(struct seq_file *seq, const struct bpf_prog *prog,
				 struct record_program *r)
{
	const struct bpf_prog_aux *aux = BPF_CORE_READ(prog, aux);

	r->start = BPF_CORE_READ(aux, ksym.start);
	r->bytes = BPF_CORE_READ(prog, jited_len);
	bpf_probe_read_kernel_str(r->name, sizeof(r->name), aux->ksym.name);
	bpf_seq_write(seq, r, sizeof(*r));
}

SEC("iter/bpf_prog")
int program_list(struct bpf_iter__bpf_prog *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct bpf_prog *prog = ctx->prog, **functions, *function;
	struct record_program r = { 0 };
	__u32 count;

	if (!prog)
		return 0;
	count = BPF_CORE_READ(prog, aux, func_cnt);
	functions = BPF_CORE_READ(prog, aux, func);
	if (!count)
		program_write(seq, prog, &r);
	for (__u32 i = 0; i < MAX_FUNCTIONS && i < count; i++)
		if (!bpf_probe_read_kernel(&function, sizeof(function), functions + i))
			program_write(seq, function, &r);
	return 0;
}

#endif
