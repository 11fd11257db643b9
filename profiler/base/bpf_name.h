/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel calls a BPF program, and what people do. */
#ifndef BASE_BPF_NAME_H
#define BASE_BPF_NAME_H

#include <stddef.h>

/*
 * "bpf_prog_HASH_name" → "bpf_prog_name", in `copy`; NULL if it is none, or `copy` too small. The hash
 * has 16 digits (kernel/bpf/core.c).
 */
const char *bpf_name_shown(const char *name, size_t len, char *copy, size_t size);

#endif
