/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the symbolizer has said of the kernel's functions, by their place: an address in one that is known needs no second reading of
 * /proc/kallsyms, which costs 50 ms for any number of addresses. For a job that goes on.
 *
 * The kernel itself stays where it is; modules come and go, so that what is known of them goes with an epoch. BPF programs are never
 * known here (agent/bpf_code.h). Bounded: beyond KERNEL_NAMES_MAX functions it forgets all. Not thread safe.
 */
#ifndef AGENT_KERNEL_NAMES_H
#define AGENT_KERNEL_NAMES_H

#include <stdint.h>

#include "profiler/agent/site.h"
#include "profiler/model/profile.h"
#include "symbolizer/protocol.h"

#define KERNEL_NAMES_MAX 131072u /* 4 MiB at most, and as much of names */
#define KERNEL_NAMES_AHEAD 32768u

struct kernel_names;

/* 0 or -ENOMEM. */
int kernel_names_new(struct kernel_names **ret);
void kernel_names_free(struct kernel_names *k);

/* Answers to `count` ascending kernel addresses. Without memory it knows less. */
void kernel_names_learn(struct kernel_names *k, const struct symbols *s, const uint64_t *addresses,
			uint32_t count);

/*
 * When one was met that isn't known: up to KERNEL_NAMES_AHEAD addresses all over the kernel's code, ascending, of which it would like to learn
 * as well, since one is asked about anyway. Their count; 0: not now, or no more.
 */
uint32_t kernel_names_ahead(struct kernel_names *k, uint64_t ret_addresses[KERNEL_NAMES_AHEAD]);

/* 1 and the site, whose name is entered in the profile; 0: it isn't known, or has no name; -ENOMEM, -E2BIG. */
int kernel_names_find(struct kernel_names *k, struct profile *p, uint64_t address,
		      struct site *ret);

/* Another epoch: profile_function() and profile_mapping() begin anew. */
void kernel_names_turn(struct kernel_names *k);

#endif
